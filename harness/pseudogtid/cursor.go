package pseudogtid

import (
	"context"
	"errors"
	"fmt"
	"io"

	"mysqlmatrix/harness/server"
)

// cursor gives a log's items one by one. It holds one event, or one event of a compressed transaction.
type cursor struct {
	log     *Log
	reader  reader
	decoder *decoder
	inner   *payload
	queue   []Item
	plain   plain           // after the queue, when held
	held    bool            // it is not decoded yet
	skip    func(Item) bool // items that filters keep from one of the two servers
	kept    bool            // the open transaction has an item that was not skipped
	open    bool            // the last item does not end a transaction
	at      server.Coordinates
	seen    Tally
}

// Tally is how much was read of a log.
type Tally struct {
	Events int   `json:"events"`
	Bytes  int64 `json:"bytes"`
}

// walk opens a cursor at the start of a transaction.
func (l *Log) walk(ctx context.Context, from server.Coordinates) (*cursor, error) {
	r, err := l.read(ctx, from)
	if err != nil {
		return nil, err
	}
	return &cursor{log: l, reader: r, decoder: newDecoder(l.MariaDB), at: from}, nil
}

func (c *cursor) close() {
	if c.inner != nil {
		c.inner.close()
		c.inner = nil
	}
	c.reader.close()
}

// next is the next item, nil at the end of the log.
func (c *cursor) next(ctx context.Context) (*Item, error) {
	for {
		for len(c.queue) > 0 {
			item := c.queue[0]
			c.queue = c.queue[1:]
			c.open = !item.Boundary
			if c.keeps(item) {
				return &item, nil
			}
		}
		if err := c.fill(ctx, false); errors.Is(err, io.EOF) {
			return nil, c.complete()
		} else if err != nil {
			return nil, located(err, c.log, c.at)
		}
	}
}

// complete is an error when the log ends in the middle of a transaction.
func (c *cursor) complete() error {
	if c.decoder.inside || c.open {
		return fmt.Errorf("%s: the log ends at %s in the middle of a transaction", c.log.Name, c.at)
	}
	return nil
}

// nextPlain is the event that comes next when it needs no decoding and was not decoded: it may be dropped, or
// taken by next, item by item. It is nil before anything else, and good until then.
func (c *cursor) nextPlain(ctx context.Context) (*plain, error) {
	for len(c.queue) == 0 && !c.held {
		if err := c.fill(ctx, true); errors.Is(err, io.EOF) {
			return nil, nil
		} else if err != nil {
			return nil, located(err, c.log, c.at)
		}
	}
	if len(c.queue) > 0 {
		return nil, nil
	}
	return &c.plain, nil
}

// drop goes past the plain event that comes next.
func (c *cursor) drop() {
	c.decoder.pass(&c.plain)
	c.held, c.open = false, !c.plain.commits()
}

// fill decodes the next event. leave leaves a plain one as it is.
func (c *cursor) fill(ctx context.Context, leave bool) (err error) {
	if c.held {
		c.held = false
		c.queue, _, err = c.decoder.decode(c.plain.event)
		return err
	}
	if c.inner != nil {
		if c.queue, err = c.inner.next(); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if c.inner.decoder.inside {
			return errors.New("a compressed transaction without its end")
		}
		c.inner.close()
		c.inner = nil
	}
	e, err := c.reader.next(ctx)
	if err != nil {
		return err
	}
	c.at = e.end
	c.seen.Events++
	c.seen.Bytes += int64(len(e.raw))
	if leave {
		if c.held, err = c.decoder.plain(e, &c.plain); c.held || err != nil {
			return err
		}
	}
	c.queue, c.inner, err = c.decoder.decode(e)
	if err != nil {
		c.at = e.start
	}
	return err
}

// keeps applies filters. The end of a transaction of which nothing is left goes with it.
func (c *cursor) keeps(i Item) bool {
	if c.skip == nil {
		return true
	}
	end := i.Kind == KindCommit || i.Kind == KindRollback || i.Kind == KindXA
	keep := !c.skip(i)
	if end {
		keep = c.kept
		c.kept = false
	} else if keep && i.inside {
		c.kept = true
	}
	return keep
}
