package matrix

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files and the JSON Schema anew")

// golden compares a text with a file, or writes the file with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it anew); got:\n%s", filepath.Base(file), got)
	}
}

// loadText loads a matrix file of the given text; declared are the names and texts of files in its folder known.
func loadText(t *testing.T, text string, declared ...string) (*Matrix, error) {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i+1 < len(declared); i += 2 {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, "known"), 0o755), os.WriteFile(filepath.Join(dir, "known", declared[i]), []byte(declared[i+1]), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "matrix.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "fill.sh"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "plain.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return Load(file)
}

// repository is this project's own matrix.yaml.
func repository(t *testing.T) *Matrix {
	t.Helper()
	m, err := Load("../../matrix.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return m
}
