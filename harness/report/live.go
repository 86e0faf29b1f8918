package report

import (
	"io"
	"time"
)

// Live is the table that is redrawn in place while a run goes on. It has no goroutine and is not safe for concurrent
// use: call Update for every event, Tick a few times a second, and Close before anything else is printed. It shows an
// Aggregate that takes in each event before Update is told of it.
type Live struct {
	screen *Screen
	o      Options
	agg    *Aggregate
	news   []line // the latest failures and notes, oldest first
}

// newsKept bounds the failures and notes under the table.
const newsKept = 6

// NewLive returns a Live that draws on the terminal w. size is asked before every frame, so that a resized window is
// drawn right; where it answers 0, 80 columns and 24 lines are taken. Options.Width is not used.
func NewLive(w io.Writer, agg *Aggregate, o Options, size func() (width, height int)) *Live {
	return &Live{screen: NewScreen(w, size), agg: agg, o: o}
}

// Update is told of an event; the next Tick shows it.
func (v *Live) Update(e Event) error {
	switch {
	case e.Type == EventNote:
		v.addNews(line{{stylePlain, notePrefix(e.Cell) + OneLine(e.Message)}})
	case (e.Type == EventSpecFinished || e.Type == EventCellFinished) && e.Verdict.Bad(),
		e.Type == EventCellFinished && e.Verdict == VerdictUnavailable:
		f := finding{&Cell{ID: e.Cell}, e.Spec, &Outcome{Verdict: e.Verdict, Error: e.Error, Reason: e.Reason}}
		text := " " + e.Verdict.String() + "  " + f.what()
		if why := Gist(f.why() + e.Reason); why != "" {
			text += ": " + why
		}
		v.addNews(line{{verdicts[e.Verdict].style, e.Verdict.Mark(v.o.ASCII)}, {stylePlain, text}})
	}
	return nil
}

func (v *Live) addNews(l line) {
	v.news = append(v.news, l)
	if len(v.news) > newsKept {
		v.news = v.news[len(v.news)-newsKept:]
	}
}

// Tick draws the frame over the one before, in one Write.
func (v *Live) Tick(now time.Time) error {
	o, height := v.o, 0
	o.Width, height = v.screen.Size()
	return v.screen.draw(v.frame(now, o, height), o)
}

// Close takes the frame off the screen, so that the final report can stand in its place.
func (v *Live) Close() error { return v.screen.Clear() }

// frame is the progress, the table and the news in at most height lines. A table that is too tall gives way to the
// running cells alone, and news go before cells.
func (v *Live) frame(now time.Time, o Options, height int) []line {
	run := v.agg.Run()
	head := measure(run).lines(run, now, o)
	body := grid(run, now, o)
	if len(head)+1+len(body) > height {
		body = list(run, now, o, func(c *Cell) bool { return c.State == StateRunning })
	}
	lines := append(append(head, nil), body...)
	if room := height - len(lines) - 1; room > 0 && len(v.news) > 0 {
		lines = append(lines, nil)
		lines = append(lines, v.news[max(0, len(v.news)-room):]...)
	}
	return lines[:min(len(lines), height)]
}

func notePrefix(id CellID) string {
	if id == (CellID{}) {
		return "note: "
	}
	if id.Suite == "" {
		return OneLine(id.Entry) + ": "
	}
	return OneLine(id.String()) + ": "
}
