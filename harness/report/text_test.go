package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestNeutral(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain, ünïcode, 世界", "plain, ünïcode, 世界"},
		{"\x1b[31mred\x1b[0m \x1b[1;38;5;9mbold\x1b[m", "red bold"},
		{"a\x1b[2J\x1b[3A\x1b[?25lb", "ab"},
		{"\x1b]0;title\x07x\x1b]8;;http://e\x1b\\link\x1b]8;;\x1b\\", "xlink"},
		{"\x1bPq#0\x1b\\x\x1b_app\u009cy", "xy"},
		{"\x1b]never ends", "never ends"},
		{"\x1b]0;broken\x1b[31m text", "0;broken text"},
		{"\u009b31mx\u009d0;t\x07y", "xy"},
		{"\x1b(Bx\x1b=y\x1b#8z", "xyz"},
		{"end\x1b", "end\ufffd"},
		{"end\x1b[", "end"},
		{"a\x00b\x08c\x7fd\u0084", "a\ufffdb\ufffdc\ufffdd\ufffd"},
		{"a\r\nb\rc\u2028d\u0085e\n", "a\nb\nc\nd\ne\n"},
		{"a\tb", "a    b"},
		{"user\u202etxt.exe\u2066\u200b\ufeff\U000e0041", "user\ufffdtxt.exe\ufffd\ufffd\ufffd\ufffd"},
		{"bad\xff\xc2utf8\ufffe\uffff", "bad\ufffd\ufffdutf8\ufffd\ufffd"},
	} {
		if got := Neutral(c.in); got != c.want {
			t.Errorf("Neutral(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzNeutral(f *testing.F) {
	for _, s := range []string{"", "\x1b[31mx", "\x1b]0;x\x07y", "\xc2\x9b1mz", "a\r\nb", "\u202e", "\x1b\x1b[\x1b]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Neutral(s)
		if bad := unsafe(got); bad != "" {
			t.Errorf("Neutral(%q) = %q has %s", s, got, bad)
		}
		if Neutral(got) != got {
			t.Errorf("Neutral(%q) = %q is not neutral", s, got)
		}
		for _, w := range []int{1, 2, 5, 20} {
			for _, ascii := range []bool{true, false} {
				one := OneLine(s)
				if n := textWidth(truncate(one, w, ascii)); n > w {
					t.Errorf("truncate(%q, %d) is %d wide", one, w, n)
				}
				if n := textWidth(shorten(one, w, ascii)); n > w {
					t.Errorf("shorten(%q, %d) is %d wide: %q", one, w, n, shorten(one, w, ascii))
				}
			}
		}
	})
}

// unsafe names the first thing in s that a terminal, or a reader of XML, must not get; line feeds are fine.
func unsafe(s string) string {
	if !utf8.ValidString(s) {
		return "invalid UTF-8"
	}
	for _, r := range s {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.In(r, unicode.Zl, unicode.Zp) || r&0xfffe == 0xfffe) {
			return fmt.Sprintf("%U", r)
		}
	}
	return ""
}

