package pseudogtid

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"
)

// fuzzLimit is far beyond what a few KB can take: only a hang reaches it.
const fuzzLimit = 20 * time.Second

// FuzzMatch damages a recorded log and matches it with a sound one, both ways. ops are triples: what to do,
// and where. It must be an error, a refusal or the right answer; never a crash, a hang or a wrong match.
func FuzzMatch(f *testing.F) {
	all := recordings(f)
	for i := range all {
		f.Add(byte(i), []byte{})
		f.Add(byte(i), []byte{opCut, 9, 0})                    // between two events
		f.Add(byte(i), []byte{opTruncate, 0, 9})               // in the middle of one
		f.Add(byte(i), []byte{opFlip, 7, 100})                 // a bit
		f.Add(byte(i), []byte{opSwap, 20, 3})                  // two events change places
		f.Add(byte(i), []byte{opRepeat, 30, 0})                // one comes twice
		f.Add(byte(i), []byte{opDrop, 25, 0})                  // one is missing
		f.Add(byte(i), []byte{opLength, 12, 255})              // a length that lies
		f.Add(byte(i), []byte{opFlip, 200, 3, opFlip, 90, 77}) // two bits
	}
	f.Fuzz(func(t *testing.T, which byte, ops []byte) {
		r := all[int(which)%len(all)]
		damaged := damage(r.replica, ops)
		ctx, cancel := context.WithTimeout(t.Context(), fuzzLimit)
		defer cancel()
		sound := inMemory("sound", r.mariadb, r.primary)
		for _, m := range []Matcher{{}, {Thorough: true}} {
			bad := inMemory("damaged", r.mariadb, damaged)
			if answer, err := m.MatchLogs(ctx, bad, sound); err == nil {
				rightAnswer(t, bad, sound, answer)
			}
			if answer, err := m.MatchLogs(ctx, sound, bad); err == nil {
				rightAnswer(t, sound, bad, answer)
			}
		}
		if ctx.Err() != nil {
			t.Fatal("it hangs")
		}
	})
}

// rightAnswer recounts: the items of the replica from the shared entry to its end are those of the target
// from there to the answer, one by one, and the answer is where a transaction ends.
func rightAnswer(t *testing.T, mine, theirs *Log, answer *Answer) {
	t.Helper()
	mine.tail, theirs.tail = nil, nil // it is counted from the logs themselves
	from, err := mine.Find(t.Context(), answer.From)
	if err != nil || from == nil {
		t.Fatalf("the entry that it began at is not in %s: %v", mine.Name, err)
	}
	there, err := theirs.Find(t.Context(), answer.From)
	if err != nil || there == nil {
		t.Fatalf("the entry that it began at is not in %s: %v", theirs.Name, err)
	}
	own := itemsFrom(t, mine, from.End)
	c, err := theirs.walk(t.Context(), there.End)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	last := there.End
	for i := range own {
		other, err := c.next(t.Context())
		if err != nil || other == nil {
			t.Fatalf("the target has %d of %d items: %v", i, len(own), err)
		}
		if own[i].Kind != other.Kind || own[i].String() != other.String() || own[i].database != other.database {
			t.Fatalf("a wrong match at item %d: %s and %s", i, own[i], other)
		}
		if other.Boundary {
			last = other.End
		}
	}
	if answer.At != last || len(own) > 0 && !own[len(own)-1].Boundary {
		t.Fatalf("it answered %s, the last transaction ends at %s", answer.At, last)
	}
}

// What a damage does.
const (
	opCut byte = iota
	opTruncate
	opFlip
	opSwap
	opRepeat
	opDrop
	opLength
	opCount
)

// damage changes a log. Checksums, where there are any, are made right again for every other operation, so
// that not only they are tested.
func damage(log, ops []byte) []byte {
	for n := 0; len(ops) >= 3; ops, n = ops[3:], n+1 {
		events := cut(log)
		if len(events) < 3 {
			return log
		}
		i := 1 + int(ops[1])%(len(events)-1)
		switch ops[0] % opCount {
		case opCut:
			log = glue(events[:i]...)
		case opTruncate:
			log = log[:len(log)-1-int(ops[2])%len(events[len(events)-1])]
		case opFlip:
			changed := bytes.Clone(events[i])
			bit := int(ops[2])<<3 + int(ops[1])&7
			changed[bit/8%len(changed)] ^= 1 << (bit % 8)
			if n%2 == 1 {
				checksummed(changed)
			}
			events[i] = changed
			log = glue(events...)
		case opSwap:
			j := 1 + int(ops[2])%(len(events)-1)
			events[i], events[j] = events[j], events[i]
			log = glue(events...)
		case opRepeat:
			log = glue(append(append(append([][]byte{}, events[:i]...), events[i]), events[i:]...)...)
		case opDrop:
			log = glue(append(append([][]byte{}, events[:i]...), events[i+1:]...)...)
		case opLength:
			changed := bytes.Clone(events[i])
			binary.LittleEndian.PutUint32(changed[9:], uint32(ops[2])<<16)
			events[i] = changed
			log = glue(events...)
		}
	}
	return log
}

// checksummed gives an event the checksum that it would have, where events have one.
func checksummed(event []byte) {
	if n := len(event) - 4; n > 0 {
		binary.LittleEndian.PutUint32(event[n:], crc32.ChecksumIEEE(event[:n]))
	}
}
