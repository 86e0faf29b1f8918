package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/report"
)

func (a *app) reportCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "report", Short: "Turn the results of runs into reports",
		Example: "  matrix report show build/runs/20261123-180000.000\n  matrix report merge --out build/all build/runs/*",
	}
	c.AddCommand(a.reportShowCommand(), a.reportMergeCommand())
	return c
}

func (a *app) reportShowCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use: "show RUN", Short: "Print a run's results again", Args: exactArgs(1, "the folder of one run"),
		Example: "  matrix report show build/runs/20261123-180000.000\n  matrix report show --format markdown out >>\"$GITHUB_STEP_SUMMARY\"",
		RunE: func(c *cobra.Command, args []string) error {
			result, err := readRun(args[0])
			if err != nil {
				return unfit(err)
			}
			switch format {
			case "text":
				return report.WriteFinal(c.OutOrStdout(), result, viewOptions(c.OutOrStdout(), args[0]))
			case "markdown":
				return report.WriteMarkdown(c.OutOrStdout(), result, report.Options{Out: args[0]}, summaryLimit)
			default:
				return usageError{fmt.Errorf("--format %q: want text or markdown", format)}
			}
		},
	}
	c.Flags().StringVar(&format, "format", "text", "text or markdown")
	return c
}

// summaryLimit is what GitHub takes as a step summary, in bytes.
const summaryLimit = 1 << 20

func (a *app) reportMergeCommand() *cobra.Command {
	var out string
	var strict bool
	c := &cobra.Command{
		Use: "merge RUN…", Short: "Join the results of several runs of one matrix",
		Long:    "merge joins runs, writes run.json and junit.xml, prints the whole, and exits as one run would.",
		Example: "  matrix report merge --out build/all results/*",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{fmt.Errorf("matrix report merge wants folders of runs")}
			}
			var runs []*report.Run
			for _, arg := range args {
				one, err := readRun(arg)
				if err != nil {
					return unfit(err)
				}
				runs = append(runs, one)
			}
			merged, err := report.Merge(runs...)
			if err != nil {
				return unfit(err)
			}
			if out != "" {
				if err := os.MkdirAll(out, 0o755); err != nil {
					return err
				}
				if err := writeResults(out, merged); err != nil {
					return err
				}
				if err := writeFile(filepath.Join(out, "summary.md"), func(w io.Writer) error {
					return report.WriteMarkdown(w, merged, report.Options{}, summaryLimit)
				}); err != nil {
					return err
				}
			}
			if err := report.WriteFinal(c.OutOrStdout(), merged, viewOptions(c.OutOrStdout(), out)); err != nil {
				return err
			}
			if code := report.ExitCode(merged, strict, nil); code != 0 {
				return codeError{code}
			}
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "", "folder for run.json, junit.xml and summary.md")
	c.Flags().BoolVar(&strict, "strict", false, "exit 3 when a cell is unavailable")
	return c
}

// readRun reads the run.json of a run's folder, or the file itself.
func readRun(path string) (_ *report.Run, err error) {
	if !strings.HasSuffix(path, ".json") {
		path = filepath.Join(path, "run.json")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	defer file.Close()
	result, err := report.ReadRun(file)
	if err != nil {
		return nil, fmt.Errorf("results %s: %w", path, err)
	}
	return result, nil
}
