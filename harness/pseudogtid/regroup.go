package pseudogtid

import (
	"context"
	"errors"
	"fmt"

	"mysqlmatrix/harness/server"
)

// Regrouped is what became of a dead primary's replicas.
type Regrouped struct {
	Primary *server.Server // the one that has most
	Moved   map[*server.Server]server.Coordinates
	Refused map[*server.Server]error // they stay stopped
}

// Regroup finds which of a dead primary's replicas has most and moves the others below it. It stops them
// all. The chosen one keeps its dead source, stopped: to open it for writes is for the caller to decide.
// endpoints say where the replicas are to connect to each of them; one without a user keeps the account.
func (m Matcher) Regroup(ctx context.Context, replicas []*server.Server, endpoint func(*server.Server) server.Endpoint) (*Regrouped, error) {
	if len(replicas) == 0 {
		return nil, errors.New("regroup: no replicas")
	}
	channels := map[*server.Server]string{}
	for _, r := range replicas {
		channel, _, err := pause(ctx, r)
		if err != nil {
			return nil, fmt.Errorf("regroup: %w", err)
		}
		channels[r] = channel
	}
	primary, err := mostAdvanced(ctx, replicas)
	if err != nil {
		return nil, err
	}
	// Coordinates in the dead primary's logs are a guess where a replica was moved about; the walk is not.
	for range replicas {
		result, ahead := m.below(ctx, primary, replicas)
		if ahead == nil {
			return result, m.attach(ctx, result, channels, endpoint)
		}
		primary = ahead
	}
	return nil, errors.New("regroup: every replica says that another one is ahead")
}

// mostAdvanced has executed most of the source's log; among those that log what they replicate, since
// another one cannot be replicated from.
func mostAdvanced(ctx context.Context, replicas []*server.Server) (*server.Server, error) {
	var best *server.Server
	var furthest server.Coordinates
	for _, r := range replicas {
		h, err := aboutOf(ctx, r)
		if err != nil {
			return nil, err
		}
		_, all, err := h.binaryLog(ctx)
		if err != nil {
			return nil, err
		}
		if !all || len(h.sources) != 1 {
			continue
		}
		if best == nil || h.sources[0].Executed.Compare(furthest) > 0 {
			best, furthest = r, h.sources[0].Executed
		}
	}
	if best == nil {
		return nil, errors.New("regroup: none of the replicas logs what it replicates")
	}
	return best, nil
}

// below matches all others below one of them; ahead is one that has more.
func (m Matcher) below(ctx context.Context, primary *server.Server, replicas []*server.Server) (result *Regrouped, ahead *server.Server) {
	result = &Regrouped{Primary: primary, Moved: map[*server.Server]server.Coordinates{}, Refused: map[*server.Server]error{}}
	for _, r := range replicas {
		if r == primary {
			continue
		}
		at, err := m.Match(ctx, r, primary)
		var refusal *RefusalError
		if errors.As(err, &refusal) && refusal.Why == ReplicaAhead && !refusal.Reverse.IsZero() {
			return nil, r
		}
		if err != nil {
			result.Refused[r] = err
			continue
		}
		result.Moved[r] = at
	}
	return result, nil
}

func (m Matcher) attach(ctx context.Context, r *Regrouped, channels map[*server.Server]string, endpoint func(*server.Server) server.Endpoint) error {
	var errs []error
	for s, at := range r.Moved {
		err := s.PointTo(ctx, server.Source{Endpoint: endpoint(r.Primary), At: at, Channel: channels[s]})
		if err == nil {
			err = s.StartReplica(ctx, channels[s])
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
