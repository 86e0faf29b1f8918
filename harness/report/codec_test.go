package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEventsRoundTrip(t *testing.T) {
	each(t, func(t *testing.T, _ string, events []Event, _ *Run) {
		var b bytes.Buffer
		enc := NewEncoder(&b)
		for _, e := range events {
			if err := enc.Encode(e); err != nil {
				t.Fatal(err)
			}
		}
		again, err := ReadEvents(&b)
		if err != nil {
			t.Fatal(err)
		}
		events[0].Version = Version // the streams recorded here are of version 1
		if !reflect.DeepEqual(again, events) {
			t.Errorf("read back as\n%v\nwant\n%v", again, events)
		}
	})
}

const head1 = `{"version":1,"time":"2026-11-23T09:00:00Z","type":"run-started"}` + "\n"

func TestDecodeErrors(t *testing.T) {
	note := `{"time":"2026-11-23T09:00:01Z","type":"note","message":"m"}` + "\n"
	for _, c := range []struct {
		name, in  string
		kept      int
		want      string // in the error; empty for none
		truncated bool
	}{
		{"empty", "", 0, "", false},
		{"whole", head1 + note, 2, "", false},
		{"no last line feed", head1 + strings.TrimSpace(note), 2, "", false},
		{"blank lines and CRLF", head1 + "\r\n\n" + strings.TrimSpace(note) + "\r\n", 2, "", false},
		{"cut off", head1 + note + note[:20], 2, "line 3: cut off within the line", true},
		{"cut off at once", head1[:5], 0, "line 1: cut off", true},
		{"broken in the middle", head1 + note[:20] + "\n" + note, 1, "line 2: unexpected end", false},
		{"no version", note, 0, "line 1: no version", false},
		{"newer", strings.Replace(head1, ":1,", ":3,", 1), 0, "line 1: version 3 is newer than the 2 that this program reads", false},
		{"newer in the middle", head1 + `{"version":9,"verdict":"splendid"}` + "\n", 1, "line 2: version 9 is newer", false},
		{"unknown type", head1 + `{"time":"2026-11-23T09:00:01Z","type":"tea"}` + "\n", 1, `line 2: event type "tea": want one of`, false},
		{"unknown type without a line feed", head1 + `{"time":"2026-11-23T09:00:01Z","type":"tea"}`, 1, `line 2: event type "tea"`, false},
		{"no time", head1 + `{"type":"note"}` + "\n", 1, "line 2: note event has no time", false},
		{"no cell", head1 + `{"time":"2026-11-23T09:00:01Z","type":"cell-started"}` + "\n", 1, "names no cell", false},
		{"no verdict", head1 + `{"time":"2026-11-23T09:00:01Z","type":"spec-finished","cell":{"entry":"e","suite":"s"},"spec":"x"}` + "\n", 1, "has no verdict", false},
		{"unavailable spec", head1 + `{"time":"2026-11-23T09:00:01Z","type":"spec-finished","cell":{"entry":"e","suite":"s"},"spec":"x","verdict":"unavailable"}` + "\n", 1, "only a cell can be", false},
		{"too long", head1 + strings.Repeat("x", maxLine+1) + "\n" + note, 1, "line 2: 16777218 bytes", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, err := ReadEvents(strings.NewReader(c.in))
			if len(events) != c.kept {
				t.Errorf("kept %d events, want %d", len(events), c.kept)
			}
			var bad *LineError
			switch {
			case c.want == "":
				if err != nil {
					t.Error(err)
				}
			case !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) || bad.Truncated != c.truncated:
				t.Errorf("error %v (%+v), want %q, truncated %v", err, bad, c.want, c.truncated)
			}
		})
	}
}

func TestDecodeGoesOnAfterABadLine(t *testing.T) {
	d := NewDecoder(strings.NewReader(head1 + strings.Repeat("x", maxLine+1) + "\nnonsense\n" + head1))
	var got []string
	for range 10 {
		e, err := d.Decode()
		if errors.Is(err, io.EOF) {
			break
		}
		got = append(got, fmt.Sprintf("%v %v", e.Type, err != nil))
	}
	if want := "run-started false unknown true unknown true run-started false"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error)  { return 0, errors.New("disk gone") }
func (failing) Write([]byte) (int, error) { return 0, errors.New("disk gone") }

func TestReadError(t *testing.T) {
	if _, err := ReadEvents(failing{}); err == nil || !strings.Contains(err.Error(), "line 1: disk gone") {
		t.Errorf("got %v", err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	at := time.Unix(1, 0)
	for _, c := range []struct {
		e    Event
		want string
	}{
		{Event{Time: at}, "no type"},
		{Event{Type: EventNote}, "no time"},
		{Event{Time: at, Type: EventSpecStarted, Cell: CellID{Entry: "e", Suite: "s"}}, "names no spec"},
		{Event{Time: at, Type: EventNote, Verdict: 99}, "verdict 99 cannot be written"},
		{Event{Time: at, Type: EventNote, Measurements: []Measurement{{Value: math.NaN()}}}, "NaN"},
		{Event{Time: at, Type: EventNote, Message: strings.Repeat("x", maxLine)}, "cut its error text"},
	} {
		var b bytes.Buffer
		if err := NewEncoder(&b).Encode(c.e); err == nil || !strings.Contains(err.Error(), c.want) || b.Len() > 0 {
			t.Errorf("error %v with %d bytes written, want %q and none", err, b.Len(), c.want)
		}
	}
	if err := NewEncoder(failing{}).Encode(Event{Time: at, Type: EventNote}); err == nil || !strings.Contains(err.Error(), "disk gone") {
		t.Errorf("got %v", err)
	}
}

// lineWriter counts Writes, and fails on one that is not a whole line.
type lineWriter struct {
	t *testing.T
	n int
}

func (w *lineWriter) Write(p []byte) (int, error) {
	if bytes.Count(p, []byte("\n")) != 1 || p[len(p)-1] != '\n' {
		w.t.Errorf("a Write is no whole line: %q", p)
	}
	w.n++
	return len(p), nil
}

func TestEncoderConcurrently(t *testing.T) {
	w := &lineWriter{t: t}
	enc := NewEncoder(w)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if err := enc.Encode(Event{Time: time.Unix(1, 0), Type: EventNote, Message: "a\nb"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if w.n != 400 {
		t.Errorf("%d writes, want 400", w.n)
	}
}
