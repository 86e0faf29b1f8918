package run

import (
	"context"
	"errors"
	"testing"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/matrix"
)

// A server that could not be had is known to be lacking; one that was not tried, or failed otherwise, is not.
func TestLacks(t *testing.T) {
	s := &Supply{}
	for name, failure := range map[string]error{"gone": &basedir.UnavailableError{}, "broken": errors.New("disk full"), "there": nil} {
		_, err := obtain(context.Background(), s, basedirKey(matrix.Entry{Name: name}), func() (*basedir.Basedir, error) { return &basedir.Basedir{}, failure })
		if !errors.Is(err, failure) {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{"gone": true, "broken": false, "there": false, "not tried": false} {
		if got := s.lacks(matrix.Entry{Name: name}) != nil; got != want {
			t.Errorf("%s lacks: %t", name, got)
		}
	}
}
