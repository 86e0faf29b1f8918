package report

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// screen is a terminal that knows what Live sends: line feeds, carriage returns, cursor up, erase to the end of the
// line and of the screen, and colours, which it drops. It fails on anything else.
type screen struct {
	t             *testing.T
	width, height int
	rows          []string // everything ever shown; the last height of them are in sight
	y, x          int
	lowest        int // the first row that is in sight
}

var sequence = regexp.MustCompile(`^\x1b\[([0-9;]*)([A-Za-z])`)

func (s *screen) Write(p []byte) (int, error) {
	text := string(p)
	for len(text) > 0 {
		if m := sequence.FindStringSubmatch(text); m != nil {
			s.control(m[2], m[1])
			text = text[len(m[0]):]
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		switch {
		case r == '\r':
			s.x = 0
		case r == '\n':
			s.x = 0
			s.y++
			s.lowest = max(s.lowest, s.y-s.height+1)
		case r < ' ' || r == 0x7f:
			s.t.Fatalf("control character %q on the screen", r)
		default:
			s.put(r)
		}
	}
	return len(p), nil
}

func (s *screen) put(r rune) {
	if s.x >= s.width {
		s.t.Fatalf("a line is wider than %d columns: %q", s.width, s.rows[s.y])
	}
	for len(s.rows) <= s.y {
		s.rows = append(s.rows, "")
	}
	row := []rune(pad(s.rows[s.y], s.x))
	row = append(row[:min(s.x, len(row))], append([]rune{r}, row[min(s.x+1, len(row)):]...)...)
	s.rows[s.y] = string(row)
	s.x += runeWidth(r)
}

func (s *screen) control(final, parameters string) {
	switch final {
	case "A":
		n, err := strconv.Atoi(parameters)
		if err != nil || s.y-n < s.lowest {
			s.t.Fatalf("cursor up by %q leaves the screen: at row %d, the first in sight is %d", parameters, s.y, s.lowest)
		}
		s.y -= n
	case "K":
		if s.y < len(s.rows) {
			s.rows[s.y] = string([]rune(s.rows[s.y])[:min(s.x, len([]rune(s.rows[s.y])))])
		}
	case "J":
		if s.y < len(s.rows) {
			s.rows = s.rows[:s.y]
		}
	case "m":
	default:
		s.t.Fatalf("unexpected control sequence %q %q", parameters, final)
	}
}

func (s *screen) String() string { return strings.Join(s.rows, "\n") + "\n" }

func TestGoldenLive(t *testing.T) {
	sizes := []struct{ width, height int }{{120, 30}, {60, 24}, {32, 8}}
	each(t, func(t *testing.T, name string, events []Event, _ *Run) {
		var b strings.Builder
		for _, size := range sizes {
			s := &screen{t: t, width: size.width, height: size.height}
			var agg Aggregate
			v := NewLive(s, &agg, Options{Color: true}, func() (int, int) { return size.width, size.height })
			for i, e := range events {
				if err := tell(&agg, v, e); err != nil {
					t.Fatal(err)
				}
				if err := v.Tick(e.Time.Add(300 * time.Millisecond)); err != nil {
					t.Fatal(err)
				}
				if i == len(events)/2 || i == len(events)-1 {
					fmt.Fprintf(&b, "== %dx%d after event %d\n%s", size.width, size.height, i+1, s)
				}
			}
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(s.String()); got != "" {
				t.Errorf("Close left on the screen:\n%s", got)
			}
		}
		golden(t, name+".live.txt", b.String())
	})
}

// A window may be made smaller, or be of no known size, between two frames.
func TestLiveUnknownSize(t *testing.T) {
	s := &screen{t: t, width: 80, height: 24}
	var agg Aggregate
	v := NewLive(s, &agg, Options{}, func() (int, int) { return 0, 0 })
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	plan := make([]CellID, 60)
	for i := range plan {
		plan[i] = CellID{Entry: fmt.Sprintf("entry-%02d", i), Suite: "migration"}
	}
	if err := v.Tick(at); err != nil { // before any event
		t.Fatal(err)
	}
	_ = tell(&agg, v, Event{Time: at, Type: EventRunStarted, Plan: plan})
	for _, id := range plan {
		_ = tell(&agg, v, Event{Time: at, Type: EventCellStarted, Cell: id, Total: 3})
		if err := v.Tick(at); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.rows); n >= 24 {
		t.Errorf("the frame has %d lines on a screen of 24", n)
	}
	if !strings.Contains(s.String(), "0/60 cells") || !strings.Contains(s.String(), "entry-00/migration") {
		t.Errorf("the frame shows neither progress nor running cells:\n%s", s)
	}
}
