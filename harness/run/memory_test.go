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

// What topologies that wait take is left to them, and a machine that says nothing of its memory is not one that has none.
func TestMemoryOfIdleTopologies(t *testing.T) {
	const gigabyte = 1 << 30
	for _, c := range []struct {
		config     Config
		free, want int64
	}{
		{Config{Procs: 3}, 8 * gigabyte, 8 * gigabyte},
		{Config{Procs: 3, Pool: "/p"}, 8 * gigabyte, 8*gigabyte - 3*idleMemory},
		{Config{Procs: 3, Pool: "/p"}, gigabyte, 1},
		{Config{Procs: 3, Pool: "/p"}, 0, 0},
	} {
		if got := c.config.memory(c.free); got != c.want {
			t.Errorf("with %d free and the pool %q specs may take %d, want %d", c.free, c.config.Pool, got, c.want)
		}
	}
}
