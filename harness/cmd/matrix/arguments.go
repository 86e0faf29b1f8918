package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mysqlmatrix/harness/folder"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/results"
	"mysqlmatrix/harness/tool"
)

// What a command line gets wrong is found here before anything is obtained, built or started.

// noEmpty refuses arguments that are empty: a script's variable that is not set would otherwise choose everything.
func noEmpty(c *cobra.Command, args []string) error {
	for _, arg := range args {
		if strings.TrimSpace(arg) == "" {
			return usageError{fmt.Errorf("an argument of %s is empty: leave it out, or give a value", c.CommandPath())}
		}
	}
	var errs []error
	c.Flags().Visit(func(f *pflag.Flag) {
		for _, value := range texts(f) {
			if strings.TrimSpace(value) == "" {
				errs = append(errs, fmt.Errorf("--%s is empty: leave it out, or give a value", f.Name))
			}
		}
	})
	return unfit(errors.Join(errs...))
}

// texts are the values of a flag that takes text.
func texts(f *pflag.Flag) []string {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return list.GetSlice()
	}
	if f.Value.Type() != "string" {
		return nil
	}
	return []string{f.Value.String()}
}

// check finds numbers that mean nothing.
func (o *runFlags) check() error {
	var errs []error
	for _, flag := range []struct {
		name  string
		value int
	}{{"jobs", o.jobs}, {"procs", o.procs}} {
		if flag.value < 1 {
			errs = append(errs, fmt.Errorf("--%s %d: want 1 or more", flag.name, flag.value))
		}
	}
	if o.limit <= 0 {
		errs = append(errs, fmt.Errorf("--limit %s: want a time", o.limit))
	}
	return errors.Join(append(errs, o.attempts.Validate())...)
}

// present refuses cells whose tool or server is to be a file or a folder that is not there.
func present(cells []matrix.Cell) error {
	var errs []error
	seen := map[string]bool{}
	once := func(name string, check func() error) {
		if !seen[name] {
			seen[name] = true
			errs = append(errs, check())
		}
	}
	for _, c := range cells {
		once("tool "+c.Tool.Flag(), func() error { return tool.Check(c.Tool) })
		once("entry "+c.Entry.Name, func() error { return presentServer(c.Entry) })
	}
	return errors.Join(errs...)
}

// buildable refuses a checkout whose suites the go command does not build: it takes a backslash in the path of an embedded
// file for an escape.
func buildable(project string) error {
	if strings.Contains(project, `\`) {
		return fmt.Errorf(`checkout %s: go does not build what lies below a backslash: move it`, project)
	}
	return nil
}

// presentServer is present for one server. Only one that the user refers to by its place (dir:/path) has to be there: an
// entry of matrix.yaml whose folder is not is unavailable.
func presentServer(e matrix.Entry) error {
	if !strings.Contains(e.Name, ":") {
		return nil
	}
	for _, source := range e.Sources {
		if declared, ok := source.Declared.(interface{ Present() error }); ok {
			return declared.Present()
		}
	}
	return nil
}

// checkFolder refuses a folder that --out names when a file or a link to nothing is in its place, or when it holds results and --force is not given.
func checkFolder(out string, force bool) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	if err := folder.Dangling(out); err != nil {
		return fmt.Errorf("--out %s: %w: name a folder", out, err)
	}
	for at := out; at != filepath.Dir(at); at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err == nil && !info.IsDir() {
			return fmt.Errorf("--out %s: %s is a file: name a folder", out, at)
		}
		if err == nil {
			break
		}
	}
	err = results.Held(out)
	var held *results.HeldError
	if errors.As(err, &held) && !held.Busy {
		if force {
			return nil
		}
		return fmt.Errorf("--out %w, or replace what it holds with --force", err)
	}
	return err
}

// resultFolder makes the folder that --out names, and with force removes the results that it holds.
func resultFolder(out string, force bool) (string, error) {
	if err := checkFolder(out, force); err != nil {
		return "", unfit(err)
	}
	out, err := filepath.Abs(out)
	if err != nil {
		return "", err
	}
	if force {
		if err := results.Discard(out); err != nil {
			return "", fmt.Errorf("output folder: %w", err)
		}
	}
	return out, unfit(folder.Check(out, folder.Results))
}

// forceFlag registers --force beside --out.
func forceFlag(f *pflag.FlagSet, force *bool) {
	f.BoolVar(force, "force", false, "replace the results that the folder of --out holds, with their evidence")
}
