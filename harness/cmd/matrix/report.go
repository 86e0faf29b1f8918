package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/page"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/results"
)

func (a *app) reportCommand() *cobra.Command {
	var format, again string
	c := &cobra.Command{
		Use: "report [RUN]", Short: "Turn the results of runs into reports", Args: cobra.MaximumNArgs(1),
		Long: `report prints a run's results again; its commands make other reports of them.

--rejudge judges failed failover specs again by what their evidence holds, without servers and by the oracle of this
build: an oracle that got better is put to old runs. It prints what was found then and what is found now, and exits 1
when something is found now. The run's own verdicts stay as they are.`,
		RunE: func(c *cobra.Command, args []string) error {
			if again != "" {
				if len(args) > 0 {
					return usageError{fmt.Errorf("--rejudge %s: it takes one folder, and no run beside it: %s", again, args[0])}
				}
				return rejudge(c.OutOrStdout(), again)
			}
			if len(args) == 0 {
				return c.Help()
			}
			if _, err := os.Stat(args[0]); err != nil {
				return usageError{fmt.Errorf("no command and no run %q: see matrix report --help", args[0])}
			}
			return show(c.OutOrStdout(), args[0], format)
		},
		Example: "  matrix report show build/runs/20261123-180000.000\n  matrix report html build/runs/20261123-180000.000 >page.html\n  matrix report merge --out build/all build/runs/*\n  matrix report diff build/runs/old build/runs/new\n  matrix report history build/runs\n  matrix report --rejudge build/runs/20261123-180000.000",
	}
	c.AddCommand(a.reportShowCommand(), a.reportHTMLCommand(), a.reportMergeCommand(), a.reportDiffCommand(), a.reportHistoryCommand(),
		a.reportDurationsCommand())
	c.Flags().StringVar(&format, "format", "text", "of one run: "+showFormats)
	c.Flags().StringVar(&again, "rejudge", "", "folder of a run, or of evidence, whose failover specs are judged again")
	return c
}

func (a *app) reportShowCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use: "show RUN", Short: "Print a run's results again", Args: exactArgs(1, "the folder of one run"),
		Long: `show prints a run as text, as Markdown for a job summary, as GitHub annotations (one for each server version that is
broken), as the compatibility table, which version of a tool works on which server, or as tables of how long failovers
took: both in Markdown.`,
		Example: "  matrix report show build/runs/20261123-180000.000\n  matrix report show --format markdown out >>\"$GITHUB_STEP_SUMMARY\"\n  matrix report show --format compatibility out >docs/compatibility.md",
		RunE:    func(c *cobra.Command, args []string) error { return show(c.OutOrStdout(), args[0], format) },
	}
	c.Flags().StringVar(&format, "format", "text", showFormats)
	return c
}

const showFormats = "text, markdown, annotations, junit, compatibility or times"

// show prints a run in a format.
func show(w io.Writer, folder, format string) error {
	result, err := results.Read(folder)
	if err != nil {
		return unfit(err)
	}
	switch format {
	case "text":
		return report.WriteFinal(w, result, viewOptions(w, folder))
	case "markdown":
		return report.WriteMarkdown(w, result, report.Options{Out: folder}, report.MarkdownLimit)
	case "annotations":
		return report.WriteAnnotations(w, result)
	case "junit":
		return report.WriteJUnit(w, result)
	case "compatibility":
		return report.WriteCompatibility(w, result)
	case "times":
		return report.WriteTimes(w, result)
	}
	return usageError{fmt.Errorf("--format %q: want %s", format, showFormats)}
}

func (a *app) reportHTMLCommand() *cobra.Command {
	var out, base string
	c := &cobra.Command{
		Use: "html RUN…", Short: "Write the compatibility page: one HTML file that needs nothing else",
		Long:    "html writes the page of one run, or of several that are parts of one. With --base, what failed already in an earlier run is told from what is new.",
		Example: "  matrix report html build/runs/20261123-180000.000 --out page.html\n  matrix report html --base build/runs/old build/runs/new >page.html",
		RunE: func(c *cobra.Command, args []string) error {
			merged, err := results.Merge(args...)
			if err != nil {
				return unfit(err)
			}
			in := page.Input{Run: merged.Run, Folders: merged.Folders, Attributions: merged.Attributions}
			if base != "" {
				if in.Base, err = results.Read(base); err != nil {
					return unfit(err)
				}
			}
			write := func(w io.Writer) error { return page.Write(w, in) }
			if out == "" {
				err = write(c.OutOrStdout())
			} else {
				err = results.WriteFile(out, write)
			}
			return errors.Join(append(merged.Unread, err)...)
		},
	}
	c.Flags().StringVar(&out, "out", "", "file (default: standard output)")
	c.Flags().StringVar(&base, "base", "", "an earlier run to compare with")
	return c
}

