package upgrade

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// logical loads the dump into a server of the new version.
func (r *runner) logical(ctx context.Context, o *Outcome) (err error) {
	s, err := r.clone(r.to(), "new", "")
	if err != nil {
		return err
	}
	next, err := r.start(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, next.remove()) }()
	reload, err := load(ctx, next.conn, r.Source, next.side.flavor, r.began)
	if err != nil {
		return err
	}
	if n := len(reload.refusals); n > 0 {
		o.Detail = fmt.Sprintf("the load stops at line %d (%s refused in all, with what follows from them)", reload.refusals[0].line, countText(n, "statement"))
	}
	if err := next.again(ctx); err != nil {
		return err
	}
	old, err := r.old(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, old.remove()) }()
	o.WayBack = "the old server is as it was; what the new one has written since would have to be carried back"
	return r.compare(ctx, o, old.side, next.side, reload, nil)
}

// semantic are variables whose defaults decide how statements are read or what they do.
var semantic = []string{"character_set_server", "collation_server", "sql_mode", "explicit_defaults_for_timestamp", "default_authentication_plugin",
	"authentication_policy", "innodb_autoinc_lock_mode", "binlog_format", "binlog_row_image", "gtid_strict_mode",
	"transaction_isolation", "tx_isolation", "innodb_strict_mode", "innodb_default_row_format", "innodb_file_per_table", "lower_case_table_names", "group_concat_max_len", "default_table_encryption", "restrict_fk_on_non_standard_key", "binlog_transaction_dependency_tracking",
	"replica_parallel_workers", "slave_parallel_workers", "replica_preserve_commit_order", "old_mode", "character_set_collations",
	"sync_binlog", "log_slave_updates", "log_replica_updates", "master_info_repository", "relay_log_info_repository", "require_secure_transport", "tls_version", "default_collation_for_utf8mb4"}

// changedDefaults lists variables that the two servers set otherwise.
func (r *runner) changedDefaults(ctx context.Context, old, new *side) error {
	if len(r.report.Defaults) > 0 {
		return nil
	}
	read := func(s *side) (map[string]string, error) {
		a, err := must(ctx, s.conn, "SHOW GLOBAL VARIABLES")
		if err != nil {
			return nil, err
		}
		values := map[string]string{}
		for _, row := range a.rows {
			values[string(row[0])] = string(row[1])
		}
		return values, nil
	}
	before, err := read(old)
	if err != nil {
		return err
	}
	after, err := read(new)
	if err != nil {
		return err
	}
	slices.Sort(semantic)
	for _, name := range semantic {
		a, inOld := before[name]
		b, inNew := after[name]
		if a == b && inOld == inNew || !inOld && !inNew {
			continue
		}
		if !inOld {
			a = "(no such variable)"
		}
		if !inNew {
			b = "(no such variable)"
		}
		r.report.Defaults = append(r.report.Defaults, Default{Name: name, Old: a, New: b})
	}
	return nil
}
