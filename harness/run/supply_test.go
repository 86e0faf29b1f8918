package run

import (
	"context"
	"errors"
	"testing"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/matrix"
)

// A server that was found unavailable is known to be; one that was not tried, or failed otherwise, is not.
func TestUnavailable(t *testing.T) {
	s := &Supply{}
	for name, failure := range map[string]error{"gone": &basedir.UnavailableError{}, "broken": errors.New("disk full"), "there": nil} {
		_, err := obtain(context.Background(), s, basedirKey(matrix.Entry{Name: name}), func() (*basedir.Basedir, error) { return &basedir.Basedir{}, failure })
		if !errors.Is(err, failure) {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{"gone": true, "broken": false, "there": false, "not tried": false} {
		if got := s.unavailable(matrix.Entry{Name: name}) != nil; got != want {
			t.Errorf("%s unavailable: %t", name, got)
		}
	}
}
