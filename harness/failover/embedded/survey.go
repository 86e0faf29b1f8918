package embedded

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
)

const (
	// surveyInterval is how often a server is asked for what no decision rests on.
	surveyInterval = 2 * time.Second
	// longWait is how long a statement waits before that is a sign that nothing is committed.
	longWait = 5 * time.Second
)

// runSurvey surveys the server until ctx ends, on a connection of its own: some of the queries wait for locks, and a poll must not.
// What is not answered stays as it was; that a server does not answer is for polls to say. One whose binary log waits for space on
// its disk answers no poll, which asks for the log's position, and says here what waits.
func (p *poller) runSurvey(ctx context.Context) {
	tick := time.NewTicker(surveyInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := p.surveyOnce(ctx); err != nil && !p.observation().Reachable {
			p.mu.Lock()
			p.survey.Waiting, p.survey.Wait = 0, ""
			p.mu.Unlock()
		}
	}
}

func (p *poller) surveyOnce(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, surveyInterval)
	defer cancel()
	endpoint := p.member.Endpoint
	endpoint.Limit = surveyInterval
	s, err := server.Open(ctx, endpoint)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, ask := range []func(context.Context, *server.Server, *failover.Survey) error{surveyWaits, surveyNetTimeout, surveyEvents} {
		found := p.observation().Survey
		if err := ask(ctx, s, &found); err != nil {
			return err
		}
		p.mu.Lock()
		p.survey = found
		p.mu.Unlock()
	}
	return nil
}

func surveyNetTimeout(ctx context.Context, s *server.Server, to *failover.Survey) error {
	seconds, err := s.Variable(ctx, s.Dialect.ReplicaNetTime)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(seconds)
	if err != nil {
		return fmt.Errorf("server %s: %s: %w", s.Endpoint.Addr(), s.Dialect.ReplicaNetTime, err)
	}
	to.NetTimeout = time.Duration(n) * time.Second
	return nil
}

// surveyEvents reads the events. A replica has those of its source as SLAVESIDE_DISABLED or REPLICA_SIDE_DISABLED.
func surveyEvents(ctx context.Context, s *server.Server, to *failover.Survey) error {
	rows, err := s.Rows(ctx, "SELECT CONCAT(EVENT_SCHEMA, '.', EVENT_NAME) AS name, STATUS AS status FROM information_schema.EVENTS "+
		"WHERE @@GLOBAL.event_scheduler = 'ON' AND STATUS <> 'DISABLED' ORDER BY 1")
	if err != nil {
		return err
	}
	to.Events, to.IdleEvents = nil, nil
	for _, row := range rows {
		if row["status"] == "ENABLED" {
			to.Events = append(to.Events, row["name"])
		} else {
			to.IdleEvents = append(to.IdleEvents, row["name"])
		}
	}
	return nil
}

// commitWaits are states of a statement that waits to be committed, or for a lock that keeps everybody from it. A full disk and
// frozen storage show as the first ones.
var commitWaits = []string{"waiting for handler commit", "commit", "waiting for commit lock", "waiting for global read lock", "waiting for backup lock",
	"waiting for semi-sync ack", "waiting for free space"}

func surveyWaits(ctx context.Context, s *server.Server, to *failover.Survey) error {
	rows, err := s.Rows(ctx, "SHOW PROCESSLIST")
	if err != nil {
		return err
	}
	to.Waiting, to.Wait = 0, ""
	for _, row := range rows {
		seconds, _ := strconv.ParseFloat(row["Time"], 64) // a thread that waits for work has none
		if row["Command"] != "Query" && row["Command"] != "Execute" || row["User"] == "system user" || time.Duration(seconds)*time.Second < longWait {
			continue
		}
		state := strings.ToLower(row["State"])
		for _, wait := range commitWaits {
			if strings.HasPrefix(state, wait) {
				to.Waiting++
				to.Wait = row["State"]
				break
			}
		}
	}
	return nil
}
