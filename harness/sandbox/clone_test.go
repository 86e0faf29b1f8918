package sandbox

import "testing"

func TestServerIsRunByWhoeverStartsIt(t *testing.T) {
	const text = "[client]\nuser               = msandbox\n\n[mysqld]\nuser               = root\nport = 1\n"
	const want = "[client]\nuser               = msandbox\n\n[mysqld]\nuser = somebody\nport = 1\n"
	if got := runBy(text, "somebody"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
