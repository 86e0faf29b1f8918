package suitekit

import (
	"fmt"
	"slices"

	"github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/sandbox"
)

// OlderSource is a server of an older series that the cell's one can replicate from: the newest available one. Where
// there is none the spec, which must have cell.LabelOlder, is unsupported.
func OlderSource(profile sandbox.Profile) *sandbox.Golden {
	ginkgo.GinkgoHelper()
	return second(profile, cell.LabelOlder, current.Older, "server of an older series that "+Golden(profile).Flavor.String()+" can replicate from")
}

// EarlierRelease is an earlier release of the series of the cell's server. Where there is none the spec, which must have
// cell.LabelEarlier, is unsupported.
func EarlierRelease(profile sandbox.Profile) *sandbox.Golden {
	ginkgo.GinkgoHelper()
	return second(profile, cell.LabelEarlier, current.Earlier, "earlier release of the series of "+Golden(profile).Flavor.String())
}

func second(profile sandbox.Profile, label string, goldens map[string]string, what string) *sandbox.Golden {
	ginkgo.GinkgoHelper()
	if labels := ginkgo.CurrentSpecReport().Labels(); !slices.Contains(labels, label) {
		fault(fmt.Errorf("the spec uses another server without the label %q, by which the runner obtains one", label))
	}
	path, ok := goldens[string(profile)]
	if !ok {
		Unsupported("no " + what + " is available on this machine")
	}
	golden, err := sandbox.LoadGolden(path)
	NoFault(err)
	return golden
}
