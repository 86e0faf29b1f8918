package basedir

import (
	"testing"

	"mysqlmatrix/harness/matrix"
)

func TestDeclaredSize(t *testing.T) {
	source := func(d matrix.Declaration) matrix.Source { return matrix.Source{Declared: d} }
	packages := &matrix.Apt{Size: 10}
	for name, c := range map[string]struct {
		sources []matrix.Source
		want    int64
	}{
		"no source":                           {nil, 0},
		"an artifact with what completes it":  {[]matrix.Source{source(&Maven{Size: 100, Libraries: packages, Client: packages})}, 120},
		"packages alone are not the artifact": {[]matrix.Source{source(&Maven{Client: packages})}, 0},
		"the first that says":                 {[]matrix.Source{source(&Release{}), source(&Script{Size: 5}), source((*Apt)(packages))}, 5},
	} {
		if got := DeclaredSize(matrix.Entry{Sources: c.sources}); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
