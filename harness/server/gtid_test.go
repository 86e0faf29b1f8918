package server

import (
	"testing"

	"mysqlmatrix/harness/flavor"
)

const uuidA, uuidB = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "4e11fa47-71ca-11e1-9e33-c80aa9429562"

func mustGTID(t *testing.T, style flavor.GTIDStyle, text string) GTIDSet {
	t.Helper()
	set, err := ParseGTIDSet(style, text)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestGTIDSetMySQL(t *testing.T) {
	for _, c := range []struct{ a, b, minus, union string }{
		{"", "", "", ""},
		{uuidA + ":1-5", "", uuidA + ":1-5", uuidA + ":1-5"},
		{uuidA + ":1-5", uuidA + ":2-3", uuidA + ":1:4-5", uuidA + ":1-5"},
		{uuidA + ":1-5:7", uuidA + ":6", uuidA + ":1-5:7", uuidA + ":1-7"},
		{uuidA + ":1-5,\n" + uuidB + ":1", uuidA + ":1-9", uuidB + ":1", uuidA + ":1-9, " + uuidB + ":1"},
		{uuidA + ":1-5:blue:1-2", uuidA + ":1-5", uuidA + ":blue:1-2", uuidA + ":1-5, " + uuidA + ":blue:1-2"},
		{uuidA + ":3-5:1-2", uuidA + ":1:3:5", uuidA + ":2:4", uuidA + ":1-5"},
	} {
		a, b := mustGTID(t, flavor.GTIDMySQL, c.a), mustGTID(t, flavor.GTIDMySQL, c.b)
		if got := a.Minus(b).String(); got != c.minus {
			t.Errorf("%q minus %q is %q, want %q", c.a, c.b, got, c.minus)
		}
		if got := a.Union(b).String(); got != c.union {
			t.Errorf("%q union %q is %q, want %q", c.a, c.b, got, c.union)
		}
		if !a.Union(b).Contains(a) || !a.Union(b).Contains(b) || a.Contains(b) != (b.Minus(a).String() == "") {
			t.Errorf("%q, %q: Contains disagrees with Union or Minus", c.a, c.b)
		}
	}
	tagged := mustGTID(t, flavor.GTIDMySQL, uuidA+":1-5:blue:1-2,"+uuidB+":4")
	if got := tagged.Without(uuidA).String(); got != uuidB+":4" {
		t.Errorf("Without: %q", got)
	}
}

func TestGTIDSetMariaDB(t *testing.T) {
	ahead := mustGTID(t, flavor.GTIDMariaDB, "0-101-45,1-7-3")
	behind := mustGTID(t, flavor.GTIDMariaDB, "0-102-44")
	if !ahead.Contains(behind) || behind.Contains(ahead) {
		t.Errorf("%s against %s: want the first to contain the second", ahead, behind)
	}
	state, err := ParseBinlogState("0-101-45,0-102-46")
	if err != nil {
		t.Fatal(err)
	}
	if got := state.WithoutServer(101).String(); got != "0-102:1-46" {
		t.Errorf("what others than 101 wrote: %q", got)
	}
}

func TestParseGTIDSetRefuses(t *testing.T) {
	for _, text := range []string{uuidA + ":0", uuidA + ":5-3", uuidA + ":1-x"} {
		if set, err := ParseGTIDSet(flavor.GTIDMySQL, text); err == nil {
			t.Errorf("%q is read as %s", text, set)
		}
	}
	for _, text := range []string{"0-1", "0-1-x", "a"} {
		if set, err := ParseGTIDSet(flavor.GTIDMariaDB, text); err == nil {
			t.Errorf("%q is read as %s", text, set)
		}
	}
}
