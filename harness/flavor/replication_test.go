package flavor

import "testing"

func TestCanReplicateFrom(t *testing.T) {
	flavorOf := func(vendor Vendor, major, minor, patch int) Flavor {
		return Flavor{vendor, Version{major, minor, patch}}
	}
	for _, c := range []struct {
		replica, source Flavor
		want            bool
	}{
		{flavorOf(MySQL, 8, 0, 30), flavorOf(MySQL, 8, 0, 36), true}, // patches of one series
		{flavorOf(MySQL, 8, 4, 0), flavorOf(MySQL, 8, 0, 36), true},
		{flavorOf(MySQL, 8, 0, 36), flavorOf(MySQL, 8, 4, 0), false},
		{flavorOf(Percona, 8, 0, 36), flavorOf(MySQL, 8, 0, 36), true},
		{flavorOf(MySQL, 8, 0, 36), flavorOf(MySQL, 5, 7, 44), true},
		{flavorOf(MySQL, 9, 7, 0), flavorOf(MySQL, 5, 6, 24), false},
		{flavorOf(MariaDB, 10, 11, 2), flavorOf(MariaDB, 10, 5, 29), true},
		{flavorOf(MariaDB, 10, 5, 29), flavorOf(MariaDB, 10, 11, 2), false},
		{flavorOf(MariaDB, 10, 11, 2), flavorOf(MySQL, 5, 6, 24), false},
		{flavorOf(MySQL, 9, 7, 0), flavorOf(MariaDB, 5, 5, 0), false},
	} {
		if got := c.replica.CanReplicateFrom(c.source); got != c.want {
			t.Errorf("%s from %s: %v, want %v", c.replica, c.source, got, c.want)
		}
	}
}
