package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"mysqlmatrix/harness/failover/oracle"
	"mysqlmatrix/harness/report"
)

// rejudge judges the failover specs of a folder again, and prints what was found then and what is found now.
func rejudge(w io.Writer, folder string) error {
	list, err := oracle.Rejudge(folder)
	if err != nil {
		return unfit(fmt.Errorf("--rejudge: %w", err))
	}
	if len(list) == 0 {
		return unfit(fmt.Errorf("--rejudge %s: no evidence of a failover spec that can be judged again: a spec that failed has a file seen-*.json if the oracle was put to its cluster", folder))
	}
	changed, wrong := 0, 0
	for _, one := range list {
		if !maps.Equal(one.Then, one.Now) {
			changed++
		}
		if len(one.Now) > 0 {
			wrong++
		}
		if _, err := fmt.Fprintf(w, "%s\n%s%s", one.File, foundLines("then", one.Then), foundLines("now", one.Now)); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(w, "judged again: %d, of which %d otherwise than then; something is found in %d\n", len(list), changed, wrong); err != nil {
		return err
	}
	if wrong > 0 {
		return codeError{report.ExitFailed}
	}
	return nil
}

// foundLines are what an oracle has found, a line for each check.
func foundLines(when string, found map[oracle.Check]string) (text string) {
	if len(found) == 0 {
		return fmt.Sprintf("  %-5s nothing\n", when)
	}
	for _, check := range slices.Sorted(maps.Keys(found)) {
		text += fmt.Sprintf("  %-5s %s: %s\n", when, check, found[check])
	}
	return text
}
