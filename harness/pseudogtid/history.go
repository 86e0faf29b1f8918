package pseudogtid

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mysqlmatrix/harness/server"
)

// history is what a server has executed, as far as logs tell.
type history struct {
	server   *server.Server
	serverID uint32
	sources  []server.ReplicaStatus
	log      *Log
	own      bool // the log is the server's binary log, and not what its source has
	// local is, for a server that does not log replicated events, the log of what it wrote itself.
	local *Log
	close func() error
}

// replicates says whether the server has a source.
func (h *history) replicates() bool { return len(h.sources) > 0 }

// aboutOf reads what a server is in its topology, without opening a log.
func aboutOf(ctx context.Context, s *server.Server) (*history, error) {
	h := &history{server: s, close: func() error { return nil }}
	id, err := s.Variable(ctx, "server_id")
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("server %s: server_id %q: %w", s.Endpoint.Addr(), id, err)
	}
	h.serverID = uint32(number)
	h.sources, err = s.ReplicaStatus(ctx)
	return h, err
}

func on(ctx context.Context, s *server.Server, variable string) (bool, error) {
	value, err := s.Variable(ctx, variable)
	return value == "1" || strings.EqualFold(value, "ON"), err
}

// binaryLog opens the server's binary logs, nil when they are off. logsAll says whether they hold what it
// replicates.
func (h *history) binaryLog(ctx context.Context) (l *Log, logsAll bool, err error) {
	enabled, err := on(ctx, h.server, "log_bin")
	if err != nil || !enabled {
		return nil, false, err
	}
	if logsAll, err = on(ctx, h.server, h.server.Dialect.LogUpdates); err != nil {
		return nil, false, err
	}
	l, err = Open(ctx, h.server)
	return l, logsAll || !h.replicates(), err
}

// replicaHistory opens what a replica has executed: its binary logs when it logs what it replicates, else
// its relay logs or its source's binary logs up to where it has executed them, whichever hold an entry.
func (m Matcher) replicaHistory(ctx context.Context, s *server.Server) (*history, error) {
	h, err := aboutOf(ctx, s)
	if err != nil {
		return nil, err
	}
	l, all, err := h.binaryLog(ctx)
	if err != nil {
		return nil, err
	}
	if all {
		h.log, h.own = l, true
		return h, nil
	}
	h.local = l
	if len(h.sources) != 1 {
		return nil, &RefusalError{Why: NoLog, Replica: s.Endpoint.Addr(),
			Detail: fmt.Sprintf("%s writes no binary log of what it replicates, and has %d sources, not one", s.Endpoint.Addr(), len(h.sources))}
	}
	relay, relayErr := relayLog(ctx, s, h.sources[0])
	if relayErr == nil {
		entries, err := relay.newest(ctx, 1)
		if err == nil && len(entries) > 0 {
			h.log = relay
			return h, nil
		}
		relayErr = errors.Join(err, errors.New("they hold no Pseudo-GTID entry"))
	}
	source, sourceErr := m.open(ctx, s, h.sources[0])
	if sourceErr == nil {
		h.close = source.Close
		if h.log, sourceErr = openUpTo(ctx, source, h.sources[0].Executed); sourceErr == nil {
			h.log.Name = fmt.Sprintf("%s (what it has executed of %s)", s.Endpoint.Addr(), h.log.Name)
			return h, nil
		}
	}
	return nil, errors.Join(&RefusalError{Why: NoLog, Replica: s.Endpoint.Addr(),
		Detail: fmt.Sprintf("%s writes no binary log of what it replicates; its relay logs: %v; the log of its source: %v",
			s.Endpoint.Addr(), relayErr, sourceErr)}, h.close())
}

