package migration

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/tool"
)

// TestParseGhost reads logs of real migrations.
func TestParseGhost(t *testing.T) {
	tests := map[string]struct {
		rows, dml int64
		cutOver   time.Duration
	}{
		"gh-ost-v1.1.10.log": {19844, 546, 1007905091},
		"gh-ost-v1.1.8.log":  {19985, 120, 1016253069},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			got := Result{Output: string(text), RowsCopied: -1, DMLApplied: -1}
			parseGhost(&got)
			if got.RowsCopied != want.rows || got.DMLApplied != want.dml || got.CutOver != want.cutOver {
				t.Errorf("rows %d, DML %d, cut-over %s; want %+v", got.RowsCopied, got.DMLApplied, got.CutOver, want)
			}
		})
	}
	nothing := Result{Output: "FATAL no such table", RowsCopied: -1, DMLApplied: -1}
	parseGhost(&nothing)
	if nothing.RowsCopied != -1 || nothing.DMLApplied != -1 || nothing.CutOver != 0 {
		t.Errorf("counts from a log without any: %+v", nothing)
	}
}

// script is a program that stands for a tool's process only: it talks to no server.
func script(t *testing.T, body string) Tool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o755); err != nil {
		t.Fatal(err)
	}
	driver, err := New(&tool.Program{Name: NamePTOSC, Version: "0", Path: path, Env: []string{"FROM_TOOL=yes"}})
	if err != nil {
		t.Fatal(err)
	}
	return driver
}

func triggersJob(t *testing.T) Job {
	return Job{
		Mode: ModeTriggers, Database: "d", Table: "t", Alter: "ENGINE=InnoDB", Workdir: t.TempDir(),
		Primary: server.Endpoint{Host: "127.0.0.1", Port: 3306, User: "u", Password: "hidden"},
	}
}

func TestSuccess(t *testing.T) {
	job := triggersJob(t)
	result, err := script(t, `echo "$FROM_TOOL $*"; echo oops >&2; cat client.cnf`).Migrate(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	if result.ExitCode != 0 || result.Target.Table != "t" || result.RowsCopied != -1 {
		t.Errorf("result %+v", result)
	}
	if result.Usage.Memory < 100<<10 || result.Usage.CPU < 0 {
		t.Errorf("the tool used %+v", result.Usage)
	}
	for _, want := range []string{"yes --config= ", "F=./client.cnf,h=127.0.0.1,P=3306,D=d,t=t", "oops", "password=hidden"} {
		if !strings.Contains(result.Output, want) {
			t.Errorf("output lacks %q:\n%s", want, result.Output)
		}
	}
	log, err := os.ReadFile(result.Log)
	if err != nil || string(log) != result.Output {
		t.Errorf("log %q, %v; want the output", log, err)
	}
	info, err := os.Stat(filepath.Join(job.Workdir, credentialsFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("account's file: %v, %v; want mode 0600", info, err)
	}
}

func TestFailure(t *testing.T) {
	result, err := script(t, "echo the reason >&2; exit 11").Migrate(t.Context(), triggersJob(t))
	if err == nil || result == nil || result.ExitCode != 11 {
		t.Fatalf("result %+v, error %v; want exit code 11", result, err)
	}
	for _, want := range []string{"pt-online-schema-change 0, mode triggers, failed", "exit status 11", "the reason"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q: %v", want, err)
		}
	}
}

// TestHang holds that a tool that does not end is stopped with all that it started, and that the error has
// its last words.
func TestHang(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	job := triggersJob(t)
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			text, err := os.ReadFile(filepath.Join(job.Workdir, NamePTOSC+".log"))
			if ctx.Err() != nil || (err == nil && strings.Contains(string(text), "waiting for ever")) {
				cancel()
				return
			}
		}
	}()
	begin := time.Now()
	result, err := script(t, "echo waiting for ever; sleep 600").Migrate(ctx, job)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want the context's", err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("stopping took %s", took)
	}
	for _, want := range []string{"was stopped after", "waiting for ever"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q: %v", want, err)
		}
	}
	if result.ExitCode != -1 {
		t.Errorf("exit code %d, want -1", result.ExitCode)
	}
}

// TestUsage holds that what a tool's own children use counts, and also when the tool is a failure.
func TestUsage(t *testing.T) {
	const busy = `perl -e '1 while (times)[0] < 0.3; my $all = "x" x 50_000_000'; exit 1`
	result, err := script(t, busy).Migrate(t.Context(), triggersJob(t))
	if err == nil {
		t.Fatal("exit code 1 is no error")
	}
	if result.Usage.CPU < 300*time.Millisecond {
		t.Errorf("%s of CPU time, the child alone used 0.3 s", result.Usage.CPU)
	}
	if result.Usage.Memory < 50_000_000 {
		t.Errorf("%d bytes, the child alone had 50,000,000", result.Usage.Memory)
	}
}

func TestCopiedRows(t *testing.T) {
	result, err := script(t, `echo "Copying: 50%"; echo "rows copied: 49875"`).Migrate(t.Context(), triggersJob(t))
	if err != nil || result.RowsCopied != 49875 {
		t.Errorf("result %+v, %v", result, err)
	}
}

func TestPTOSCArguments(t *testing.T) {
	job := triggersJob(t)
	job.ChunkSize, job.Extra = 500, []string{"--max-lag=9"}
	args := ptoscArguments(job)
	if args[0] != "--config=" {
		t.Errorf("first argument %q: pt-online-schema-change takes --config only first", args[0])
	}
	for _, want := range []string{"--chunk-size=500", "--chunk-time=0", "--max-lag=9", "--execute"} {
		if !slices.Contains(args, want) {
			t.Errorf("no %s in %q", want, args)
		}
	}
	if strings.Contains(strings.Join(args, " "), "hidden") {
		t.Error("the password is on the command line, where every user of the machine reads it")
	}
}
