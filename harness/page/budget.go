package page

import (
	"fmt"
	"strings"

	"mysqlmatrix/harness/report"
)

const (
	// textBudget is how many bytes all errors and evidence of a page may have together.
	textBudget = 5 << 18
	// shownAlike is of how many of a cell's failures that one declaration explains the evidence is shown.
	shownAlike = 3
	// mostFiles is about how many files' texts of undeclared, and of declared, failures a page has: so many that each
	// of them may have worthwhile bytes.
	mostFiles  = textBudget / worthwhile / 2
	worthwhile = 256
)

// longTexts are texts that may be cut when the page would grow too big.
type longTexts struct {
	texts []int // indices
	files int   // how many files were read
}

func (b *builder) text(s string) int { return intern(b.texts, &b.data.Texts, s) }

func (b *builder) longText(long *longTexts, s string) int {
	before := len(b.data.Texts)
	i := b.text(s)
	if i == before {
		long.texts = append(long.texts, i)
	}
	return i
}

func (b *builder) longError(long *longTexts, s string) *int {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	i := b.longText(long, lastBytes(report.Neutral(s), largestTail))
	return &i
}

// fit cuts the long texts until they are within the budget together: first those of declared failures, for which what
// the others leave of it must do, and a quarter that these may not take.
func (b *builder) fit() {
	reserve := min(b.size(b.declared.texts, largestTail), textBudget/4)
	spent, cut, limit := b.shorten(b.undeclared.texts, textBudget-reserve)
	_, more, smaller := b.shorten(b.declared.texts, textBudget-spent)
	var words []string
	if cut+more > 0 {
		words = append(words, fmt.Sprintf("%d long texts are shown from their end, %d bytes of each; the run's folder has all of them", cut+more, min(limit, smaller)))
	}
	if b.unread > 0 {
		words = append(words, fmt.Sprintf("there is too much evidence for one page: that of %d failures lies in the run's folder", b.unread))
	}
	if b.unshown > 0 {
		words = append(words, fmt.Sprintf("of what one declaration explains in a cell, the evidence of the first %d is shown; that of %d others lies in the run's folder",
			shownAlike, b.unshown))
	}
	b.data.Cut = strings.Join(words, "; ")
}

// size is how many bytes texts have when each is cut to a limit.
func (b *builder) size(texts []int, limit int) int {
	n := 0
	for _, i := range texts {
		n += min(len(b.data.Texts[i]), limit)
	}
	return n
}

// shorten cuts texts, all to the same length, until they are within a budget together. It returns how much of it they
// take, how many were cut, and to what.
func (b *builder) shorten(texts []int, budget int) (spent, cut, limit int) {
	for limit = largestTail; ; limit = limit * 3 / 4 {
		if spent = b.size(texts, limit); spent <= budget {
			break
		}
	}
	for _, i := range texts {
		if s := b.data.Texts[i]; len(s) > limit {
			b.data.Texts[i] = lastBytes(s, limit)
			cut++
		}
	}
	return spent, cut, limit
}
