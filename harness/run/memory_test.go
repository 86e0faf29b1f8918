package run

import "testing"

func TestRoom(t *testing.T) {
	const gb = 1 << 30
	for _, test := range []struct {
		procs int
		free  int64
		want  int64
	}{
		{3, 24 * gb, 12},  // two processors
		{17, 16 * gb, 40}, // sixteen, and a laptop's memory
		{5, 2 * gb, 5},
		{5, gb / 2, fullWeight}, // whatever it is, one spec runs
		{0, 8 * gb, fullWeight},
		{5, 0, 20}, // it is not known
	} {
		if got := room(test.procs, test.free); got != test.want {
			t.Errorf("%d at once with %d bytes free: weight %d, want %d", test.procs, test.free, got, test.want)
		}
	}
	if freeMemory() <= 0 {
		t.Error("the system does not say how much memory is free")
	}
}
