// Package suitekit is what a suite imports: the cell that it runs in, a proven topology for each spec,
// requirements, measurements and evidence.
package suitekit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	"github.com/onsi/gomega"
	"github.com/onsi/gomega/format"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/sandbox"
)

// cleanupGrace is how long a spec that is out of time may take to gather evidence and stop its servers.
const cleanupGrace = 30 * time.Second

// current is the cell of this process. A suite process has exactly one, read before its specs are built.
var current cell.Description

// Cell is the cell that this process runs.
func Cell() cell.Description { return current }

// specs are the functions that describe specs once the cell is known.
var specs []func()

// WithCell has specs described once the cell is known, for those whose names depend on it. It is called while a suite's
// package is initialised, as Describe is.
func WithCell(describe func()) bool {
	specs = append(specs, describe)
	return true
}

// Run hands a suite to ginkgo. It is called by the suite's one Test function, with the sandbox profiles
// that its specs use. Outside of a matrix run there is no cell, and the test is skipped with a word on how
// to start one.
func Run(t *testing.T, profiles ...sandbox.Profile) {
	path := os.Getenv(cell.Env)
	if path == "" {
		t.Skipf("a suite runs on a server that the harness provides: use `make test VERSION=mariadb-10.11` or `matrix run`")
	}
	var err error
	if current, err = cell.Read(path); err != nil {
		t.Fatal(err)
	}
	// What the suite starts must not hold these open after it.
	syscall.CloseOnExec(cell.EventsFD)
	syscall.CloseOnExec(cell.LifelineFD)
	events := os.NewFile(cell.EventsFD, "events")
	watchLifeline(os.NewFile(cell.LifelineFD, "lifeline"))
	gomega.RegisterFailHandler(ginkgo.Fail)
	format.RegisterCustomFormatter(errorInWords)
	suite, reporter := ginkgo.GinkgoConfiguration()
	reporter.NoColor, reporter.Succinct = true, true
	suite.RandomSeed = current.Seed
	for _, describe := range specs {
		describe()
	}
	name := current.ID.Suite
	if current.Mode == cell.ModeList {
		if err := writeCatalog(events, ginkgo.PreviewSpecs(name, suite, reporter), profiles); err != nil {
			t.Fatal(err)
		}
		return
	}
	// ginkgo matches the focus against the suite's description and the spec's text.
	suite.FocusStrings = []string{"^" + regexp.QuoteMeta(name+" "+current.Spec) + "$"}
	suite.Timeout, suite.GracePeriod = current.Limit, cleanupGrace
	reportTo(events)
	ginkgo.RunSpecs(t, name, suite, reporter)
}

// errorInWords has gomega show an error by its words, which it prints before it asks for this, and not by its fields as well.
func errorInWords(value any) (string, bool) {
	_, isError := value.(error)
	if v := reflect.ValueOf(value); isError && v.Kind() == reflect.Pointer && v.IsNil() {
		return "", false
	}
	return "", isError
}

// watchLifeline ends this process in order when the runner is gone: ginkgo answers SIGTERM by running the
// clean-up of the spec under way.
func watchLifeline(lifeline io.Reader) {
	go func() {
		_, err := io.Copy(io.Discard, lifeline)
		if err != nil && !errors.Is(err, os.ErrClosed) {
			fmt.Fprintln(ginkgo.GinkgoWriter, "lifeline:", err)
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			fmt.Fprintln(ginkgo.GinkgoWriter, "lifeline:", err)
		}
	}()
}

func writeCatalog(w io.Writer, preview types.Report, profiles []sandbox.Profile) error {
	var catalog cell.Catalog
	for _, profile := range profiles {
		catalog.Profiles = append(catalog.Profiles, string(profile))
	}
	for _, spec := range preview.SpecReports {
		if spec.LeafNodeType == types.NodeTypeIt {
			catalog.Specs = append(catalog.Specs, cell.Spec{Text: spec.FullText(), Labels: spec.Labels()})
		}
	}
	return json.NewEncoder(w).Encode(catalog)
}

// reportTo writes an event when the spec starts and one when it has ended, its clean-up included.
func reportTo(w io.Writer) {
	encoder := report.NewEncoder(w)
	ginkgo.ReportBeforeEach(func(spec types.SpecReport) {
		if spec.State == types.SpecStateSkipped {
			return // not the one in focus
		}
		emit(encoder, report.Event{Type: report.EventSpecStarted, Spec: spec.FullText(), Labels: spec.Labels()})
	})
	ginkgo.ReportAfterEach(func(spec types.SpecReport) {
		if spec.FullText() != current.Spec {
			return
		}
		emit(encoder, finished(spec))
	})
}

func emit(encoder *report.Encoder, e report.Event) {
	e.Time, e.Cell = time.Now(), current.ID
	if err := encoder.Encode(e); err != nil {
		// The runner sees a spec without an end and says so; there is nobody else to tell.
		fmt.Fprintln(os.Stderr, "event:", err)
	}
}

// finished turns ginkgo's report of a spec into an event.
func finished(spec types.SpecReport) report.Event {
	e := report.Event{Type: report.EventSpecFinished, Spec: spec.FullText(), Labels: spec.Labels(),
		Seconds: report.SecondsOf(spec.RunTime), Measurements: measurements(spec)}
	if topologies.Started+topologies.Reused > 0 {
		e.Topologies = &topologies
	}
	switch spec.State {
	case types.SpecStatePassed:
		e.Verdict = report.VerdictPassed
		if reason, ok := entryText(spec, entryVacuous); ok {
			e.Verdict, e.Reason = report.VerdictVacuous, reason
		}
		return e
	case types.SpecStateSkipped:
		e.Verdict, e.Reason = report.VerdictUnsupported, spec.FailureMessage()
		return e
	case types.SpecStateTimedout:
		e.Verdict = report.VerdictTimedOut
	case types.SpecStateInterrupted, types.SpecStateAborted:
		e.Verdict = report.VerdictErrored
	default:
		e.Verdict = report.VerdictFailed
		if _, ok := entryText(spec, entryFault); ok {
			e.Verdict = report.VerdictErrored
		}
	}
	e.Error = failureText(spec)
	return e
}

// failureText is the failure, where it happened, and what failed after it in the clean-up.
func failureText(spec types.SpecReport) string {
	text := spec.Failure.Message
	if spec.State.Is(types.SpecStatePanicked) {
		text = "panic: " + spec.Failure.ForwardedPanic + "\n" + spec.Failure.Location.FullStackTrace
	}
	text += "\nat " + spec.Failure.Location.String()
	for _, more := range spec.AdditionalFailures {
		text += "\nthen: " + more.Failure.Message
	}
	return text
}
