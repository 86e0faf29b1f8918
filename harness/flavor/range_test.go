package flavor

import (
	"strings"
	"testing"
)

func TestRange(t *testing.T) {
	for text, c := range map[string]struct{ in, out string }{
		"":               {"5.5 8.0.46 26.7.0", ""},
		"8.0":            {"8.0.0 8.0.46", "5.7.44 8.1.0 8.4.0"},
		">= 8.0.22":      {"8.0.22 8.4.0 26.7.0", "8.0.21 5.7.44"},
		"> 8.0":          {"8.1.0 8.4.0", "8.0.46 5.7"},
		"<= 8.0":         {"8.0.46 5.6.24", "8.1.0 8.4"},
		"< 5.7.20":       {"5.7.19 5.6.51", "5.7.20 8.0.0"},
		"8.0 .. 8.4":     {"8.0.0 8.0.46 8.4.11", "8.5.0 5.7.44 9.7.4"},
		">= 10.5 < 11.1": {"10.5.0 10.11.19 11.0.6", "10.4.9 11.1.0 11.8.9"},
		"< 8.4.0":        {"8.0.46 8.3.9", "8.4.0 8.4.1"},
		"<= v1.1.8":      {"v1.1.8 v1.1.6 v1.0.49", "v1.1.9 v1.1.10 v2.0.0"},
		"3.2.1":          {"3.2.1", "3.2.10 3.7.1 3.2.0"},
	} {
		r, err := ParseRange(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		for want, releases := range map[bool]string{true: c.in, false: c.out} {
			for _, release := range strings.Fields(releases) {
				if numbers, err := Numbers(release); err != nil || r.Contains(numbers) != want {
					t.Errorf("%q holds %s: %v, want %v (%v)", text, release, !want, want, err)
				}
			}
		}
	}
	for text, want := range map[string]string{
		"8.4 .. 8.0": "no release can be in it", "> 8.0 < 8.1": "no release can be in it", ">= 9 < 9.0": "no release can be in it",
		"about 8.0": `unknown word "about"`, "8.0 until 8.4": "want a number", ">= eight": `"eight" is no release number`, ">= 8 >= 9": "two lower bounds",
	} {
		if _, err := ParseRange(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestRangesOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"8.0", "8.0.22", true}, {"< 8.4", ">= 8.4", false}, {"< 8.4.0", ">= 8.4", false}, {"<= 8.4", ">= 8.4", true}, {"", "9.7", true},
		{"5.6 .. 5.7", "8.0 .. 8.4", false}, {"5.6 .. 8.0", "8.0 .. 8.4", true},
	} {
		a, errA := ParseRange(c.a)
		b, errB := ParseRange(c.b)
		if errA != nil || errB != nil || a.Overlaps(b) != c.want || b.Overlaps(a) != c.want {
			t.Errorf("%q and %q: want %v", c.a, c.b, c.want)
		}
	}
}

func TestBuildOf(t *testing.T) {
	for _, c := range []struct {
		version, comment string
		want             Build
	}{
		{"10.11.19-MariaDB-0+deb12u1", "Debian 12", BuildDebian},
		{"11.8.9-MariaDB-0+deb13u1", "-- Please help get to 10k stars at https://github.com/MariaDB/Server", BuildDebian},
		{"9.7.4-2", "(Debian)", BuildDebian},
		{"10.11.5-MariaDB", "MariaDB Server", BuildVendor},
		{"8.0.31", "MySQL Community Server - GPL", BuildVendor},
		{"8.0.44-0ubuntu0.24.04.1", "(Ubuntu)", BuildUbuntu},
	} {
		if got := BuildOf(c.version, c.comment); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.version, c.comment, got, c.want)
		}
	}
}
