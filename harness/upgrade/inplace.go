package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/sandbox"
)

// inPlace starts each new version on a copy of the data directory of the one before.
func (r *runner) inPlace(ctx context.Context, o *Outcome) (err error) {
	data, absent := r.base, map[string]bool{}
	for i, g := range r.Goldens[1:] {
		s, err := r.clone(g, "inplace", data)
		if err != nil {
			return err
		}
		next, err := r.start(ctx, s)
		var failed *sandbox.StartError
		if errors.As(err, &failed) {
			return errors.Join(r.aborted(ctx, o, s, i), s.Remove())
		}
		if err != nil {
			return err
		}
		if o.Detail, err = systemTables(ctx, next, r.Dir); err != nil {
			return errors.Join(err, next.remove())
		}
		if o.Detail != "" && !next.side.flavor.MinMySQL(8, 0, 0) {
			o.Status = Unsupported // such a server answers with its old system tables for little
			return next.remove()
		}
		for key := range r.logged(o.Way, next.ErrorLogPath(), false) {
			absent[key] = true
		}
		if i == len(r.Goldens)-2 {
			return errors.Join(r.inPlaceCompared(ctx, o, next, nil), next.remove())
		}
		data = next.DataDir()
		if err := next.slowShutdown(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) inPlaceCompared(ctx context.Context, o *Outcome, next *running, absent map[string]bool) (err error) {
	old, err := r.old(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, old.remove()) }()
	o.WayBack = "only the data directory that was kept: once the new server has upgraded it, the old one does not start on it"
	return r.compare(ctx, o, old.side, next.side, nil, absent)
}

// upgradePrograms are by what system tables are upgraded where the server does not do it.
var upgradePrograms = []string{"mariadb-upgrade", "mysql_upgrade"}

// systemTables brings the system tables up to date; detail says what could not be done.
func systemTables(ctx context.Context, s *running, scope string) (detail string, err error) {
	if s.side.flavor.MinMySQL(8, 0, 16) {
		return "", nil // the server has done it
	}
	for _, name := range upgradePrograms {
		path := filepath.Join(s.Basedir(), "bin", name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		e := s.Endpoint()
		output, err := proc.Run(ctx, proc.Cmd{Path: path, Scope: scope, Dir: s.Dir(), Env: []string{"LD_LIBRARY_PATH=" + filepath.Join(s.Basedir(), "lib")},
			Args: []string{"--no-defaults", "--host=127.0.0.1", fmt.Sprintf("--port=%d", e.Port), "--protocol=tcp", "--user=" + e.User, "--password=" + e.Password}})
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		_ = output
		return "", s.again(ctx)
	}
	return "this server's build has no mariadb-upgrade or mysql_upgrade: the system tables are those of the old version, so that routines and events were not compared", nil
}

// aborted makes findings of what a server says that does not start on the old data, and tries the way back.
func (r *runner) aborted(ctx context.Context, o *Outcome, s *sandbox.Sandbox, step int) error {
	found := r.logged(o.Way, s.ErrorLogPath(), true)
	tail := lastErrors(s.ErrorLogPath(), 6)
	if strings.Contains(tail, "Invalid MySQL server upgrade") || !o.Supported || needsProgram(tail) {
		o.Status, o.Detail = Unsupported, "the new server refuses the data directory: "+tail
		return nil
	}
	if len(found) == 0 {
		r.all.add(o.Way, Finding{Grade: Breaks, Object: Object{Kind: "server", Name: r.Goldens[step+1].Flavor.String()},
			What: "the new server does not start on the old data directory", New: tail, Cause: "see the server's error log", Todo: "fix it on the old server, which starts again on the same directory, and try again"})
	}
	o.Status = Refused
	return r.wayBack(ctx, o, s)
}

// needsProgram says whether a server did not start since mysql_upgrade has not run.
func needsProgram(tail string) bool {
	return strings.Contains(tail, "run mysql_upgrade")
}

// wayBack starts the old version on what a server that did not start has left, and counts its objects.
func (r *runner) wayBack(ctx context.Context, o *Outcome, left *sandbox.Sandbox) error {
	s, err := r.clone(r.from(), "back", left.DataDir())
	if err != nil {
		return err
	}
	back, err := r.start(ctx, s)
	var failed *sandbox.StartError
	if errors.As(err, &failed) {
		o.WayBack = "the old version does not start on what the new one has left; only a copy made before"
		return s.Remove()
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, back.remove()) }()
	shot, err := take(ctx, back.side)
	if err != nil {
		return err
	}
	o.WayBack = "the old version starts again on the same directory, with " + countsText(shot.counts(), shot.counts()) + ": fix what is named on it, and try again"
	return nil
}

// logLines are what MySQL says of single objects when it takes over a data directory.
var logLines = []*regexp.Regexp{
	regexp.MustCompile(`Error in parsing (?P<kind>\w+) '(?P<db>[^']+)'\.'(?P<name>[^']+)' during upgrade\. ?(?P<error>.*)`),
	regexp.MustCompile(`Error in Creating DD entry for (?P<db>[^.\s]+)\.(?P<name>\S+)`),
	regexp.MustCompile(`Error in fixing SE data for (?P<db>[^.\s]+)\.(?P<name>\S+)`),
	regexp.MustCompile(`Error in reading file \./(?P<db>[^/\s]+)/(?P<name>\S+?)\.frm`),
	regexp.MustCompile(`Partitioned table '(?P<db>[^/']+)/(?P<name>[^#']+)#[^']*' (?P<error>is not allowed .*)`),
	regexp.MustCompile(`Resolving dependency for the view '(?P<db>[^.']+)\.(?P<name>[^']+)' failed`),
	regexp.MustCompile(`\[(?:ERROR|Warning)\].*[Tt]able '?` + "`?" + `(?P<db>[\w$-]+)` + "`?" + `[./]` + "`?" + `(?P<name>[\w$-]+)` + "`?" + `'? (?P<error>.*)`),
}

// logged makes findings of what an error log says of the dump's objects. Where the server runs, what it says is not the verdict:
// reading and calling is. Only routines and the like that it could not parse are looked for then.
func (r *runner) logged(way, path string, aborted bool) map[string]bool {
	content, err := os.ReadFile(path)
	if err != nil || !aborted {
		return nil
	}
	found := map[string]bool{}
	before := ""
	for line := range strings.Lines(string(content)) {
		if !strings.Contains(line, "[ERROR]") {
			continue
		}
		o, message, ok := r.loggedObject(line)
		if !ok {
			before = line
			continue
		}
		if found[o.key()] {
			continue
		}
		found[o.key()] = true
		if message == "" {
			message = before
		}
		r.all.add(way, r.explainLogged(o, strings.TrimSpace(line), strings.TrimSpace(message)))
		before = ""
	}
	return found
}

func (r *runner) loggedObject(line string) (o Object, message string, ok bool) {
	for _, pattern := range logLines {
		m := pattern.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		part := func(name string) string {
			if i := pattern.SubexpIndex(name); i >= 0 {
				return m[i]
			}
			return ""
		}
		name := strings.Trim(part("name"), "'`.,")
		kinds := []string{"table", "view", "procedure", "function", "trigger", "event"}
		if kind := strings.ToLower(part("kind")); kind != "" && kind != "routine" {
			kinds = []string{kind}
		}
		for _, kind := range kinds {
			o := Object{kind, part("db"), name}
			if _, there := r.first.defines[o.key()]; there {
				return o, part("error"), true
			}
		}
	}
	return o, "", false
}

// logNumbers are the numbers of errors whose text an error log has without them.
var logNumbers = []struct {
	text   string
	number uint16
}{
	{"syntax", 1064}, {"Too long enumeration", 3505}, {"Unknown storage engine 'partition'", 1178}, {"is not allowed to use shared tablespace", 1478},
	{"Can't find file", 1178}, {"Column length too big", 1074}, {"Specified key was too long", 1071}, {"Unknown collation", 1273}, {"Unknown character set", 1115},
	{"does not exist", 1305}, {"Unknown table", 1109}, {"Invalid default value", 1067}, {"Incorrect column specifier", 1063}, {"Too long", 3505},
}

func (r *runner) explainLogged(o Object, line, message string) Finding {
	st := r.first.defines[o.key()]
	f := Finding{Grade: Breaks, Object: o, What: "the new version refuses this statement of the dump", New: beginning(line, 400)}.at(st)
	number := uint16(0)
	for _, n := range logNumbers {
		if number == 0 && strings.Contains(message, n.text) {
			number = n.number
		}
	}
	if known := r.alreadyKnown(o, number); known != nil {
		return *known
	}
	e := &explainer{from: r.from().Flavor, to: r.to().Flavor}
	f.Number = int(number)
	if reasons := e.known(refusals, st.sql, number, message); len(reasons) > 0 {
		f.Cause, f.Todo = reasons[0].cause, reasons[0].todo
		if len(reasons[0].at) > 0 {
			f.Line = lineOf(st.line, st.sql, reasons[0].at[0])
		}
	}
	return f
}

// alreadyKnown is a finding of another way about the same object and error.
func (r *runner) alreadyKnown(o Object, number uint16) *Finding {
	for _, f := range r.all.list {
		if f.Object.key() == o.key() && f.Grade == Breaks && (number == 0 || f.Number == int(number)) {
			return &f
		}
	}
	return nil
}

// lastErrors are the last lines of an error log that say ERROR.
func lastErrors(path string, n int) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return "(no error log)"
	}
	lines := slices.DeleteFunc(strings.Split(string(content), "\n"), func(l string) bool {
		return !strings.Contains(l, "[ERROR]") || strings.Contains(l, "Aborting") || strings.Contains(l, "Data Dictionary initialization failed")
	})
	if len(lines) == 0 {
		return proc.Tail(string(content), n)
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
