package migration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// plugin is a plug-in of pt-online-schema-change (see PLUGIN in its manual). It counts what each of the tool's
// INSERT … SELECT copied, where the tool itself prints percentages of an estimate only. And it waits for the
// file of Hold to go, where gh-ost has a flag (--postpone-cut-over-flag-file): the tool's own --pause-file
// holds the copy, and looks again only after a minute. The file is named from the working folder.
const plugin = `package pt_online_schema_change_plugin;
use strict;
sub new { return bless { rows => 0 }, shift }
sub on_copy_rows_after_nibble { my ($self, %%args) = @_; $self->{rows} += $args{tbl}->{row_cnt} || 0 }
sub after_copy_rows { my ($self) = @_; print "rows copied: $self->{rows}\n" }
sub before_swap_tables { select(undef, undef, undef, 0.02) while -e '%s' }
1;
`

// pluginFile is where the plug-in lies in the working folder.
const pluginFile = "plugin.pm"

var copiedRows = regexp.MustCompile(`(?m)^rows copied: (\d+)$`)

func writePlugin(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, pluginFile), fmt.Appendf(nil, plugin, holdFile), 0o644); err != nil {
		return fmt.Errorf("plug-in for pt-online-schema-change: %w", err)
	}
	return nil
}
