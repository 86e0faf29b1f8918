package matrix

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// suggest names the nearest of what is known, or all of it.
func suggest(word string, known []string) string {
	if best := nearest(word, known); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	if len(known) == 0 {
		return "there are none"
	}
	return "known are " + strings.Join(known, ", ")
}

// choices names all that is known, after the nearest of it if any is near.
func choices(word string, known []string) string {
	all := "there are " + strings.Join(known, ", ")
	if best := nearest(word, known); best != "" {
		return fmt.Sprintf("did you mean %q? %s", best, all)
	}
	return all
}

// few names the nearest of a long list.
func few(word string, known []string) string {
	const count = 3
	if len(known) <= count {
		return choices(word, known)
	}
	return fmt.Sprintf("the nearest of %d are %s", len(known), strings.Join(closest(word, known, count), ", "))
}

// nearest is the known word at the smallest edit distance, "" when none is close.
func nearest(word string, known []string) string {
	best, least := "", len(word)/2+1
	for _, candidate := range known {
		if n := distance(word, candidate); n < least {
			best, least = candidate, n
		}
	}
	return best
}

// closest are the count known words at the smallest edit distance, nearest first.
func closest(word string, known []string, count int) []string {
	sorted := slices.Clone(known)
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(distance(word, a), distance(word, b)) })
	return sorted[:min(count, len(sorted))]
}

// distance is Levenshtein's: the least number of bytes to insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
