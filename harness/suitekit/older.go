package suitekit

import (
	"path/filepath"

	"github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/sandbox"
)

// OlderSource is another server that was obtained on this machine, of an older series, that the cell's one can
// replicate from: the newest of them. Where there is none the spec is unsupported.
func OlderSource(profile sandbox.Profile) *sandbox.Golden {
	ginkgo.GinkgoHelper()
	mine := Golden(profile)
	paths, err := filepath.Glob(filepath.Join(filepath.Dir(mine.Dir), "*"))
	NoFault(err)
	var best *sandbox.Golden
	for _, path := range paths {
		other, err := sandbox.LoadGolden(path)
		if err != nil || other.Profile != profile || other.Flavor.Version.Series() == mine.Flavor.Version.Series() ||
			!mine.Flavor.CanReplicateFrom(other.Flavor) {
			continue
		}
		if best == nil || other.Flavor.Version.Compare(best.Flavor.Version) > 0 {
			best = other
		}
	}
	if best == nil {
		Unsupported("no server that " + mine.Flavor.String() + " can replicate from was obtained on this machine")
	}
	return best
}
