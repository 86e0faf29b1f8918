package migration

import (
	"fmt"
	"os"
	"path/filepath"
)

// holdFile is in the working folder: while it exists, the tool copies and follows writes, and does not
// exchange the tables.
const holdFile = "hold"

// Hold keeps the tool of a job from exchanging the tables, from before it starts until Release, so that what
// is to be written while it works has been written when it ends.
func (j *Job) Hold() error {
	if err := os.MkdirAll(j.Workdir, 0o755); err != nil {
		return fmt.Errorf("hold the cut-over: %w", err)
	}
	j.held = filepath.Join(j.Workdir, holdFile)
	if err := os.WriteFile(j.held, nil, 0o644); err != nil {
		return fmt.Errorf("hold the cut-over: %w", err)
	}
	return nil
}

// Release lets the tool go on. gh-ost makes the file anew when it is gone before gh-ost looks for it first,
// so it is to be called again until the tool has ended.
func (j *Job) Release() error {
	if err := os.Remove(j.held); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("release the cut-over: %w", err)
	}
	return nil
}

// plugin makes pt-online-schema-change wait for the file to go, where gh-ost has a flag
// (--postpone-cut-over-flag-file): its --pause-file holds the copy, and looks again only after a minute.
const plugin = `package pt_online_schema_change_plugin;
use strict;
sub new { my ($class, %%args) = @_; return bless {}, $class }
sub before_swap_tables { select(undef, undef, undef, 0.02) while -e '%s' }
1;
`

// writePlugin returns the file's path for --plugin. The file to wait for is named from the working folder.
func writePlugin(dir string) (string, error) {
	path := filepath.Join(dir, "hold.pm")
	if err := os.WriteFile(path, fmt.Appendf(nil, plugin, holdFile), 0o644); err != nil {
		return "", fmt.Errorf("pt-online-schema-change: plugin: %w", err)
	}
	return path, nil
}
