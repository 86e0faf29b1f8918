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
	if labels := ginkgo.CurrentSpecReport().Labels(); !slices.Contains(labels, cell.LabelOlder) {
		fault(fmt.Errorf("the spec uses an older server without the label %q, by which the runner obtains one", cell.LabelOlder))
	}
	path, ok := current.Older[string(profile)]
	if !ok {
		Unsupported("no server of an older series that " + Golden(profile).Flavor.String() + " can replicate from is available on this machine")
	}
	golden, err := sandbox.LoadGolden(path)
	NoFault(err)
	return golden
}
