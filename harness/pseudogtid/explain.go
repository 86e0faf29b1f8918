package pseudogtid

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mysqlmatrix/harness/server"
)

// around is how many items are shown before and after the point where histories begin to differ.
const around = 5

// Line is one item of a log, for people.
type Line struct {
	At       server.Coordinates `json:"at"`
	Time     string             `json:"time,omitempty"`
	ServerID uint32             `json:"server_id,omitempty"`
	Text     string             `json:"text"`
}

// Pair is what both logs have at the same step; a side is nil when its log has ended.
type Pair struct {
	Replica *Line `json:"replica"`
	Target  *Line `json:"target"`
	Same    bool  `json:"same"`
}

// pairs keeps the last few steps of a walk, and the first few after they begin to differ.
type pairs struct{ list []Pair }

func lineOf(i *Item) *Line {
	if i == nil {
		return nil
	}
	return &Line{At: i.Start, Time: i.When(), ServerID: i.ServerID, Text: i.String()}
}

// add is called at every step; without a keeper it does nothing. Rows are printed only when they are kept.
func (p *pairs) add(own, other *Item) {
	if p == nil {
		return
	}
	if len(p.list) > around {
		p.list = p.list[1:]
	}
	p.list = append(p.list, Pair{lineOf(own), lineOf(other), true})
}

// diverge marks the last step as the one where the histories differ, and reads on a little on both sides. What
// cannot be read any more is not shown: the reason to stop is known already.
func (p *pairs) diverge(ctx context.Context, mine, theirs *cursor) {
	if p == nil {
		return
	}
	p.list[len(p.list)-1].Same = false
	for range around {
		own, ownErr := mine.next(ctx)
		other, otherErr := theirs.next(ctx)
		if ownErr != nil || otherErr != nil || own == nil && other == nil {
			return
		}
		p.list = append(p.list, Pair{Replica: lineOf(own), Target: lineOf(other)})
	}
}

// Explanation says whether and where a replica could continue on a target, and why not.
type Explanation struct {
	Replica string             `json:"replica"`
	Target  string             `json:"target"`
	At      server.Coordinates `json:"at,omitzero"`
	Refusal string             `json:"refusal,omitempty"` // in one word
	Reason  string             `json:"reason"`
	Advice  string             `json:"advice"`
	Entry   string             `json:"entry,omitempty"`
	Steps   []Pair             `json:"steps,omitempty"` // around the end, or where the histories begin to differ
}

// Explain matches and keeps what a DBA would look at.
func (m Matcher) Explain(ctx context.Context, replica, target *server.Server) (*Explanation, error) {
	seen := &pairs{}
	answer, err := m.examine(ctx, replica, target, seen)
	x := &Explanation{Replica: replica.Endpoint.Addr(), Target: target.Endpoint.Addr(), Steps: seen.list}
	var refusal *RefusalError
	switch {
	case errors.As(err, &refusal):
		x.Refusal, x.Reason, x.Entry = refusal.Why.String(), refusal.Why.Words(), refusal.Entry
		if refusal.Detail != "" {
			x.Reason += ": " + refusal.Detail
		}
		x.Advice = refusal.advice()
		return x, nil
	case err != nil:
		return nil, err
	}
	x.At, x.Entry = answer.At, answer.Entry.Hint
	x.Reason = fmt.Sprintf("both histories are the same from the shared entry %s on, over %d events of the replica", answer.From, answer.Replica.Events)
	x.Advice = fmt.Sprintf("the replica can replicate from the target, from %s", answer.At)
	return x, nil
}

// advice is what a DBA would do about a refusal.
func (e *RefusalError) advice() string {
	switch e.Why {
	case ReplicaAhead:
		if !e.Reverse.IsZero() {
			return fmt.Sprintf("point the target below the replica instead, from %s of the replica's logs; or wait until the target has caught up", e.Reverse)
		}
		return "wait until the target has caught up, or point the target below the replica"
	case Diverged:
		return "one of them has a change that the other lacks: find out which is right, and rebuild the other one from it; do not connect them"
	case NoEntry:
		return "start an injector on the primary, and match once its first entry has arrived everywhere"
	case NotFound:
		return "they have no common ancestor as far as their logs tell: check that both once replicated from the same primary"
	case Purged:
		return "keep binary logs longer, or inject more often; for now, rebuild the replica from a copy of the target"
	case Filtered:
		return "compare the filters; where they only leave out databases, --allow-filters compares the rest"
	case NoLog:
		return "turn on the binary log of replicated events, or run this on the replica's own host, which can read its relay logs"
	case Moving:
		return "stop the replica's applier and match again"
	default:
		return ""
	}
}

// String prints the two logs side by side.
func (x *Explanation) String() string {
	const width = 60
	var text strings.Builder
	head := "can continue"
	if x.Refusal != "" {
		head = "refused (" + x.Refusal + ")"
	}
	fmt.Fprintf(&text, "%s below %s: %s\n  %s\n  advice: %s\n", x.Replica, x.Target, head, x.Reason, x.Advice)
	if x.Entry != "" {
		fmt.Fprintf(&text, "  the replica's last entry: %s\n", x.Entry)
	}
	if len(x.Steps) == 0 {
		return text.String()
	}
	fmt.Fprintf(&text, "\n  %-*s   %s\n", width, "replica "+x.Replica, "target "+x.Target)
	differed := false
	for _, p := range x.Steps {
		mark := "="
		if !p.Same {
			mark = " "
			if !differed {
				mark, differed = "≠", true
				fmt.Fprintf(&text, "  %s here the histories begin to differ\n", strings.Repeat("-", 2*width-24))
			}
		}
		left, right := column(p.Replica, width), column(p.Target, width)
		for i := range max(len(left), len(right)) {
			fmt.Fprintf(&text, "  %s %s %s\n", pad(at(left, i), width), mark, at(right, i))
			mark = " "
		}
	}
	return text.String()
}

// column is a line wrapped to a column: where and when, then what.
func column(l *Line, width int) []string {
	if l == nil {
		return []string{"(end of the log)"}
	}
	lines := []string{fmt.Sprintf("%s  %s  server %d", l.At, l.Time, l.ServerID)}
	const most = 4
	runes := []rune(strings.Join(strings.Fields(l.Text), " "))
	for len(runes) > 0 && len(lines) <= most {
		n := min(len(runes), width-2)
		lines = append(lines, "  "+string(runes[:n]))
		runes = runes[n:]
	}
	if len(runes) > 0 {
		lines[len(lines)-1] += "…"
	}
	return lines
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-len([]rune(text))))
}
