// Command docs writes the pages of docs/ that are made of data: run it in the project's folder, by make docs.
package main

import (
	"errors"
	"fmt"
	"os"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/trackrecord"

	_ "mysqlmatrix/harness/basedir" // the kinds of sources
)

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

func write() error {
	pages, err := pages(".")
	if err != nil {
		return err
	}
	var errs []error
	for path, text := range pages {
		errs = append(errs, os.WriteFile(path, []byte(text), 0o644))
	}
	return errors.Join(errs...)
}

// pages are the generated pages of a project's folder, by their paths in it.
func pages(project string) (map[string]string, error) {
	list, err := trackrecord.Read(project + "/fixtures/track-record.yaml")
	if err != nil {
		return nil, err
	}
	m, err := matrix.Load(project + "/matrix.yaml")
	if err != nil {
		return nil, err
	}
	picture, err := withPackages(project)
	if err != nil {
		return nil, err
	}
	made := map[string]string{architecture: picture, "docs/track-record.md": trackrecord.Markdown(list), "docs/servers.md": servers(m)}
	for page, suite := range declaredPages {
		if made[page], err = withDeclared(project, page, suite, m); err != nil {
			return nil, err
		}
	}
	return made, nil
}