func TestWidths(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{truncate("abcdef", 6, false), "abcdef"},
		{truncate("abcdef", 5, false), "abcd…"},
		{truncate("abcdef", 5, true), "ab..."},
		{truncate("abcdef", 2, true), "ab"},
		{truncate("世界世界", 5, false), "世界…"},
		{truncate("e\u0301e\u0301e\u0301", 3, false), "e\u0301e\u0301e\u0301"},
		{truncate("abcdef", 0, false), "abcdef"},
		{shorten("mysql-9.7/migration/gh-ost@v1.1.10", 20, false), "mysql-9.7…st@v1.1.10"},
		{shorten("short", 20, false), "short"},
		{pad("世", 4) + "|", "世  |"},
		{padLeft("世", 4), "  世"},
		{plural(1, "entry"), "1 entry"},
		{plural(0, "entry"), "0 entries"},
		{plural(2, "spec"), "2 specs"},
		{clock(-time.Second), "0.0s"},
		{clock(3449 * time.Millisecond), "3.4s"},
		{clock(9960 * time.Millisecond), "10s"},
		{clock(59600 * time.Millisecond), "1m00s"},
		{clock(125 * time.Second), "2m05s"},
		{clock(59*time.Minute + 59700*time.Millisecond), "1h00m"},
		{clock(26*time.Hour + 3*time.Minute), "26h03m"},
		{strings.Join(Numbers(1, 2.5, 3), " "), "1.00 2.50 3.00"},
		{strings.Join(Numbers(1, 20, 50000), " "), "1 20 50000"},
		{strings.Join(Numbers(0.0123), " "), "0.0123"},
		{strings.Join(Numbers(12.345, 1), " "), "12.3 1.0"},
		{strings.Join(Numbers(123.45), " "), "123"},
		{Exact(0), "0"},
		{Exact(1500), "1500"},
		{Exact(123.45), "123.45"},
		{Exact(0.6), "0.6"},
		{Exact(-12.30004), "-12.3"},
		{Exact(0.0012345), "0.00123"},
		{Exact(0.00001), "0.00001"},
		{Gist("\nExpected\n    <int>: 3\nto equal\n    <int>: 0"), "Expected <int>: 3 to equal <int>: 0"},
		{Gist(strings.Repeat("世", 5000)), strings.Repeat("世", 98) + "..."},
		{strings.Join(excerpt("\n a\n\nb \nc\nd", 2, 0, false), "|"), " a|b|… 2 lines more"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestLineCut(t *testing.T) {
	l := line{{styleRed, "ab"}, {stylePlain, "cd"}, {stylePlain, "ef"}}
	for _, c := range []struct {
		width int
		want  string
	}{{6, "abcdef"}, {5, "abcd…"}, {4, "abc…"}, {3, "ab…"}, {2, "a…"}, {1, ""}} {
		var b strings.Builder
		l.render(&b, Options{Width: c.width})
		if textWidth(b.String()) > c.width || c.want != "" && b.String() != c.want {
			t.Errorf("cut to %d: %q, want %q", c.width, b.String(), c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	m := func(values ...float64) (ms []Measurement) {
		for _, v := range values {
			ms = append(ms, Measurement{Name: "failover time", Unit: "s", Value: v}, Measurement{Name: "hidden", Value: v, Detail: true})
		}
		return ms
	}
	run := &Run{Cells: []Cell{
		{ID: cellA, Outcome: Outcome{Measurements: m(4)}, Specs: []Spec{{Outcome: Outcome{Measurements: m(3, 1, 2)}}}},
		{ID: cellB, Specs: []Spec{{Outcome: Outcome{Measurements: m(9, 7)}}, {Outcome: Outcome{Measurements: m(8)}}}},
	}}
	want := []Statistic{{"failover time", "s", cellA, 4, 2.5, 1, 4}, {"failover time", "s", cellB, 3, 8, 7, 9}}
	if got := Statistics(run, Shown); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRemaining(t *testing.T) {
	run := &Run{Started: at0, Cells: []Cell{
		{ID: CellID{Suite: "a"}, Total: 10, Outcome: Outcome{State: StateFinished, Verdict: VerdictPassed}},
		{ID: CellID{Suite: "b"}, Total: 20, Outcome: Outcome{State: StateRunning}},
		{ID: CellID{Suite: "a", Entry: "x"}, Outcome: Outcome{State: StatePending}},                               // as its suite: 10
		{ID: CellID{Suite: "c"}, Outcome: Outcome{State: StatePending}},                                           // as the mean: 15
		{ID: CellID{Suite: "a", Entry: "y"}, Outcome: Outcome{State: StateFinished, Verdict: VerdictUnavailable}}, // nothing
	}}
	p := measure(run)
	if want := (progress{cells: 5, cellsDone: 2, specs: 55, specsDone: 10, guessed: true}); p != want {
		t.Fatalf("got %+v, want %+v", p, want)
	}
	if left, ok := p.remaining(20 * time.Second); !ok || left != 90*time.Second {
		t.Errorf("left %v, %v; want 1m30s", left, ok)
	}
	if _, ok := (progress{specs: 100, specsDone: 4}).remaining(time.Second); ok {
		t.Error("estimated from less than a twentieth")
	}
}

// A tool may write megabytes of anything; the time for it grows with its length, not with its square.
func TestNeutralIsLinear(t *testing.T) {
	const size = 1 << 20
	for _, unit := range []string{"\x1b]", "\u009d", "\x1b[", "\x1b", "\x1b(", "\r", "\x1b]\u009c", "世", "\u202e", "\x1b]x"} {
		s := strings.Repeat(unit, size/len(unit))
		began := time.Now()
		truncate(OneLine(s), 20, false)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%d bytes of %q take %v", size, unit, took)
		}
	}
}
