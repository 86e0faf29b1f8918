package orchestrator

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
)

// matchedAt are the coordinates at the end of what orchestrator says of a match ("Instance … matched below …
// at mysql-bin.000002:4711", MatchBelow in its http/api.go).
var matchedAt = regexp.MustCompile(`at ([^ ]+):(\d+)$`)

// moveLimit bounds one move: logs are walked page by page.
const moveLimit = 10 * time.Minute

// Match moves a replica below another server by Pseudo-GTID, and says where it continues there.
func (o *Manager) Match(ctx context.Context, replica, below failover.Member) (at server.Coordinates, err error) {
	return o.move(ctx, "match", replica, below)
}

// Relocate moves a replica below another server by the way that orchestrator likes best. Only some ways say
// where it continues.
func (o *Manager) Relocate(ctx context.Context, replica, below failover.Member) error {
	_, err := o.move(ctx, "relocate", replica, below)
	return err
}

func (o *Manager) move(ctx context.Context, command string, replica, below failover.Member) (at server.Coordinates, err error) {
	ctx, cancel := context.WithTimeout(ctx, moveLimit)
	defer cancel()
	var got answer
	if err := o.api.ask(ctx, command+"/"+keyOf(replica)+"/"+keyOf(below), &got); err != nil {
		return at, err
	}
	if got.Code != "OK" {
		return at, fmt.Errorf("orchestrator: %s %s below %s: %s; last lines of its log:\n%s", command, replica.Name, below.Name, got.Message, o.LogTail())
	}
	if match := matchedAt.FindStringSubmatch(got.Message); match != nil {
		at.File = match[1]
		at.Pos, err = strconv.ParseUint(match[2], 10, 64)
	}
	return at, err
}

// Refresh has it look at a server at once.
func (o *Manager) Refresh(ctx context.Context, m failover.Member) error {
	return o.api.do(ctx, "refresh", keyOf(m), nil)
}
