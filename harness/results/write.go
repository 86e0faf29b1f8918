package results

import (
	"errors"
	"io"
	"path/filepath"

	"github.com/google/renameio/v2"

	"mysqlmatrix/harness/page"
	"mysqlmatrix/harness/report"
)

// Write writes the files of a run that other programs and people read.
func Write(folder string, run *report.Run) error {
	return errors.Join(
		WriteFile(filepath.Join(folder, runFile), func(w io.Writer) error { return report.WriteJSON(w, run) }),
		WriteFile(filepath.Join(folder, junitFile), func(w io.Writer) error { return report.WriteJUnit(w, run) }),
		WriteFile(filepath.Join(folder, summaryFile), func(w io.Writer) error {
			return report.WriteMarkdown(w, run, report.Options{}, report.MarkdownLimit)
		}),
		WritePage(folder, run),
	)
}

// WritePage writes the page of a run into its folder, with what attribute has found of its failures.
func WritePage(folder string, run *report.Run) error {
	known, err := ReadAttributions(folder)
	if err != nil {
		return err
	}
	return WriteFile(filepath.Join(folder, pageFile), func(w io.Writer) error {
		return page.Write(w, page.Input{Run: run, Folders: []string{folder}, Attributions: known})
	})
}

// WriteFile writes a file whole or leaves what was there: a page that cannot be made takes no older one with it.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(0o644))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Cleanup()) }()
	if err := write(file); err != nil {
		return err
	}
	return file.CloseAtomicallyReplace()
}
