// Package report folds the recorded events of a run into one aggregate, and shows that as tables, lines and files.
//
// It is a pure function of the event stream: whatever a view shows can be shown again, later and elsewhere, from the
// recorded events or from run.json. Nothing here starts a program, reads a clock, or looks at a terminal.
//
//	events → Aggregate → Run → Live, Plain      while it runs
//	                         → WriteFinal       the terminal, at the end
//	                         → WriteJSON        run.json; ReadRun and Merge take it up again
//	                         → WriteJUnit       junit.xml
//	                         → WriteMarkdown    a job summary
//	                         → WriteAnnotations workflow commands, one for each broken server version
//	                         → Compare          two runs; WriteHistory: many
//	                         → ExitCode
//
// # The event stream
//
// One JSON object on a line, in the order in which things happened. The first carries "version": 2. Every event has
// "time" (RFC 3339) and "type"; the types are those of EventType, and beside each stands what it carries:
//
//	{"version":2,"time":"2026-11-23T09:00:00Z","type":"run-started","plan":[{"entry":"mysql-9.7","suite":"failover","tool":"embedded","version":"builtin"}],"seed":7}
//	{"time":"…","type":"cell-started","cell":{"entry":"mysql-9.7","suite":"failover","tool":"embedded","version":"builtin"},"total":1,"server":{"vendor":"mysql","version":"9.7.4","build":"…"}}
//	{"time":"…","type":"spec-started","cell":{…},"spec":"a killed primary: promotes a replica","labels":["slow"]}
//	{"time":"…","type":"spec-finished","cell":{…},"spec":"…","verdict":"failed","seconds":3.2,"error":"…","evidence":"evidence/…","repro":"matrix run …"}
//	{"time":"…","type":"spec-finished","cell":{…},"spec":"…","attempt":2,"verdict":"passed","seconds":3.1}
//	{"time":"…","type":"cell-finished","cell":{…},"seconds":4.1}
//	{"time":"…","type":"run-finished","seconds":5.0,"status":"complete"}
//
// A suite writes spec-started and spec-finished, the runner everything else; cell-started may come from both, and the
// later one adds to the earlier. Only a suite says failed: a runner's cell-finished carries a verdict only where it is
// one of its own (unavailable, unsupported, errored, timed-out). A stream may end anywhere: what it leaves open is
// settled by Aggregate.End, and a last line that was cut off costs that line alone.
//
// # run.json
//
// The Run, as JSON; run.schema.json is its JSON Schema; "version" is 2. Fields that are empty are left out.
//
//	version        2; files of version 1 are read as well
//	status         "complete", "interrupted", "running"
//	started        RFC 3339
//	seconds        how long the run took
//	matrix_digest  of the matrix.yaml that it was planned from
//	seed           by which suites order their specs
//	hosts          [{go_version, os, cpus}]: one, or several in a merged run
//	cells          in the order of the plan:
//	  id             {entry, suite, tool, version}: version is the tool's
//	  server         {vendor, version, build}: as it says itself
//	  tool_version   the tool's own words
//	  tool_flag      the --tool argument that chooses the tool
//	  seed, total            total: specs announced
//	  limit, checksum, trust_first_use   what the run was told, and a repetition is told again
//	  state          "pending", "running", "finished", "interrupted"
//	  verdict        only when finished: "passed", "vacuous", "failed", "known", "flaky", "fixed", "unsupported", "unavailable", "errored", "timed-out"
//	  started, seconds
//	  error, reason  error of what went wrong; reason of vacuous, unsupported and unavailable
//	  expectation    {error, link, review, note}: the declaration by which it is known or fixed
//	  evidence       folder, relative to that of run.json
//	  repro          a command line that repeats it
//	  failure        its id, the same in every run: matrix repro RUN/ID
//	  attempts       [{verdict, seconds, error, evidence}] where there were several; the rest is what they come to together
//	  measurements   [{name, unit, value, detail}]
//	  specs          [{spec, labels, and the fields from state to measurements}]
//	notes          [{time, cell, text}]
//
// A cell's verdict is the worst of its specs' and of what the runner said of it: errored, timed-out, failed, fixed, flaky,
// known, vacuous, passed, unsupported, unavailable, in this order. A cell that announced more specs than it reported is errored.
//
// # Text from outside
//
// Servers and tools under test write into specs' errors. Every view strips escape sequences from them, shows other
// control, invisible and direction-changing characters as U+FFFD, and puts "| " before quoted lines, so that nothing
// in them works on a terminal, in a browser or as a command to a CI service. The event stream and run.json keep them
// as they came, in JSON's own escapes.
package report
