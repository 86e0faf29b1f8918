// Package bundle packs what a maintainer would attach to a bug report: what ran and how, configurations, logs and
// binary logs of one failure, without passwords.
package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"mysqlmatrix/harness/report"
)

// Failure is what is packed.
type Failure struct {
	Run     *report.Run
	Cell    *report.Cell
	Spec    string
	Outcome *report.Outcome
	// Folders are those of the run in which evidence of it lies, slashes, relative to the run's folder.
	Folders []string
}

// Limits bound a bundle, in bytes.
type Limits struct {
	BinaryLogs int64 // of all nodes together, the newest first
	Text       int64 // of one text file; of a longer one the end is packed
}

// Pack writes a .tar.gz of a failure in a run's folder. Every text in it has its passwords taken out, and a binary
// file that holds an account's statement is left out. Its own list says what was packed, cut and left out.
func Pack(w io.Writer, folder string, f Failure, limits Limits) (err error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	z := gzip.NewWriter(w)
	p := &packer{tar: tar.NewWriter(z), root: root, limits: limits, at: f.Run.Started.Add(f.Run.Seconds.Duration())}
	what, err := describe(f)
	if err != nil {
		return err
	}
	if err := p.write("failure.json", what); err != nil {
		return err
	}
	if err := p.text("README.txt", []byte(words(f))); err != nil {
		return err
	}
	for _, dir := range f.Folders {
		if err := p.folder(dir); err != nil {
			return err
		}
	}
	if err := p.text("CONTENTS.txt", []byte(strings.Join(p.list, "\n")+"\n")); err != nil {
		return err
	}
	return errors.Join(p.tar.Close(), z.Close())
}

// describe is the failure as run.json has it, with what it belongs to and without passwords.
func describe(f Failure) ([]byte, error) {
	cell := *f.Cell
	cell.Specs = slices.DeleteFunc(slices.Clone(cell.Specs), func(s report.Spec) bool { return s.Text != f.Spec })
	run := *f.Run
	run.Cells = []report.Cell{cell}
	run.Notes = slices.DeleteFunc(slices.Clone(run.Notes), func(n report.Note) bool { return n.Cell != f.Cell.ID })
	var b bytes.Buffer
	if err := encoder(&b).Encode(run); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	return redactJSON(b.Bytes())
}

func words(f Failure) string {
	var b strings.Builder
	say := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-8s %s\n", name, report.OneLine(value))
		}
	}
	say("verdict", f.Outcome.Verdict.String())
	say("spec", f.Spec)
	say("server", f.Cell.ID.Entry+", "+f.Cell.Server.String())
	say("tool", f.Cell.ID.ToolID()+", "+f.Cell.ToolVersion)
	say("seed", fmt.Sprint(f.Cell.Seed))
	for _, h := range f.Run.Hosts {
		say("host", fmt.Sprintf("%s, %s, %d processors", h.OS, h.GoVersion, h.CPUs))
	}
	say("when", f.Outcome.Started.UTC().Format(time.RFC3339))
	say("repeat", f.Outcome.Repro)
	fmt.Fprintf(&b, "\n%s\n", report.Neutral(f.Outcome.Error))
	return b.String()
}

type packer struct {
	tar    *tar.Writer
	root   *os.Root
	limits Limits
	at     time.Time
	binary int64 // bytes of binary logs so far
	list   []string
}

func (p *packer) note(format string, args ...any) {
	p.list = append(p.list, fmt.Sprintf(format, args...))
}

var (
	// binaryLog is a server's binary or relay log by its name.
	binaryLog = regexp.MustCompile(`^mysql-(bin|relay)\.\d+$`)
	// textFile is what a maintainer reads. master.info is none: it holds the password of replication, in a line of its own.
	textFile = regexp.MustCompile(`\.(log|err|txt|cnf|json|sql|out|index)$|^(use|start|stop|status)$`)
)

// folder packs a folder's logs, configurations and binary logs; table files are left out.
func (p *packer) folder(dir string) error {
	var texts, logs []string
	err := fs.WalkDir(p.root.FS(), path.Clean(dir), func(name string, entry fs.DirEntry, err error) error {
		switch base := path.Base(name); {
		case err != nil:
			return err
		case !entry.Type().IsRegular():
		case binaryLog.MatchString(base):
			logs = append(logs, name)
		case textFile.MatchString(base):
			texts = append(texts, name)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		p.note("left out: %s is not there any more", dir)
		return nil
	}
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	for _, name := range texts {
		if err := p.textFile(name); err != nil {
			return err
		}
	}
	// The newest logs say what happened last; their numbers grow.
	slices.SortStableFunc(logs, func(a, b string) int { return strings.Compare(path.Ext(b), path.Ext(a)) })
	for _, name := range logs {
		if err := p.binaryLog(name); err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) textFile(name string) (err error) {
	f, err := p.root.Open(name)
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	from := max(0, info.Size()-p.limits.Text-1)
	text, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	if err != nil {
		return fmt.Errorf("bundle %s: %w", name, err)
	}
	if info.Size() > p.limits.Text {
		// From the beginning of a line: half a line may begin within a password, which nothing would show then.
		_, text, _ = bytes.Cut(text, []byte("\n"))
		p.note("cut: %s has %d bytes, its last %d are here", name, info.Size(), len(text))
	}
	return p.text(name, text)
}

// account finds statements in a binary log that have a password or its hash in them.
var account = regexp.MustCompile(`(?i)identified\s+(by|with|via)|set\s+password|(master|source)_password`)

func (p *packer) binaryLog(name string) error {
	info, err := fs.Stat(p.root.FS(), name)
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	if p.binary+info.Size() > p.limits.BinaryLogs {
		p.note("left out: %s has %d bytes, more than binary logs may have together", name, info.Size())
		return nil
	}
	content, err := fs.ReadFile(p.root.FS(), name)
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	if account.Match(content) {
		p.note("left out: %s has a statement about an account's password", name)
		return nil
	}
	p.binary += int64(len(content))
	return p.write(name, content)
}

func (p *packer) text(name string, text []byte) error {
	return p.write(name, []byte(Redact(string(text))))
}

func (p *packer) write(name string, content []byte) error {
	if name != "CONTENTS.txt" {
		p.note("%s, %d bytes", name, len(content))
	}
	err := p.tar.WriteHeader(&tar.Header{Name: "bundle/" + name, Mode: 0o644, Size: int64(len(content)), ModTime: p.at, Format: tar.FormatPAX})
	if err == nil {
		_, err = p.tar.Write(content)
	}
	if err != nil {
		return fmt.Errorf("bundle %s: %w", name, err)
	}
	return nil
}
