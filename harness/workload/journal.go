package workload

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"mysqlmatrix/harness/server"
)

// Journal is the table beside t in which every write leaves its number, in the same transaction. It tells
// of each single write whether a server has it, also of one whose row was written again later: what a
// failover has lost is counted by it.
func (t Table) Journal() Table { return Table{t.Database, t.Name + "_journal"} }

// CreateJournal makes the journal of a table.
func CreateJournal(ctx context.Context, s *server.Server, t Table) error {
	return s.Exec(ctx, "CREATE TABLE "+t.Journal().String()+" (number BIGINT NOT NULL PRIMARY KEY, id BIGINT NOT NULL) ENGINE=InnoDB")
}

// Write is one write that was entered into a journal.
type Write struct{ Number, Key int64 }

// Account is what a server has of the writes that were sent. Each list is sorted by number.
type Account struct {
	Acknowledged int     // writes that were acknowledged, by whichever server
	Lost         []Write // acknowledged, and not there
	Unanswered   []Write // never acknowledged, and there: they were in doubt
	Foreign      []Write // there, and never sent
}

// String is a line for people.
func (a Account) String() string {
	return fmt.Sprintf("%d writes acknowledged, %d of them lost; %d unanswered ones kept; %d that nobody sent",
		a.Acknowledged, len(a.Lost), len(a.Unanswered), len(a.Foreign))
}

// Numbers reads the journal of a table.
func Numbers(ctx context.Context, s *server.Server, t Table) (map[int64]int64, error) {
	rows, err := s.DB.QueryContext(ctx, "SELECT number, id FROM "+t.Journal().String())
	if err != nil {
		return nil, fmt.Errorf("read %s on %s: %w", t.Journal(), s.Endpoint.Addr(), err)
	}
	defer rows.Close()
	found := map[int64]int64{}
	for rows.Next() {
		var number, key int64
		if err := rows.Scan(&number, &key); err != nil {
			return nil, fmt.Errorf("read %s on %s: %w", t.Journal(), s.Endpoint.Addr(), err)
		}
		found[number] = key
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read %s on %s: %w", t.Journal(), s.Endpoint.Addr(), err)
	}
	return found, nil
}

// Account compares a server's journal with what was sent and acknowledged.
func (l *Ledger) Account(ctx context.Context, s *server.Server, t Table) (Account, error) {
	found, err := Numbers(ctx, s, t)
	if err != nil {
		return Account{}, err
	}
	return l.Sent().Account(found), nil
}

// Sent are the writes that go into a journal: keys by number.
type Sent struct {
	Acknowledged map[int64]int64 `json:"acknowledged"`
	Unanswered   map[int64]int64 `json:"unanswered"` // in doubt
}

// Sent are the writes until now.
func (l *Ledger) Sent() Sent {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Sent{maps.Clone(l.entered), maps.Clone(l.unanswered)}
}

// Account compares a journal, as Numbers reads it, with what was sent and acknowledged.
func (s Sent) Account(found map[int64]int64) Account {
	a := Account{Acknowledged: len(s.Acknowledged)}
	for number, key := range s.Acknowledged {
		if _, ok := found[number]; !ok {
			a.Lost = append(a.Lost, Write{number, key})
		}
	}
	for number, key := range found {
		if _, ok := s.Acknowledged[number]; ok {
			continue
		}
		if _, ok := s.Unanswered[number]; ok {
			a.Unanswered = append(a.Unanswered, Write{number, key})
		} else {
			a.Foreign = append(a.Foreign, Write{number, key})
		}
	}
	for _, list := range [][]Write{a.Lost, a.Unanswered, a.Foreign} {
		slices.SortFunc(list, func(x, y Write) int { return int(x.Number - y.Number) })
	}
	return a
}
