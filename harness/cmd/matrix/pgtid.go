package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/server"
)

// exitRefused is a question that was answered with no.
const exitRefused = 1

// pgtidMemory keeps the collector from letting memory grow where logs are large: what is held at once is
// small, and what is read is not.
const pgtidMemory = 40 << 20

// pgtidGarbage is how much garbage may lie about before it is collected, in percent of what is in use.
const pgtidGarbage = 300

// pgtid are the flags that its commands share.
type pgtid struct {
	app      *app
	asJSON   bool
	thorough bool
	filters  bool
}

func (a *app) pgtidCommand() *cobra.Command {
	p := &pgtid{app: a}
	c := &cobra.Command{
		Use:   "pgtid",
		Short: "Find where a replica continues on another server, without GTIDs",
		Long: `pgtid works by Pseudo-GTID: entries that an injector writes into the binary log every few seconds (orchestrator's, or
matrix pgtid inject), and that replicate like any statement. It finds a replica's last entry in another server's
binary logs and walks both logs from there, event by event, to the end of the replica's. The answer is the place to
replicate from, or why there is none.

A SERVER is a DSN such as 'user:password@tcp(host:3306)/', or a node of matrix up. It wants REPLICATION SLAVE and
REPLICATION CLIENT, and for relocate what CHANGE MASTER wants. A server that does not log what it replicates is matched by
its relay logs where this runs on its host, else by its source's binary logs.

Exit codes: 0 found, 1 refused, 2 a mistake in the command line, 3 a server that does not answer or cannot be read.`,
		Example: `  matrix pgtid last 'root:secret@tcp(10.0.0.2:3306)/'
  matrix pgtid match replica2 replica1                 nodes of matrix up
  matrix pgtid explain replica2 replica1               both logs side by side where they differ
  matrix pgtid relocate replica2 replica1 --dry-run`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("no command %q: see matrix pgtid --help", args[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			// The collector comes less often while there is room, and as often as it must near the limit.
			debug.SetGCPercent(pgtidGarbage)
			debug.SetMemoryLimit(pgtidMemory)
			return nil
		},
	}
	f := c.PersistentFlags()
	f.BoolVar(&p.asJSON, "json", false, "print the answer, or the refusal, as JSON")
	c.AddCommand(p.injectCommand(), p.lastCommand(), p.findCommand(), p.matchCommand(), p.relocateCommand(), p.explainCommand())
	return c
}

// matcherFlags are for commands that match.
func (p *pgtid) matcherFlags(c *cobra.Command) {
	c.Flags().BoolVar(&p.thorough, "thorough", false, "walk from the oldest entry that both hold, not from a few entries back")
	c.Flags().BoolVar(&p.filters, "allow-filters", false, "where replication filters leave out databases, compare the rest instead of refusing")
}

func (p *pgtid) matcher() pseudogtid.Matcher {
	return pseudogtid.Matcher{Thorough: p.thorough, AllowFilters: p.filters}
}

// open connects to the servers that are named, and closes them when do returns.
func (p *pgtid) open(ctx context.Context, names []string, do func([]*server.Server) error) (err error) {
	endpoints := make([]server.Endpoint, len(names))
	for i, name := range names {
		if endpoints[i], err = p.endpoint(ctx, name); err != nil {
			return err
		}
	}
	servers := make([]*server.Server, len(names))
	defer func() {
		for _, s := range servers {
			if s != nil {
				err = errors.Join(err, s.Close())
			}
		}
	}()
	var group errgroup.Group
	for i, ep := range endpoints {
		group.Go(func() (err error) {
			servers[i], err = server.Open(ctx, ep)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return do(servers)
}

// endpoint reads a DSN, or finds a node of matrix up.
func (p *pgtid) endpoint(ctx context.Context, name string) (server.Endpoint, error) {
	if strings.ContainsAny(name, "@(") {
		return parseDSN(name)
	}
	store, err := p.app.store(ctx)
	if err != nil {
		return server.Endpoint{}, err
	}
	_, node, err := store.Node(name)
	if err != nil {
		return server.Endpoint{}, usageError{fmt.Errorf("%q is no DSN such as 'user:password@tcp(host:3306)/', and no node of matrix up: %w", name, err)}
	}
	return server.Endpoint{Host: node.Host, Port: node.Port, User: node.User, Password: node.Password}, nil
}

// parseDSN reads the form of Go's MySQL driver. Errors never repeat it, since it holds a password.
func parseDSN(dsn string) (server.Endpoint, error) {
	none := server.Endpoint{}
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return none, usageError{fmt.Errorf("a DSN cannot be read: %w: want 'user:password@tcp(host:3306)/'", err)}
	}
	if config.Net != "tcp" {
		return none, usageError{fmt.Errorf("a DSN with the network %q: want 'user:password@tcp(host:3306)/', since logs are read as a replica reads them", config.Net)}
	}
	host, port, err := net.SplitHostPort(config.Addr)
	if err != nil {
		return none, usageError{fmt.Errorf("a DSN with the address %q: %w", config.Addr, err)}
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return none, usageError{fmt.Errorf("a DSN with the port %q: want a number up to 65535", port)}
	}
	return server.Endpoint{Host: host, Port: int(number), User: config.User, Password: config.Passwd}, nil
}

// place reads coordinates such as mysql-bin.000003:4711.
func parsePlace(text string) (server.Coordinates, error) {
	i := strings.LastIndexByte(text, ':')
	if i > 0 {
		if pos, err := strconv.ParseUint(text[i+1:], 10, 64); err == nil && pos >= 4 {
			return server.Coordinates{File: text[:i], Pos: pos}, nil
		}
	}
	return server.Coordinates{}, usageError{fmt.Errorf("coordinates %q: want FILE:POSITION, such as mysql-bin.000003:4711", text)}
}

// refusalJSON is a refusal for scripts.
type refusalJSON struct {
	Refusal   string              `json:"refusal"`
	Reason    string              `json:"reason"`
	Entry     string              `json:"entry,omitempty"`
	OnReplica string              `json:"on_replica,omitempty"`
	OnTarget  string              `json:"on_target,omitempty"`
	Reverse   *server.Coordinates `json:"target_continues_at,omitempty"`
}

// outcome prints an answer, or a refusal as such.
func (p *pgtid) outcome(w io.Writer, err error, answer any, text string) error {
	var refusal *pseudogtid.RefusalError
	switch {
	case errors.As(err, &refusal):
		text = "refused: " + refusal.Error()
		j := refusalJSON{Refusal: refusal.Why.String(), Reason: refusal.Error(), Entry: refusal.Entry}
		if refusal.OnReplica != nil {
			j.OnReplica = refusal.OnReplica.String()
		}
		if refusal.OnTarget != nil {
			j.OnTarget = refusal.OnTarget.String()
		}
		if !refusal.Reverse.IsZero() {
			j.Reverse = &refusal.Reverse
		}
		answer = j
	case err != nil:
		return err
	}
	if p.asJSON {
		if err := printJSON(w, answer); err != nil {
			return err
		}
	} else if _, err := fmt.Fprintln(w, text); err != nil {
		return err
	}
	if refusal != nil {
		return codeError{exitRefused}
	}
	return nil
}
