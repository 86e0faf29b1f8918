package pseudogtid

import (
	"context"
	"slices"

	"mysqlmatrix/harness/server"
)

// Last finds the newest entry in a server's binary logs; nil when there is none.
func Last(ctx context.Context, s *server.Server) (*Entry, error) {
	l, err := Open(ctx, s)
	if err != nil {
		return nil, err
	}
	return l.Last(ctx)
}

// Find finds an entry in a server's binary logs; nil when they do not hold it.
func Find(ctx context.Context, s *server.Server, hint string) (*Entry, error) {
	l, err := Open(ctx, s)
	if err != nil {
		return nil, err
	}
	return l.Find(ctx, hint)
}

// Last finds the newest entry of the log; nil when there is none.
func (l *Log) Last(ctx context.Context) (*Entry, error) {
	entries, err := l.newest(ctx, 1)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	return &entries[len(entries)-1], nil
}

// entries are those of one file, up to the log's end, until see says that it has seen enough. What is read on the
// way is kept on the tape, which may be nil.
func (l *Log) entries(ctx context.Context, file string, oneFile bool, kept *tape, see func(Entry) (enough bool)) error {
	d := newDecoder(l.MariaDB)
	return l.scan(ctx, server.Coordinates{File: file, Pos: start}, oneFile, func(e event) error {
		kept.record(e)
		statement, err := d.statementOf(e)
		if err != nil {
			return located(err, l, e.start)
		}
		if hint := hintOf(statement); hint != "" {
			if see(Entry{Hint: hint, End: e.end, time: e.header.Timestamp}) {
				return errStop
			}
		}
		return nil
	})
}

// newest are the newest entries, up to n of them, oldest first: those that stand near the very newest in its log,
// and the last of the log before when that whole log is near. Without a limit of n they are all that there are.
func (l *Log) newest(ctx context.Context, n int) ([]Entry, error) {
	var found []Entry
	for i := len(l.files) - 1; i >= 0; i-- {
		var here []Entry
		var kept *tape
		if i == len(l.files)-1 && l.tail == nil {
			kept = &tape{file: l.files[i]}
		}
		if err := l.entries(ctx, l.files[i], true, kept, func(e Entry) bool {
			if here = append(here, e); n != unlimited && len(here) > n {
				here = here[1:]
			}
			return false
		}); err != nil {
			return nil, err
		}
		if kept != nil {
			l.tail = kept
		}
		if n == unlimited {
			found = append(here, found...)
			continue
		}
		if len(found) > 0 {
			// This is the log before.
			return append(here[max(0, len(here)-1):], found...), nil
		}
		if len(here) == 0 {
			continue
		}
		last := here[len(here)-1].End.Pos
		found = slices.DeleteFunc(here, func(e Entry) bool { return last-e.End.Pos > lookbackBytes })
		// A log is read from its beginning, so that the end of a long one costs as much as all of it.
		if len(found) >= n || i == 0 || last+l.sizes[i-1] > lookbackBytes {
			break
		}
	}
	return found, nil
}

// unlimited asks for every entry.
const unlimited = 0

// first finds the first entry at or after the i-th log.
func (l *Log) first(ctx context.Context, i int) (found *Entry, err error) {
	err = l.entries(ctx, l.files[i], false, nil, func(e Entry) bool { found = &e; return true })
	return found, err
}

// Find finds an entry by its hint; nil when the log does not hold it.
func (l *Log) Find(ctx context.Context, hint string) (*Entry, error) {
	found, err := l.findAny(ctx, []string{hint})
	if err != nil || found == nil {
		return nil, err
	}
	return &found.entry, nil
}

// foundEntry is an entry and which of several hints it has.
type foundEntry struct {
	entry Entry
	first int // which of the hints it is
}

// guessing is up to how many logs the newest is looked at first, where most entries are. It costs an opening of a
// log when that is wrong, which halving makes up for up to here: no search opens more than a dozen logs of 1,000.
const guessing = 500

// findAny finds the last of some hints (oldest first), and answers with the oldest of them that stands in
// the same file or in the one before it. The hints ascend, so that the file is found by halving: the last
// one whose first entry is not greater. Where clocks were set back they do not, and every file is searched.
func (l *Log) findAny(ctx context.Context, hints []string) (*foundEntry, error) {
	if len(l.files) == 0 {
		return nil, nil
	}
	wanted := hints[len(hints)-1]
	if len(hints) > lookback {
		return l.oldestOf(ctx, hints)
	}
	low, high := 0, len(l.files)-1
	for step := 0; low < high; step++ {
		middle := (low + high + 1) / 2
		if step == 0 && len(l.files) <= guessing {
			middle = high
		}
		first, err := l.first(ctx, middle)
		if err != nil {
			return nil, err
		}
		if first == nil || later(first.Hint, wanted) {
			high = middle - 1
		} else {
			low = middle
		}
	}
	for _, i := range l.byLikelihood(low) {
		oldest, whole, err := l.search(ctx, i, hints)
		if err != nil {
			return nil, err
		}
		if !whole {
			continue
		}
		if oldest.first > 0 && i > 0 {
			// What is older may stand in the log before.
			if older, _, err := l.search(ctx, i-1, hints[:oldest.first]); err != nil {
				return nil, err
			} else if older != nil {
				oldest = older
			}
		}
		return oldest, nil
	}
	return nil, nil
}

// oldestOf is findAny from the oldest log on: it wants the first of many hints that is there, and the last.
func (l *Log) oldestOf(ctx context.Context, hints []string) (*foundEntry, error) {
	last, err := l.findAny(ctx, hints[len(hints)-1:])
	if err != nil || last == nil {
		return nil, err
	}
	for i := range l.files {
		oldest, _, err := l.search(ctx, i, hints)
		if err != nil || oldest != nil {
			return oldest, err
		}
	}
	return nil, nil
}

// byLikelihood lists all files, the likely one first, then its neighbours, then the others, newest first.
func (l *Log) byLikelihood(likely int) []int {
	var order []int
	for _, i := range []int{likely, likely - 1, likely + 1} {
		if i >= 0 && i < len(l.files) {
			order = append(order, i)
		}
	}
	for i := len(l.files) - 1; i >= 0; i-- {
		if !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	return order
}

// search looks for hints in one file. oldest is the oldest of them that is there, nil when none is; whole
// says whether the last of them is there.
func (l *Log) search(ctx context.Context, i int, hints []string) (oldest *foundEntry, whole bool, err error) {
	wanted := hints[len(hints)-1]
	err = l.entries(ctx, l.files[i], true, nil, func(e Entry) bool {
		n := slices.Index(hints, e.Hint)
		if n >= 0 && (oldest == nil || n < oldest.first) {
			oldest = &foundEntry{entry: e, first: n}
		}
		whole = whole || e.Hint == wanted
		return whole
	})
	return oldest, whole, err
}
