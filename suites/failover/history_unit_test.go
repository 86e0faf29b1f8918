package failover_test

import (
	"slices"
	"testing"
)

func TestHistoryIsShortened(t *testing.T) {
	h := drawHistory(7, 1)
	h[3], h[20] = incident{"kill", "replica1"}, incident{"takeover", "replica2"}
	fails := func(h history) bool {
		kill := slices.Index(h, incident{"kill", "replica1"})
		return kill >= 0 && slices.Contains(h[kill:], incident{"takeover", "replica2"})
	}
	got := shorten(h, fails, func() bool { return true })
	if want := "kill replica1; takeover replica2"; got.String() != want {
		t.Errorf("shortened to %q, want %q", got, want)
	}
	again, err := parseHistory(h.String())
	if err != nil || !slices.Equal(again, h) {
		t.Errorf("read again: %v, %v", again, err)
	}
	if !slices.Equal(drawHistory(7, 2), drawHistory(7, 2)) || slices.Equal(drawHistory(7, 2), drawHistory(7, 3)) {
		t.Error("a history does not depend on seed and number alone")
	}
	if _, err := parseHistory("kill"); err == nil {
		t.Error("no error for an incident without a server")
	}
}

func TestEachPairOfValuesIsDrawn(t *testing.T) {
	drawn := drawSituations(3)
	have := map[[4]int]bool{}
	for _, one := range drawn {
		for _, pair := range one.pairs() {
			have[pair] = true
		}
	}
	for d := range deaths {
		for m := range moments {
			for sh := range shapes {
				for mo := range modes {
					one := situation{d, m, sh, mo}
					for _, pair := range one.pairs() {
						if one.possible() && !have[pair] {
							t.Errorf("%s: a pair of it is not drawn", one)
						}
					}
				}
			}
		}
	}
	if all := len(deaths) * len(moments) * len(shapes) * len(modes); len(drawn) > all/4 {
		t.Errorf("%d of %d situations are drawn", len(drawn), all)
	}
}
