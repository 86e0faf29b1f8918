package usertables

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/topology"
)

// LoadError is a dump that the server did not take.
type LoadError struct {
	File    string
	Line    int    // 0 when the client did not say
	Text    string // of the line, its beginning
	Server  string
	Message string // the server's or the client's own
}

// Error is the place, the server's message and the line.
func (e *LoadError) Error() string {
	place := e.File
	if e.Line > 0 {
		place += ":" + strconv.Itoa(e.Line)
	}
	text := fmt.Sprintf("%s: %s: %s", place, e.Server, e.Message)
	if e.Text != "" {
		text += "\n  " + e.Text
	}
	return text
}

// clientError is how the mysql client tells of a server's refusal, or without a code of its own.
var clientError = regexp.MustCompile(`(?m)^ERROR(?: (.*))? at line (\d+)(?: in file: '.*')?: (.*)$`)

// load puts the schema on the primary by the server's own client: dumps have DELIMITER and conditional comments.
// Tables of a dump that names no database go into DefaultDatabase.
func (s *Schema) load(ctx context.Context, t *topology.Topology, scope string, say func(string, ...any)) error {
	primary := t.Primary()
	if err := primary.Server.Exec(ctx, "CREATE DATABASE IF NOT EXISTS `"+DefaultDatabase+"`"); err != nil {
		return err
	}
	for _, file := range s.files {
		if err := loadFile(ctx, primary, file, scope, say); err != nil {
			return err
		}
	}
	if err := t.WaitCaughtUp(ctx); err != nil {
		return fmt.Errorf("the replica does not follow what %s loaded: %w", s.Path, err)
	}
	return nil
}

func loadFile(ctx context.Context, n *topology.Node, file, scope string, say func(string, ...any)) (err error) {
	in, err := open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	defer every(progressEvery, func() { say("loading %s: %d%%", file, in.progress()) })()
	output, err := proc.Run(ctx, proc.Cmd{
		Path: filepath.Join(n.Sandbox.Dir(), "use"),
		// In binary mode the client knows no commands but DELIMITER: a dump cannot have it run a program.
		// MySQL 9.7's wants to be told that even this one is allowed.
		Args: []string{"--batch", "--binary-mode", "--loose-commands", "--default-character-set=utf8mb4",
			"--max-allowed-packet=1G", DefaultDatabase},
		Env: []string{"MYSQL_EDITOR=", "MYCLIENT_OPTIONS="}, Scope: scope, Stdin: replicated(in),
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	refused := &LoadError{File: file, Server: n.Server.Flavor.String(), Message: printable(proc.Tail(output, 3))}
	if found := clientError.FindStringSubmatch(output); found != nil {
		if refused.Message = printable(found[3]); found[1] != "" {
			refused.Message += " (" + printable(found[1]) + ")"
		}
		if number, err := strconv.Atoi(found[2]); err == nil {
			refused.Line, refused.Text = number, line(file, number)
		}
	}
	if strings.TrimSpace(refused.Message) == "" {
		return fmt.Errorf("load %s: %w", file, err)
	}
	return refused
}