// targetHistory opens what a server below which a replica may be put has in its binary logs.
func targetHistory(ctx context.Context, s *server.Server) (*history, error) {
	h, err := aboutOf(ctx, s)
	if err != nil {
		return nil, err
	}
	l, all, err := h.binaryLog(ctx)
	switch {
	case err != nil:
		return nil, err
	case l == nil:
		return nil, &RefusalError{Why: NoLog, Detail: "binary logging is off on the target"}
	case !all:
		return nil, &RefusalError{Why: NoLog, Detail: fmt.Sprintf("the target is a replica and does not log replicated events (%s is off): a server below it would get nothing",
			s.Dialect.LogUpdates)}
	}
	h.log = l
	return h, nil
}

// open connects to a replica's source.
func (m Matcher) open(ctx context.Context, s *server.Server, status server.ReplicaStatus) (*server.Server, error) {
	ep := s.Endpoint.Other(status.SourceHost, status.SourcePort)
	if m.Source != nil {
		return m.Source(ctx, ep)
	}
	return server.Open(ctx, ep)
}

// relayLog opens a replica's relay logs up to where they are applied. Only its own host can read them: no
// protocol sends them, and SHOW RELAYLOG EVENTS leaves out the contents of rows.
func relayLog(ctx context.Context, s *server.Server, status server.ReplicaStatus) (*Log, error) {
	base, err := s.Variable(ctx, "relay_log_basename")
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(base)
	if base == "" || !filepath.IsAbs(dir) {
		if dir, err = s.Variable(ctx, "datadir"); err != nil {
			return nil, err
		}
	}
	at := status.Relay
	at.File = path.Base(at.File)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("they can be read only on its own host: %w", err)
	}
	prefix := strings.TrimSuffix(at.File, filepath.Ext(at.File)) + "."
	var files []string
	for _, entry := range entries {
		name := entry.Name()
		number, ok := strings.CutPrefix(name, prefix)
		if _, err := strconv.ParseUint(number, 10, 64); ok && err == nil && (server.Coordinates{File: name}).Compare(server.Coordinates{File: at.File}) <= 0 {
			files = append(files, name)
		}
	}
	slices.SortFunc(files, func(a, b string) int { return server.Coordinates{File: a}.Compare(server.Coordinates{File: b}) })
	if !slices.Contains(files, at.File) {
		return nil, fmt.Errorf("they can be read only on its own host: no %s in %s here", at.File, dir)
	}
	return OpenFiles(s.Endpoint.Addr()+" (relay log)", s.Flavor.IsMariaDB(), dir, files, at)
}

// moved says whether the server has executed anything since the history was opened.
func (h *history) moved(ctx context.Context) (bool, error) {
	if h.own {
		now, err := Open(ctx, h.server)
		if err != nil || now.end == h.log.end {
			return false, err
		}
		// MariaDB writes a checkpoint into a new log some time after it has begun it: nothing was executed by that.
		c, err := now.walk(ctx, h.log.end)
		if err != nil {
			return false, err
		}
		defer c.close()
		item, err := c.next(ctx)
		return item != nil, err
	}
	statuses, err := h.server.ReplicaStatus(ctx)
	if err != nil || len(statuses) != 1 {
		return true, err
	}
	return statuses[0].Executed != h.sources[0].Executed, nil
}

// wroteItself is the first thing that a server which does not log replicated events wrote of its own since
// a time; nil when it wrote nothing.
func (h *history) wroteItself(ctx context.Context, since uint32) (*Item, error) {
	if h.local == nil || len(h.local.files) == 0 {
		return nil, nil
	}
	c, err := h.local.walk(ctx, server.Coordinates{File: h.local.files[0], Pos: start})
	if err != nil {
		return nil, err
	}
	defer c.close()
	for {
		item, err := c.next(ctx)
		if err != nil || item == nil || item.Time >= since {
			return item, err
		}
	}
}

// errantAt is what a replica's log has at coordinates, when the replica wrote it itself; nil otherwise.
func (h *history) errantAt(ctx context.Context, at server.Coordinates) (*Item, error) {
	if !h.replicates() {
		return nil, nil
	}
	c, err := h.log.walk(ctx, at)
	if err != nil {
		return nil, err
	}
	defer c.close()
	item, err := c.next(ctx)
	if err != nil || item == nil || item.ServerID != h.serverID {
		return nil, err
	}
	return item, nil
}
