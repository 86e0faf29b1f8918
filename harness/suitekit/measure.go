package suitekit

import (
	"encoding/json"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"mysqlmatrix/harness/report"
)

// Measure keeps a number with the spec's result; the final table shows it. The unit is as printed: "s",
// "ms", "rows/s", "" for a count.
func Measure(name, unit string, value float64) {
	record(report.Measurement{Name: name, Unit: unit, Value: value})
}

// Detail keeps a number that only the files show.
func Detail(name, unit string, value float64) {
	record(report.Measurement{Name: name, Unit: unit, Value: value, Detail: true})
}

func record(m report.Measurement) {
	ginkgo.AddReportEntry(entryMeasurement, m, types.ReportEntryVisibilityNever)
}

func measurements(spec types.SpecReport) []report.Measurement {
	var list []report.Measurement
	for _, entry := range spec.ReportEntries {
		if m, ok := entry.GetRawValue().(report.Measurement); ok {
			list = append(list, m)
		} else if entry.Name == entryMeasurement && json.Unmarshal([]byte(entry.Value.AsJSON), &m) == nil {
			list = append(list, m)
		}
	}
	return list
}

// entryText is the text of a spec's report entry.
func entryText(spec types.SpecReport, name string) (text string, ok bool) {
	for _, entry := range spec.ReportEntries {
		if entry.Name == name {
			return entry.StringRepresentation(), true
		}
	}
	return "", false
}
