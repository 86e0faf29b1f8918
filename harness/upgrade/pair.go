package upgrade

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mysqlmatrix/harness/dump"
	"mysqlmatrix/harness/sandbox"
)

// Load loads a dump into a running server. A statement that it refuses is an error.
func Load(ctx context.Context, s *sandbox.Sandbox, source *dump.Source) (err error) {
	session, err := open(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.close()) }()
	l, err := load(ctx, session.conn, source, session.flavor, time.Now())
	if err != nil {
		return err
	}
	for _, r := range l.refusals {
		return fmt.Errorf("%s:%d: ERROR %d: %s", r.file, r.line, r.number, r.message)
	}
	for _, s := range l.skipped {
		return fmt.Errorf("%s:%d: not run: %s", s.file, s.line, s.why)
	}
	return nil
}

// Compare compares two running servers: objects, every row, what views give, what routines and triggers do.
func Compare(ctx context.Context, old, new *sandbox.Sandbox, way string) (found []Finding, err error) {
	var sides [4]*side // two for the comparison, two for what is tried to explain it
	for i, s := range []*sandbox.Sandbox{old, new, old, new} {
		if sides[i], err = open(ctx, s); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, sides[i].close()) }()
	}
	e, err := newExplainer(ctx, sides[2], sides[3])
	if err != nil {
		return nil, err
	}
	c := &comparison{way: way, old: sides[0], new: sides[1], explain: e, all: &findings{}, absent: map[string]bool{}, differing: map[string]string{},
		dump: &loaded{defines: map[string]statement{}}}
	if err := c.state(ctx); err != nil {
		return nil, err
	}
	err = c.activities(ctx)
	return c.all.sorted(), err
}

// Counted are the findings that make two servers differ.
func Counted(list []Finding) []Finding {
	var counted []Finding
	for _, f := range list {
		if f.Grade.counts() {
			counted = append(counted, f)
		}
	}
	return counted
}

// SystemTables brings the system tables of a server up to date that runs on an older one's data directory; detail says what could
// not be done.
func SystemTables(ctx context.Context, s *sandbox.Sandbox, scope string) (detail string, err error) {
	session, err := open(ctx, s)
	if err != nil {
		return "", err
	}
	detail, err = systemTables(ctx, &running{s, session}, scope)
	return detail, errors.Join(err, session.close())
}

// Exec runs statements in one session of the account that may do everything.
func Exec(ctx context.Context, s *sandbox.Sandbox, statements ...string) error {
	session, err := open(ctx, s)
	if err != nil {
		return err
	}
	return errors.Join(execAll(ctx, session.conn, statements...), session.close())
}
