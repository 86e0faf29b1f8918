package declared

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
)

// watch keeps the audits current until ctx ends.
func (m *Manager) watch(ctx context.Context) {
	tick := time.NewTicker(askInterval)
	defer tick.Stop()
	for {
		list, err := m.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		m.enter(list, err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// enter keeps an answer. Times are of when it first told.
func (m *Manager) enter(list []failover.Audit, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.silent = err.Error()
		return
	}
	m.silent = ""
	for i := range list {
		list[i].State.Now = time.Now()
		if i < len(m.audits) {
			list[i].State.Now = m.audits[i].State.Now
		}
	}
	m.audits = list
}

// ask asks once, and reads the answer.
func (m *Manager) ask(ctx context.Context) ([]failover.Audit, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var text []byte
	var err error
	if m.declare.Ask.URL != "" {
		text, err = get(ctx, matrix.Expand(m.declare.Ask.URL, m.values))
	} else {
		text, err = m.command(ctx)
	}
	if err != nil {
		return nil, err
	}
	var list []map[string]any
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("its answer is no JSON array of objects: %w: %.200s", err, text)
	}
	audits := make([]failover.Audit, 0, len(list))
	for _, one := range list {
		audits = append(audits, m.audit(one))
	}
	return audits, nil
}

func (m *Manager) command(ctx context.Context) ([]byte, error) {
	var args []string
	for _, text := range m.declare.Ask.Command {
		args = append(args, matrix.Expand(text, m.values))
	}
	var out strings.Builder
	_, err := proc.Run(ctx, proc.Cmd{Path: args[0], Args: args[1:], Dir: m.config.Dir, Env: m.config.Program.Env, Scope: m.config.Scope, Stdout: &out})
	return []byte(out.String()), err
}

func get(ctx context.Context, url string) (text []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if text, err = io.ReadAll(response.Body); err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: status %s: %.200s", url, response.Status, text)
	}
	return text, err
}

// audit reads one object of an answer. Whom the replicas are to follow after a recovery is for others to look.
func (m *Manager) audit(one map[string]any) failover.Audit {
	fields := m.declare.Recovery
	a := failover.Audit{Done: true, Error: text(one, fields.Error), Plan: failover.Plan{Action: failover.Promote, Problem: failover.DeadPrimary,
		Dead: m.nameOf(text(one, fields.Dead)), Promote: m.nameOf(text(one, fields.Promoted)), Reason: text(one, fields.Reason)}}
	if a.Plan.Promote == "" {
		a.Plan.Action, a.Plan.Problem = failover.Alert, failover.OtherProblem
		return a
	}
	if fields.Done != "" {
		a.Done = text(one, fields.Done) == "true"
	}
	if list, ok := field(one, fields.Followers).([]any); ok {
		for _, follower := range list {
			a.Followers = append(a.Followers, m.nameOf(fmt.Sprint(follower)))
		}
		a.Plan.Repoint = a.Followers
	}
	return a
}

// text is a field of an object as text, "" where it is not there or null.
func text(object any, path string) string {
	if value := field(object, path); value != nil {
		return fmt.Sprint(value)
	}
	return ""
}

// field is a field of an object, or of one of its fields; nil where it is not there.
func field(object any, path string) any {
	if path == "" {
		return nil
	}
	for name := range strings.SplitSeq(path, ".") {
		fields, ok := object.(map[string]any)
		if !ok {
			return nil
		}
		object = fields[name]
	}
	return object
}

// nameOf is a server's name, by its name or its address.
func (m *Manager) nameOf(server string) string {
	for _, one := range m.config.Members {
		if server == one.Endpoint.Addr() || server == one.Replication.Addr() {
			return one.Name
		}
	}
	return server
}
