package localtests

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mysqlmatrix/harness/server"
)

// writeTests makes a source folder with a script and test folders: name → file → text.
func writeTests(t *testing.T, folders map[string]map[string]string) (source string) {
	t.Helper()
	source = t.TempDir()
	write := func(text string, path ...string) {
		name := filepath.Join(append([]string{source, localtestsDir}, path...)...)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write("test_timeout=120\nlog=/tmp/gh-ost-test.log\n", localtestsScript)
	write("services:\n", "compose.yml")
	for name, files := range folders {
		for file, text := range files {
			write(text, name, file)
		}
	}
	return source
}

func TestReadLocaltests(t *testing.T) {
	l, err := Read(writeTests(t, map[string]map[string]string{
		"sysbench": {"create.sql": "/* create event e */ drop table t;"},
		"swap": {
			"create.sql": "create table t (id int);\ndelimiter ;;\ncreate event e\n on schedule every 1 second do begin end ;;",
			"test.sh":    "build", "gtid_mode": "ON\n", "ignore_versions": "(5.5)\n",
		},
		"refused": {"create.sql": "-- create event e\ncreate table t (id int)", "expect_failure": "no key\nat all\n"},
		"any":     {"expect_failure": ""},
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := []Folder{
		{Name: "any", ExpectFailure: true},
		{Name: "refused", ExpectFailure: true, Failure: "no key\nat all"},
		{Name: "swap", Event: true, Script: true, GTIDMode: "ON", IgnoreVersions: "(5.5)"},
		{Name: "sysbench", Sysbench: true},
	}
	if len(l.Folders) != len(want) {
		t.Fatalf("got %+v", l.Folders)
	}
	for i, f := range l.Folders {
		if want[i].Dir = filepath.Join(l.Dir, f.Name); f != want[i] {
			t.Errorf("got  %+v\nwant %+v", f, want[i])
		}
	}
}

func TestNoLocaltests(t *testing.T) {
	for _, source := range []string{"", t.TempDir(), "/dev/null"} {
		if _, err := Read(source); !errors.Is(err, ErrNone) {
			t.Errorf("%q: %v", source, err)
		}
	}
}

func TestCreatesEvent(t *testing.T) {
	for text, want := range map[string]bool{
		"create event gh_ost_test\n on schedule":               true,
		"CREATE OR REPLACE EVENT e":                            true,
		"create definer=`root`@`%` event e":                    true,
		"drop event if exists gh_ost_test;":                    false,
		"-- Test the create event\ncreate table events (id x)": false,
		"select 1--create event e":                             true, // no comment: a blank must follow the dashes
		"/* create\n event */ create table event (event int)":  false,
	} {
		if got := createsEvent(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestOutcomes(t *testing.T) {
	output := strings.Join([]string{
		"# master verified at 127.0.0.1:3306", "Building",
		"Testing: swap-uk.....", "+ pass (7s)",
		"Skipping: spatial", "+ pass (0s)",
		"Testing: sysbench..skipping", "+ pass (2s)",
		"Testing: latin1.ERROR 1064 (42000) at line 1: near 'slave'", "..", "+ pass",
		"Testing: fail-fk...", "ERROR fail-fk execution was expected to exit on error but did not.", "+ FAIL (3s)", "",
	}, "\n")
	want := []Outcome{{"swap-uk", Passed}, {"spatial", Skipped}, {"sysbench", Skipped}, {"latin1", Passed}, {"fail-fk", Failed}}
	r := Result{Output: output}
	r.Outcomes = parseOutcomes(output)
	if len(r.Outcomes) != len(want) {
		t.Fatalf("got %v", r.Outcomes)
	}
	for _, w := range want {
		if got := r.Verdict(w.Name); got != w.Verdict {
			t.Errorf("%s: %s, want %s", w.Name, got, w.Verdict)
		}
	}
	if err := r.plausible(errors.New("exit status 1")); err == nil {
		t.Error("an error that is no exit code passes for a verdict")
	}
	r.Outcomes = parseOutcomes("Testing: a...\nERROR replication failure\n")
	if err := r.plausible(nil); err == nil || r.Verdict("a") != Unknown || r.Verdict("b") != Unknown {
		t.Errorf("a script that ends without a verdict: %v, %v", err, r.Outcomes)
	}
}

func TestCountApplied(t *testing.T) {
	log := "DEBUG ApplyDMLEventQueries() applied 3 events in one transaction\nCopy: 1/1 100.0%; Applied: 3; Backlog: 9/1000\n" +
		"DEBUG ApplyDMLEventQueries() applied 9 events in one transaction\n"
	if got := countApplied(log); got != 12 {
		t.Errorf("got %d", got)
	}
	if got := countApplied("FATAL"); got != 0 {
		t.Errorf("from nothing: %d", got)
	}
}

func TestVacuous(t *testing.T) {
	const early = "2026-01-01 INFO connection validated\n2026-01-01 FATAL Error 1193 (HY000): Unknown system variable 'transaction_isolation'\n"
	const late = "2026-01-01 INFO Table found. Engine=innodb\n2026-01-01 FATAL Error 1067 (42000): Invalid default value\n"
	for name, c := range map[string]struct {
		folder  Folder
		applied int64
		log     string
		changed int64
		want    string // part of the reason; "" proves something
	}{
		"an event that wrote":                   {Folder{Event: true}, 5, "", 7, ""},
		"an event that failed":                  {Folder{Event: true}, 0, "", 0, "changed no row"},
		"nothing applied":                       {Folder{Event: true}, 0, "", 7, "changed 7 rows while gh-ost ran, and gh-ost applied no DML"},
		"sysbench":                              {Folder{Sysbench: true}, 0, "", 0, "sysbench changed no row"},
		"no event":                              {Folder{}, 0, "", 0, ""},
		"a script of its own":                   {Folder{Script: true, Event: true}, 0, "", 0, ""},
		"the refusal that was wanted":           {Folder{ExpectFailure: true, Event: true, Failure: "Invalid"}, 0, late, 0, ""},
		"any failure, after a look":             {Folder{ExpectFailure: true}, 0, late, 0, ""},
		"any failure, before a look":            {Folder{ExpectFailure: true}, 0, early, 0, "transaction_isolation"},
		"a refusal of the flags, no server's":   {Folder{ExpectFailure: true}, 0, "FATAL --table must be provided\n", 0, ""},
		"the text that was wanted, though soon": {Folder{ExpectFailure: true, Failure: "Unknown system variable"}, 0, early, 0, ""},
	} {
		got := c.folder.Vacuous(&Result{Applied: c.applied, Log: c.log}, c.changed)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestComplaint(t *testing.T) {
	r := Result{
		Output: "Testing: a...\nERROR 1064 (42000) at line 2: near 'json'\nERROR a create failure. cat x:\ncreate table t\n< 1\n> 2\n+ FAIL",
		Log:    "INFO starting\n2026 FATAL Error 1193 (HY000): Unknown system variable\ndebug.Stack()\n2026-01-01 DEBUG skipping\n2026-01-01 DEBUG skipping\n",
	}
	got := r.Complaint()
	for _, want := range []string{"near 'json'", "create failure", "< 1", "> 2", "Unknown system variable", "debug.Stack()"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "create table t") || strings.Contains(got, "skipping") {
		t.Errorf("lines that tell of no trouble:\n%s", got)
	}
	r = Result{Output: "Testing: a...", Stopped: errors.New("it did not end within 1m0s")}
	if got := r.Complaint(); !strings.HasPrefix(got, "it did not end within 1m0s:\nTesting: a") {
		t.Error(got)
	}
}

// TestScratchCopies holds that no file of the scratch folder names /tmp, which all runs would share.
func TestScratchCopies(t *testing.T) {
	source := writeTests(t, map[string]map[string]string{
		"own": {"test.sh": "touch /tmp/flag", "extra_args": "--flag=/tmp/flag", "create.sql": "select 1", "more/x": "y"},
	})
	l, err := Read(source)
	if err != nil {
		t.Fatal(err)
	}
	u := &Script{Tests: l, Workdir: filepath.Join(t.TempDir(), "w")}
	to := filepath.Join(u.Workdir, "own")
	if err := u.copyFolder(l.Folders[0].Dir, to); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"test.sh": "touch " + u.Workdir + "/flag", "extra_args": "--flag=" + u.Workdir + "/flag", "create.sql": "select 1", "more/x": "y"} {
		if got, err := os.ReadFile(filepath.Join(to, file)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", file, got, err)
		}
	}
}

func TestScratchWantsShortPath(t *testing.T) {
	u := &Script{Workdir: "/" + strings.Repeat("x", maxSocketPath)}
	if err := u.scratch(context.Background()); err == nil || !strings.Contains(err.Error(), "--run-dir") {
		t.Errorf("got %v", err)
	}
	u.Workdir = "relative"
	if err := u.scratch(context.Background()); err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Errorf("got %v", err)
	}
}

func TestLimit(t *testing.T) {
	l, err := Read(writeTests(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	u := &Script{Tests: l, Folders: make([]Folder, 2)}
	if got, err := u.limit(); err != nil || got.Seconds() != 2*(120+60) {
		t.Errorf("with the script's own limit: %s, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(l.Dir, localtestsScript), []byte("bash gh-ost"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := u.limit(); err != nil || got != 2*hangLimit {
		t.Errorf("without one: %s, %v", got, err)
	}
}

func TestParseCoordinates(t *testing.T) {
	for text, want := range map[string]server.Coordinates{
		"mysql-bin.000002\t4711\t\t\t\n":      {File: "mysql-bin.000002", Pos: 4711},
		"mysql-bin.000001\t328\t\t\tuuid:1-5": {File: "mysql-bin.000001", Pos: 328},
	} {
		if got, err := parseCoordinates(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "mysql-bin.000001", "a\tb"} {
		if _, err := parseCoordinates(text); err == nil {
			t.Errorf("%q is taken for coordinates", text)
		}
	}
}

func TestShellWords(t *testing.T) {
	if got := shellWords("a b", "it's"); got != `'a b' 'it'\''s'` {
		t.Error(got)
	}
}
