package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Plain writes one line for every event worth seeing, for logs and CI. It is not safe for concurrent use. It shows an
// Aggregate that takes in each event before Update is told of it.
type Plain struct {
	w    io.Writer
	o    Options
	agg  *Aggregate
	last time.Time // when a line was written
}

// silence is how long nothing may be written before Tick says what is running: CI services end quiet jobs.
const silence = time.Minute

// NewPlain returns a Plain on w.
func NewPlain(w io.Writer, agg *Aggregate, o Options) *Plain { return &Plain{w: w, agg: agg, o: o} }

// Update writes the line of an event, if it has one.
func (v *Plain) Update(e Event) error {
	l := v.line(e)
	if l == nil {
		return nil
	}
	return v.write(e.Time, l)
}

// Tick writes which cells are running when nothing was written for a minute.
func (v *Plain) Tick(now time.Time) error {
	run := v.agg.Run()
	if run.Status != RunRunning || now.Sub(v.last) < silence {
		return nil
	}
	var running []string
	for i := range run.Cells {
		if c := &run.Cells[i]; c.State == StateRunning {
			running = append(running, OneLine(c.ID.String())+done(c))
		}
	}
	l := slices.Concat(measure(run).lines(run, now, v.o)...)
	if len(running) > 0 {
		l = append(l, span{stylePlain, v.o.dot() + "running: " + strings.Join(running, ", ")})
	}
	return v.write(now, l)
}

// Close does nothing: every line stands already.
func (v *Plain) Close() error { return nil }

func (v *Plain) write(at time.Time, l line) error {
	v.last = at
	stamp := padLeft(clock(at.Sub(v.agg.Run().Started)), 6)
	l = append(line{{styleDim, "[" + stamp + "] "}}, l...)
	if _, err := io.WriteString(v.w, text([]line{l}, v.o)); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	return nil
}

func (v *Plain) line(e Event) line {
	run, name := v.agg.Run(), OneLine(e.Cell.String())
	switch e.Type {
	case EventRunStarted:
		return v.started(e)
	case EventCellStarted:
		text := name + ": started"
		if e.Total > 0 {
			text += ", " + plural(e.Total, "spec")
		}
		for _, more := range []string{e.Server.String(), e.ToolVersion} {
			if more != "" {
				text += v.o.dot() + OneLine(more)
			}
		}
		return plainLine(text)
	case EventSpecFinished:
		c := v.agg.cell(e.Cell)
		what := fmt.Sprintf("%s  %d/%d  %s", name, c.Done(), c.Total, OneLine(e.Spec))
		if e.Attempt > 1 {
			what += fmt.Sprintf(", attempt %d", e.Attempt)
		}
		return v.outcome(e, what, e.Verdict, e.Seconds)
	case EventCellFinished:
		c := v.agg.cell(e.Cell)
		e.Error = c.Error
		return v.outcome(e, name+": finished,"+status(c, true, e.Time, v.o.ASCII).text[len(c.Verdict.Mark(v.o.ASCII)):], c.Verdict, c.Seconds)
	case EventNote:
		return plainLine(notePrefix(e.Cell) + OneLine(e.Message))
	case EventRunFinished:
		return append(line{{styleBold, "run " + run.Status.String() + ": "}}, tally(run.CellTotals())...)
	}
	return nil
}

func (v *Plain) started(e Event) line {
	entries, _ := axes(v.agg.Run())
	text := fmt.Sprintf("run started: %s, %s", plural(len(entries), "entry"), plural(len(e.Plan), "cell"))
	if h := e.Host; h != nil {
		text += v.o.dot() + OneLine(h.GoVersion+" "+h.OS) + v.o.dot() + plural(h.CPUs, "processor")
	}
	if e.Seed != 0 {
		text += v.o.dot() + fmt.Sprintf("seed %d", e.Seed)
	}
	return plainLine(text)
}

// outcome is a verdict's line: mark, word, what it is about, how long it took, and the first line of why.
func (v *Plain) outcome(e Event, what string, verdict Verdict, seconds Seconds) line {
	f := finding{nil, e.Spec, &Outcome{Verdict: verdict, Error: e.Error, Reason: e.Reason, Expectation: e.Expectation}}
	text := "  " + what + " (" + clock(seconds.Duration()) + ")"
	why := Gist(f.why())
	if why == "" {
		why = Gist(e.Reason)
	}
	if why != "" {
		text += ": " + why
	}
	if e.Evidence != "" && verdict.Bad() {
		text += v.o.dot() + "evidence " + evidence(e.Evidence, v.o)
	}
	return line{{verdicts[verdict].style, verdict.Mark(v.o.ASCII) + " " + pad(verdict.String(), len("unsupported"))}, {stylePlain, text}}
}
