package usertables

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"mysqlmatrix/harness/server"
)

// Pool keeps servers from one run for the next one of the same server, so that many short runs need not start servers for
// each. A place is used again only where it is as it was when it was deployed: no database, the same accounts, the same
// global variables. One that had a failed change, options of its own or a tool's left-over is not.
type Pool struct {
	mu     sync.Mutex
	places map[string][]*place
}

// take is a place that is as new, nil when there is none.
func (p *Pool) take(ctx context.Context, key string) (*place, error) {
	if p == nil {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.places[key]
	if len(list) == 0 {
		return nil, nil
	}
	kept := list[len(list)-1]
	p.places[key] = list[:len(list)-1]
	if err := kept.renew(ctx); err != nil {
		return nil, kept.leave(false) // it is not as new, whatever the reason
	}
	return kept, nil
}

func (p *Pool) put(key string, kept *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.places == nil {
		p.places = map[string][]*place{}
	}
	kept.own = nil
	p.places[key] = append(p.places[key], kept)
}

// Close ends the servers.
func (p *Pool) Close() (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, list := range p.places {
		for _, kept := range list {
			if closed := kept.leave(false); err == nil {
				err = closed
			}
		}
	}
	p.places = nil
	return err
}

// renew drops what a run has left, and says whether every node is what it was when it was deployed.
func (p *place) renew(ctx context.Context) error {
	nodes := []*server.Server{p.primary, p.replica, p.model}
	for _, s := range nodes[1:] {
		if err := s.StopReplica(ctx, ""); err != nil {
			return err
		}
	}
	for i, s := range nodes {
		if err := dropDatabases(ctx, s); err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		if err := s.Exec(ctx, "SET GLOBAL innodb_strict_mode = OFF"); err != nil {
			return err
		}
		if err := p.follows(ctx, s); err != nil {
			return err
		}
	}
	if err := p.topology.WaitCaughtUp(ctx); err != nil {
		return err
	}
	now, err := p.state(ctx)
	if err != nil {
		return err
	}
	for i := range now {
		if !maps.Equal(now[i], p.deployed[i]) {
			return fmt.Errorf("%s is not as it was deployed", nodes[i].Endpoint.Addr())
		}
	}
	return nil
}

func dropDatabases(ctx context.Context, s *server.Server) error {
	rows, err := s.Rows(ctx, "SHOW DATABASES")
	if err != nil {
		return err
	}
	statements := []string{"SET SESSION foreign_key_checks = 0", "SET SESSION sql_log_bin = 0"}
	for _, row := range rows {
		if name := row["Database"]; !slices.Contains(standing, name) {
			statements = append(statements, "DROP DATABASE "+server.Ident(name))
		}
	}
	return session(ctx, s, statements...)
}

// changing are global variables that change by themselves.
var changing = regexp.MustCompile(`^(gtid|.*gtid.*|timestamp|.*_pos|innodb_buffer_pool_load.*|rand_seed.*|pseudo_thread_id|last_insert_id|.*_uuid)`)

// state is what outlives a run on each node: global variables, accounts and databases.
func (p *place) state(ctx context.Context) (list []map[string]string, err error) {
	for _, s := range []*server.Server{p.primary, p.replica, p.model} {
		state := map[string]string{}
		variables, err := s.Rows(ctx, "SHOW GLOBAL VARIABLES")
		if err != nil {
			return nil, err
		}
		for _, row := range variables {
			if name := strings.ToLower(row["Variable_name"]); !changing.MatchString(name) {
				state[name] = row["Value"]
			}
		}
		for what, query := range map[string]string{"account ": "SELECT CONCAT(user, '@', host) AS name FROM mysql.user",
			"database ": "SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA",
			"routine ":  "SELECT CONCAT(ROUTINE_SCHEMA, '.', ROUTINE_NAME) AS name FROM information_schema.ROUTINES"} {
			rows, err := s.Rows(ctx, query)
			if err != nil {
				return nil, err
			}
			for _, row := range rows {
				state[what+row["name"]] = ""
			}
		}
		list = append(list, state)
	}
	return list, nil
}
