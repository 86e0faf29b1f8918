package matrix

import (
	"slices"
	"strings"

	"mysqlmatrix/harness/flavor"
)

// Older are the entries of an older series from which a server of e can replicate, the newest first.
func (m *Matrix) Older(e Entry) []Entry {
	mine, ok := e.flavor()
	if !ok {
		return nil
	}
	older := slices.DeleteFunc(slices.Clone(m.Entries), func(o Entry) bool {
		other, ok := o.flavor()
		return !ok || o.Series == e.Series || !mine.CanReplicateFrom(other)
	})
	slices.SortStableFunc(older, func(a, b Entry) int {
		one, _ := a.flavor()
		other, _ := b.flavor()
		return other.Version.Compare(one.Version)
	})
	return older
}

// SameSeries are the other entries of an entry's vendor and series.
func (m *Matrix) SameSeries(e Entry) []Entry {
	return slices.DeleteFunc(slices.Clone(m.Entries), func(o Entry) bool {
		return o.Name == e.Name || o.Vendor != e.Vendor || o.Series != e.Series
	})
}

// flavor is the oldest that a server of the entry can be; ok is false where the series is not known.
func (e Entry) flavor() (_ flavor.Flavor, ok bool) {
	series := e.Series
	if !strings.Contains(series, ".") {
		series += ".0"
	}
	version, err := flavor.ParseVersion(series)
	return flavor.Flavor{Vendor: e.Vendor, Version: version}, err == nil
}
