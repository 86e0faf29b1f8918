package topology

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Shape is how many servers there are and who replicates from whom. The zero Shape is invalid.
type Shape struct {
	Kind Kind
	N    int // replicas of a star, links of a chain, primaries of a ring or a fan-in
}

// Kind is a family of shapes.
type Kind uint8

// The kinds. The zero value is invalid.
const (
	KindUnknown Kind = iota
	Single           // one server
	Star             // a primary with N replicas
	Chain            // a primary, its replica, that one's replica, …: N replicas
	Tree             // a primary, two intermediate primaries, two replicas below each
	Ring             // two primaries that replicate from one another
	FanIn            // N primaries with one replica below them all
	MultiSource      // two primaries, a replica of the first, and a replica of both
)

var kinds = map[string]struct {
	kind     Kind
	min, max int // of N; 0, 0 where there is none
}{
	"single": {Single, 0, 0}, "star": {Star, 1, 16}, "chain": {Chain, 1, 16}, "tree": {Tree, 0, 0},
	"ring": {Ring, 2, 2}, "fan-in": {FanIn, 2, 8}, "multi-source": {MultiSource, 0, 0},
}

// ShapeHelp names every shape, for help texts and errors.
const ShapeHelp = "single, star:N, chain:N, tree, ring:2, fan-in:N, multi-source"

// ParseShape reads a shape such as "star:2".
func ParseShape(text string) (Shape, error) {
	name, number, hasNumber := strings.Cut(text, ":")
	k, ok := kinds[name]
	if !ok {
		return Shape{}, fmt.Errorf("topology %q: want one of %s", text, ShapeHelp)
	}
	if k.max == 0 {
		if hasNumber {
			return Shape{}, fmt.Errorf("topology %q: %s takes no number", text, name)
		}
		return Shape{Kind: k.kind}, nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < k.min || n > k.max {
		return Shape{}, fmt.Errorf("topology %q: want %s:N with N from %d to %d", text, name, k.min, k.max)
	}
	return Shape{Kind: k.kind, N: n}, nil
}

// MustShape is ParseShape for shapes written in code.
func MustShape(text string) Shape {
	s, err := ParseShape(text)
	if err != nil {
		panic(err)
	}
	return s
}

// String is the text that ParseShape reads.
func (s Shape) String() string {
	for name, k := range kinds {
		if k.kind == s.Kind {
			if k.max == 0 {
				return name
			}
			return name + ":" + strconv.Itoa(s.N)
		}
	}
	return "unknown topology"
}

// role is one server of a shape: its name and whom it replicates from, by index.
type role struct {
	name    string
	sources []int
}

// roles lists a shape's servers, the (first) primary first.
func (s Shape) roles() []role {
	list := []role{{name: "primary"}}
	switch s.Kind {
	case Star:
		for i := range s.N {
			list = append(list, role{fmt.Sprintf("replica%d", i+1), []int{0}})
		}
	case Chain:
		for i := range s.N {
			list = append(list, role{fmt.Sprintf("replica%d", i+1), []int{i}})
		}
	case Tree:
		list = append(list, role{"intermediate1", []int{0}}, role{"intermediate2", []int{0}})
		for i := range 4 {
			list = append(list, role{fmt.Sprintf("replica%d", i+1), []int{1 + i/2}})
		}
	case Ring:
		list = []role{{"primary1", []int{1}}, {"primary2", []int{0}}}
	case FanIn:
		list = nil
		sources := make([]int, s.N)
		for i := range s.N {
			list = append(list, role{name: fmt.Sprintf("primary%d", i+1)})
			sources[i] = i
		}
		list = append(list, role{"replica", sources})
	case MultiSource:
		list = []role{{name: "primary1"}, {name: "primary2"}, {"replica1", []int{0}}, {"replica", []int{0, 1}}}
	}
	return list
}

// Primaries are how many servers take writes of their own.
func (s Shape) Primaries() int {
	switch s.Kind {
	case Ring, FanIn:
		return s.N
	case MultiSource:
		return 2
	default:
		return 1
	}
}

// severalSources says that a server replicates from more than one.
func (s Shape) severalSources() bool {
	return slices.ContainsFunc(s.roles(), func(r role) bool { return len(r.sources) > 1 })
}

// set is which primary's data a server has, by index: its own number where it has several's, or is one.
func (s Shape) set(index int) int {
	if sources := s.roles()[index].sources; s.Kind == MultiSource && len(sources) == 1 {
		return sources[0]
	}
	return index
}

// Size is how many servers a shape has.
func (s Shape) Size() int { return len(s.roles()) }
