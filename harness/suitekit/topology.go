package suitekit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/pool"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/rundir"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/topology"
)

// The names of ginkgo report entries.
const (
	entryMeasurement = "measurement"
	entryFault       = "fault of the harness"
	entryVacuous     = "vacuous"
)

// deployed counts the topologies of this process, so that each has a folder of its own; topologies says where they came from.
var (
	deployed   int
	topologies report.Topologies
)

// Golden is the cell's golden sandbox of a profile.
func Golden(profile sandbox.Profile) *sandbox.Golden {
	ginkgo.GinkgoHelper()
	path, ok := current.Goldens[string(profile)]
	if !ok {
		fault(fmt.Errorf("the suite did not announce that it uses profile %s: name it in suitekit.Run", profile))
	}
	golden, err := sandbox.LoadGolden(path)
	if err != nil {
		fault(err)
	}
	return golden
}

// Flavor is what the cell's server is.
func Flavor(profile sandbox.Profile) flavor.Flavor {
	ginkgo.GinkgoHelper()
	return Golden(profile).Flavor
}

// Require makes the spec unsupported on a server that lacks one of the capabilities.
func Require(profile sandbox.Profile, capabilities ...flavor.Capability) {
	ginkgo.GinkgoHelper()
	golden := Golden(profile)
	for _, capability := range capabilities {
		if !golden.Capabilities[capability] {
			Unsupported((&topology.UnsupportedError{Flavor: golden.Flavor, Capability: capability}).Error())
		}
	}
}

// Unsupported ends the spec with the verdict unsupported and the reason.
func Unsupported(reason string) {
	ginkgo.GinkgoHelper()
	ginkgo.Skip(reason)
}

// Vacuous marks a spec that goes on to pass as one that has proved nothing, with the reason: what it set
// out to do did not happen. A spec that fails stays failed.
func Vacuous(reason string) {
	ginkgo.AddReportEntry(entryVacuous, reason, types.ReportEntryVisibilityNever)
}

// Deploy gives the spec a fresh, proven topology. When the spec ends, or this fails, evidence is gathered if it
// failed, and the servers are removed. A server that lacks what the topology needs makes the spec unsupported; any
// other failure to deploy is the harness's and not the subject's, and makes it errored.
func Deploy(ctx context.Context, profile sandbox.Profile, options topology.Options) *topology.Topology {
	ginkgo.GinkgoHelper()
	evidence := nextEvidence()
	options.Evidence = evidence
	begin := time.Now()
	t, err := topology.Deploy(ctx, Golden(profile), options, filepath.Join(current.Dir, "t"+strconv.Itoa(deployed)), current.Dir)
	noDeployFault(ctx, err)
	topologies.Started++
	Detail("provisioning "+options.Shape.String(), "s", time.Since(begin).Seconds())
	ginkgo.DeferCleanup(func(ctx context.Context) error { return end(ctx, t, evidence) })
	return t
}

// Share gives the spec a proven topology that other specs may have had before, and may have next. Nothing may stop or
// signal its servers, or break its links. It is used again when the spec passes and every node is as it was when the
// topology was new, but for the databases that the spec owns; otherwise it ends as one of Deploy does.
func Share(ctx context.Context, profile sandbox.Profile, options topology.Options, own ...string) *topology.Topology {
	ginkgo.GinkgoHelper()
	golden := Golden(profile)
	if current.Pool == "" || current.Keep || !pool.Shareable(golden, options) {
		return Deploy(ctx, profile, options)
	}
	evidence := nextEvidence()
	options.Evidence = evidence
	begin := time.Now()
	member, err := pool.Pool{Dir: current.Pool, Idle: current.PoolIdle}.Get(ctx, golden, options, current.Dir)
	noDeployFault(ctx, err)
	if member.Reused {
		topologies.Reused++
	} else {
		topologies.Started++
		Detail("provisioning "+options.Shape.String(), "s", time.Since(begin).Seconds())
	}
	ginkgo.DeferCleanup(func(ctx context.Context) error {
		if state := ginkgo.CurrentSpecReport(); state.Failed() || state.State == types.SpecStateSkipped {
			member.Withdraw()
			return end(ctx, member.Topology, evidence)
		}
		err := member.Return(ctx, own)
		if err == nil {
			return nil
		}
		topologies.Refused = append(topologies.Refused, err.Error())
		member.Withdraw()
		return member.Close()
	})
	return member.Topology
}

// nextEvidence is a folder for what the nodes of one more topology say.
func nextEvidence() string {
	deployed++
	return filepath.Join(current.Evidence, "nodes"+strconv.Itoa(deployed))
}

// noDeployFault ends the spec when a topology did not come up.
func noDeployFault(ctx context.Context, err error) {
	ginkgo.GinkgoHelper()
	var unsupported *topology.UnsupportedError
	switch {
	case errors.As(err, &unsupported):
		Unsupported(unsupported.Error())
	case err != nil && ctx.Err() == nil:
		fault(err)
	case err != nil:
		ginkgo.Fail(err.Error())
	}
}

// end gathers evidence when the spec failed, and removes the servers unless they are to be kept.
func end(ctx context.Context, t *topology.Topology, evidence string) error {
	if !ginkgo.CurrentSpecReport().Failed() {
		return t.Close()
	}
	err := t.Evidence(ctx, evidence)
	if current.Keep {
		return errors.Join(err, keep(t))
	}
	if current.KeepData {
		err = errors.Join(err, t.SaveData(filepath.Join(current.Evidence, "data", filepath.Base(t.Dir))))
	}
	return errors.Join(err, t.Close())
}

func keep(t *topology.Topology) error {
	return errors.Join(t.Disconnect(), rundir.MarkKept(current.Dir, current.ID.String()+" "+current.Spec))
}

// fault ends the spec as errored: something around the subject failed.
func fault(err error) {
	ginkgo.GinkgoHelper()
	ginkgo.AddReportEntry(entryFault, err.Error(), types.ReportEntryVisibilityNever)
	ginkgo.Fail(err.Error())
}

// NoFault ends the spec as errored when something that the harness does for it fails, such as preparing
// data or reading a status.
func NoFault(err error) {
	ginkgo.GinkgoHelper()
	if err != nil {
		fault(err)
	}
}

// WorkDir makes a folder of the spec's own, for what a tool writes.
func WorkDir(name string) string {
	ginkgo.GinkgoHelper()
	dir := filepath.Join(current.Dir, name)
	NoFault(os.MkdirAll(dir, 0o755))
	return dir
}

// Attach copies a file of the spec to its evidence when the spec fails.
func Attach(path string) { AttachAs(path, filepath.Base(path)) }

// AttachAs is Attach under another name, where a spec has several files of the same one.
func AttachAs(path, name string) {
	ginkgo.DeferCleanup(func() error {
		if !ginkgo.CurrentSpecReport().Failed() {
			return nil
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return errors.Join(err, os.MkdirAll(current.Evidence, 0o755),
			os.WriteFile(filepath.Join(current.Evidence, name), text, 0o644))
	})
}