func (a *app) reportMergeCommand() *cobra.Command {
	var out, plan string
	var strict bool
	c := &cobra.Command{
		Use: "merge RUN…", Short: "Join the results of several runs of one matrix",
		Long: `merge joins runs, writes all that a run writes into --out, evidence and what attribute found included, prints the whole,
and exits as one run would; with 3 where nothing ran at all. Results that cannot be read are an errored cell of the
whole, under their folder's name; parts that have a cell in common, or are of two matrix.yaml files, are refused.`,
		Example: "  matrix report merge --out build/all results/*",
		RunE: func(c *cobra.Command, args []string) error {
			if out != "" {
				if err := checkFolder(out, true); err != nil { // writeMerged looks at what it holds
					return unfit(err)
				}
			}
			merged, err := results.Merge(args...)
			if err != nil {
				return unfit(err)
			}
			if c.Flags().Changed("plan") {
				if err := missing(merged.Run, plan); err != nil {
					return err
				}
			}
			if out != "" {
				err := merged.Write(out)
				if errors.As(err, new(*results.HeldError)) {
					return unfit(err)
				}
				if err != nil {
					return err
				}
			}
			if err := report.WriteFinal(c.OutOrStdout(), merged.Run, viewOptions(c.OutOrStdout(), out)); err != nil {
				return err
			}
			if code := report.ExitCode(merged.Run, report.ExitRules{Strict: strict, FlakyFails: strict}); code != 0 {
				return codeError{code}
			}
			return nothingRan(merged.Run)
		},
	}
	c.Flags().StringVar(&out, "out", "", "folder for run.json, junit.xml, summary.md, page.html and the evidence")
	c.Flags().StringVar(&plan, "plan", "", "the plan's JSON: a cell of it that no run has is errored, since its job was lost")
	c.Flags().BoolVar(&strict, "strict", false, "exit 3 when a cell is unavailable, 1 when a spec is flaky")
	return c
}

// missing adds the cells of a plan that no job has reported.
func missing(merged *report.Run, plan string) error {
	var planned struct{ Include []ciJob }
	if err := json.Unmarshal([]byte(plan), &planned); err != nil {
		if _, statErr := os.Stat(plan); statErr == nil {
			return unfit(fmt.Errorf("--plan %s: that is a file; give what is in it: --plan \"$(cat %s)\"", plan, plan))
		}
		return unfit(fmt.Errorf("--plan: %w: want what matrix plan --format json prints", err))
	}
	for _, j := range planned.Include {
		for _, name := range strings.Fields(j.Cells) {
			id, err := report.ParseCellID(name)
			if err != nil {
				return unfit(fmt.Errorf("--plan: %w", err))
			}
			merged.Expect(id, "job "+j.Name+" reported nothing of this cell")
		}
	}
	return nil
}

// nothingRan is an error when no cell came to a spec, since such a run says nothing of anything: one server that cannot
// be obtained is no fault, all of them are.
func nothingRan(merged *report.Run) error {
	unavailable := 0
	for i := range merged.Cells {
		if len(merged.Cells[i].Specs) > 0 {
			return nil
		}
		if merged.Cells[i].Verdict == report.VerdictUnavailable {
			unavailable++
		}
	}
	return fmt.Errorf("nothing ran: of %d cells %d are unavailable, and no other has a spec that was chosen", len(merged.Cells), unavailable)
}

func (a *app) reportDiffCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "diff OLD NEW", Short: "Say what changed from one run to another", Args: exactArgs(2, "the folders of two runs"),
		Long: `diff says what is newly failing, newly fixed, otherwise changed, slower beyond noise, new and gone, and exits 1 on a
regression. Where the runs tested two versions of a tool, these are compared.

A regression is a spec that worked (passed, vacuous, fixed) and is broken now: failed, timed out, errored or known, for
a declaration says that it is known, and not that it works. So is a cell that is errored or timed out as
a whole though something in it worked before, and a spec that worked in a cell that the new run was cut off in.

No regression: what worked and is flaky, vacuous, unsupported or unavailable now ("otherwise changed": look at it); what
was broken, or was not there, before; a spec or a cell that is gone from a run that came to its end; what is slower.`,
		Example: "  matrix report diff build/runs/old build/runs/new\n  matrix report diff --json main/run.json mine/run.json",
		RunE: func(c *cobra.Command, args []string) error {
			old, oldErr := results.Read(args[0])
			new, newErr := results.Read(args[1])
			if err := errors.Join(oldErr, newErr); err != nil {
				return unfit(err)
			}
			diff := report.Compare(old, new)
			var err error
			if asJSON {
				err = printJSON(c.OutOrStdout(), diff)
			} else {
				err = report.WriteDiff(c.OutOrStdout(), diff, viewOptions(c.OutOrStdout(), ""))
			}
			if err == nil && diff.Regressed() {
				return codeError{report.ExitFailed}
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return c
}

func (a *app) reportHistoryCommand() *cobra.Command {
	return &cobra.Command{
		Use: "history DIR", Short: "Draw pass rates, durations and measurements over past runs", Args: exactArgs(1, "a folder of runs' folders"),
		Long: "history reads every folder of DIR that holds a run, the oldest first. Folders without one are passed over; one that cannot be read is\n" +
			"named at the end, and the exit code is 3.",
		Example: "  matrix report history build/runs",
		RunE: func(c *cobra.Command, args []string) error {
			runs, err := results.History(args[0])
			if len(runs) == 0 {
				return unfit(err)
			}
			return errors.Join(report.WriteHistory(c.OutOrStdout(), runs, viewOptions(c.OutOrStdout(), "")), err)
		},
	}
}
