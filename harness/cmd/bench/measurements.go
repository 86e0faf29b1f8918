package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/bench"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/tool"
)

// golden obtains an entry's server.
func (s *setting) golden(ctx context.Context, e matrix.Entry) (*basedir.Basedir, *sandbox.Golden, error) {
	b, err := s.store.Obtain(ctx, e, s.project)
	if err != nil {
		return nil, nil, err
	}
	golden, err := s.farm.Golden(ctx, b, sandbox.ProfileFast)
	return b, golden, err
}

// provisioning measures every available entry, or the one that is named.
func (s *setting) provisioning(ctx context.Context, m *matrix.Matrix) (results []bench.Result, memories []bench.Memory, err error) {
	for _, e := range m.Entries {
		if s.entry != "" && e.Name != s.entry {
			continue
		}
		b, golden, err := s.golden(ctx, e)
		var unavailable *basedir.UnavailableError
		if errors.As(err, &unavailable) {
			say(e.Name + ": unavailable here")
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		one := &bench.Bench{Basedir: b, Golden: golden, Root: s.root, Dbdeployer: s.dbdeployer, Rounds: s.rounds, Log: say}
		r, memory, err := one.Run(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		memory.Name += ", a node, profile fast"
		results, memories = append(results, r...), append(memories, memory)
	}
	return results, memories, nil
}

// cell plans the one cell of an entry, a suite and a tool, "name=version" or the name alone.
func (s *setting) cell(m *matrix.Matrix, entry, suite, tool string) (matrix.Cell, error) {
	cells, err := m.Plan(matrix.Selection{Entries: []string{entry}, Suites: []string{suite}, Tools: []string{tool}})
	if err != nil {
		return matrix.Cell{}, err
	}
	if len(cells) != 1 {
		return matrix.Cell{}, fmt.Errorf("%s with %s names %d cells: want an entry and one version of the tool", entry, tool, len(cells))
	}
	return cells[0], nil
}

// matching measures a Pseudo-GTID match across a long history against orchestrator.
func (s *setting) matching(ctx context.Context, m *matrix.Matrix) ([]bench.Result, []bench.Memory, error) {
	orchestrator, err := m.ResolveTool("orchestrator")
	if err != nil {
		return nil, nil, err
	}
	cell, err := s.cell(m, s.history, "pseudogtid", orchestrator.Flag())
	if err != nil {
		return nil, nil, err
	}
	b, golden, err := s.golden(ctx, cell.Entry)
	if err != nil {
		return nil, nil, err
	}
	h := s.match
	h.Matrix = filepath.Join(s.project, "bin", "matrix")
	if h.Orchestrator, err = s.tools.Obtain(ctx, cell.Tool); err != nil {
		return nil, nil, err
	}
	one := &bench.Bench{Basedir: b, Golden: golden, Root: s.root, Log: say}
	r, memory, err := one.Match(ctx, h)
	if err != nil {
		return nil, nil, err
	}
	return []bench.Result{*r}, []bench.Memory{*memory}, nil
}

// upstreamTests measures gh-ost's own tests on an entry, with a version of gh-ost: "mysql-9.7=v1.1.10".
func (s *setting) upstreamTests(ctx context.Context, m *matrix.Matrix) ([]bench.Result, []bench.Memory, error) {
	entry, version, _ := strings.Cut(s.upstream, "=")
	cell, err := s.cell(m, entry, "migration", migration.NameGhost+"="+version)
	if err != nil {
		return nil, nil, err
	}
	_, golden, err := s.golden(ctx, cell.Entry)
	if err != nil {
		return nil, nil, err
	}
	program, err := s.tools.Obtain(ctx, cell.Tool)
	if err != nil {
		return nil, nil, err
	}
	sysbench, err := s.tools.System(ctx, "sysbench")
	var unavailable *tool.UnavailableError
	if err != nil && !errors.As(err, &unavailable) {
		return nil, nil, err
	}
	if err != nil {
		say(err.Error())
	}
	one := &bench.Upstream{Golden: golden, Program: program, Sysbench: sysbench, Root: s.root, Matrix: filepath.Join(s.project, "bin", "matrix"),
		Project: s.project, Only: s.folders, Log: say}
	r, err := one.Run(ctx)
	return r, nil, err
}
