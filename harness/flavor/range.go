package flavor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Range is a set of release numbers without a gap, written "8.0", ">= 8.0.22", "> 5.7 <= 8.4", "8.0 .. 8.4". A number
// stands for all releases that begin with it: 8.0 for 8.0.0 to 8.0.46, and "<= 8.0" and "8.0 .. 8.4" hold those of their
// last series. The zero Range holds every number.
type Range struct {
	low  []int // the first that is in it; nil is the very first
	high []int // the first that is beyond it; nil is none
	text string
}

// String is the range as it was written.
func (r Range) String() string { return r.text }

// ParseRange reads a range; "" is every number. One that no release can be in is an error.
func ParseRange(text string) (Range, error) {
	r := Range{text: strings.Join(strings.Fields(text), " ")}
	words := strings.Fields(text)
	if len(words) == 3 && words[1] == ".." {
		words = []string{">=", words[0], "<=", words[2]}
	}
	if len(words) == 1 {
		words = []string{">=", words[0], "<=", words[0]}
	}
	if len(words)%2 != 0 || len(words) > 4 {
		return r, fmt.Errorf("range %q: want a number such as 8.0, a bound such as >= 8.0.22, two bounds, or 8.0 .. 8.4", text)
	}
	for ; len(words) > 0; words = words[2:] {
		numbers, err := Numbers(words[1])
		if err != nil {
			return r, fmt.Errorf("range %q: %w", text, err)
		}
		if err := r.bound(words[0], numbers); err != nil {
			return r, fmt.Errorf("range %q: %w", text, err)
		}
	}
	if r.low != nil && r.high != nil && slices.Compare(r.low, r.high) >= 0 {
		return r, fmt.Errorf("range %q: no release can be in it", text)
	}
	return r, nil
}

func (r *Range) bound(sign string, numbers []int) error {
	switch sign {
	case ">=", ">":
		if r.low != nil {
			return fmt.Errorf("two lower bounds")
		}
		if sign == ">" {
			numbers = after(numbers)
		}
		r.low = trimmed(numbers)
	case "<=", "<":
		if r.high != nil {
			return fmt.Errorf("two upper bounds")
		}
		if sign == "<=" {
			numbers = after(numbers)
		}
		r.high = trimmed(numbers)
	default:
		return fmt.Errorf("unknown word %q: want one of >= > <= < .. before a version", sign)
	}
	return nil
}

// after is the first number beyond those that begin with the given ones.
func after(numbers []int) []int {
	next := slices.Clone(numbers)
	next[len(next)-1]++
	return next
}

// Numbers reads the leading number of a release: "8.0.36-28" is 8, 0, 36, and "v1.1.10" is 1, 1, 10.
func Numbers(release string) ([]int, error) {
	text := strings.TrimPrefix(release, "v")
	if end := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); end >= 0 {
		text = text[:end]
	}
	var numbers []int
	for _, part := range strings.Split(text, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("%q is no release number such as 8.0.36 or v1.1.10", release)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// Contains reports whether a release is in the range.
func (r Range) Contains(numbers []int) bool {
	return (r.low == nil || slices.Compare(numbers, r.low) >= 0) && (r.high == nil || slices.Compare(numbers, r.high) < 0)
}

// trimmed drops zeros at the end: 8.4.0 and 8.4 are one bound.
func trimmed(numbers []int) []int {
	for len(numbers) > 1 && numbers[len(numbers)-1] == 0 {
		numbers = numbers[:len(numbers)-1]
	}
	return numbers
}

// Overlaps reports whether a release can be in both ranges.
func (r Range) Overlaps(other Range) bool {
	below := func(a, b Range) bool { return a.high != nil && b.low != nil && slices.Compare(a.high, b.low) <= 0 }
	return !below(r, other) && !below(other, r)
}

// Numbers are those of a version.
func (v Version) Numbers() []int { return []int{v.Major, v.Minor, v.Patch} }
