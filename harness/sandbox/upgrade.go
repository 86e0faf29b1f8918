package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Adopt replaces the data directory of a clone that is stopped by a copy of another's, which must be stopped as well. The server
// keeps its own UUID, so that the two may replicate from one another.
func (g *Golden) Adopt(s *Sandbox, data string) error {
	if s.Running() {
		return fmt.Errorf("adopt the data of %s: the server on port %d runs", data, s.meta.Port)
	}
	if err := os.RemoveAll(s.DataDir()); err != nil {
		return fmt.Errorf("adopt the data of %s: %w", data, err)
	}
	if err := copyTree(data, s.DataDir()); err != nil {
		return fmt.Errorf("adopt the data of %s: %w", data, err)
	}
	if err := os.Remove(s.ErrorLogPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return errors.Join(s.identify(), g.certificates(s))
}

// Install gives a stopped sandbox this golden sandbox's server and configuration. Data directory, UUID, port, server id and
// the options of its clone stay; options that the new server does not know are passed over by it.
func (g *Golden) Install(s *Sandbox) error {
	if s.Running() {
		return fmt.Errorf("install %s: the server on port %d runs", g.Flavor, s.meta.Port)
	}
	own, err := s.ownOptions()
	if err != nil {
		return err
	}
	if err := s.removeFiles(); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(g.Dir, sandboxName))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == "data" {
			continue
		}
		if err := copyTree(filepath.Join(g.Dir, sandboxName, entry.Name()), filepath.Join(s.dir, entry.Name())); err != nil {
			return err
		}
	}
	s.meta.Entry, s.meta.Flavor, s.meta.Basedir, s.process = g.Entry, g.Flavor, g.Basedir, nil
	if err := g.rewrite(s); err != nil {
		return err
	}
	if err := g.certificates(s); err != nil {
		return err
	}
	return s.write(Spec{ServerID: s.meta.ServerID, Options: own})
}

// ownOptions are the option lines that made this clone different from its golden sandbox, in a form in which a server that
// does not know one passes it over.
func (s *Sandbox) ownOptions() ([]string, error) {
	text, err := os.ReadFile(s.ConfigPath())
	if err != nil {
		return nil, err
	}
	_, own, found := cutLast(string(text), "\n[mysqld]\n")
	if !found {
		return nil, fmt.Errorf("%s: no section of the clone's own", s.ConfigPath())
	}
	certificate := certified(s.meta.Flavor)
	var lines []string
	for line := range strings.Lines(own) {
		line = strings.TrimSpace(line)
		name, _, _ := strings.Cut(line, "=")
		if line == "" || slices.Contains([]string{"server-id", "report-host", "report-port"}, name) || slices.Contains(certificate, line) {
			continue
		}
		lines = append(lines, "loose-"+strings.TrimPrefix(line, "loose-"))
	}
	return lines, nil
}

func cutLast(text, sep string) (before, after string, found bool) {
	i := strings.LastIndex(text, sep)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(sep):], true
}

// removeFiles deletes what lies beside the data directory.
func (s *Sandbox) removeFiles() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		if path := filepath.Join(s.dir, entry.Name()); path != s.DataDir() {
			errs = append(errs, os.RemoveAll(path))
		}
	}
	return errors.Join(errs...)
}

// certificates gives the data directory the certificate that the configuration names.
func (g *Golden) certificates(s *Sandbox) error {
	if len(certified(g.Flavor)) == 0 {
		return nil
	}
	var errs []error
	for _, name := range []string{certificateFile, keyFile} {
		target := filepath.Join(s.DataDir(), name)
		if _, err := os.Stat(target); err == nil {
			continue
		}
		errs = append(errs, copyTree(filepath.Join(g.Dir, sandboxName, "data", name), target))
	}
	return errors.Join(errs...)
}
