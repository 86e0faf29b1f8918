package page

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"mysqlmatrix/harness/report"
)

const (
	// filesOfFailure bounds the files that are shown of one failure.
	filesOfFailure = 24
	// largestTail is what is read of a file; as many failures need less to stay within the budget.
	largestTail = 16 << 10
)

// file is one file of a failure's evidence: the end of it.
type file struct {
	Name string `json:"n"`
	Text int    `json:"t"`           // index of the text
	Size int64  `json:"s,omitempty"` // of the whole file, where less is shown
}

// evidence reads what lies in runs' folders, and nothing outside them, whatever a run.json says.
type evidence struct{ roots []*os.Root }

func openEvidence(folders []string) (*evidence, error) {
	e := &evidence{}
	for _, folder := range folders {
		root, err := os.OpenRoot(folder)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("evidence: %w", err), e.close())
		}
		e.roots = append(e.roots, root)
	}
	return e, nil
}

func (e *evidence) close() error {
	var errs []error
	for _, root := range e.roots {
		errs = append(errs, root.Close())
	}
	return errors.Join(errs...)
}

// tail is the end of a file.
type tail struct {
	name string
	text string
	size int64
}

// read reads the ends of a failure's text files: the tool's output first, then what each node says of itself. It says
// how many more files there are. Evidence that is gone is passed over, since results are often copied without it.
func (e *evidence) read(folder string) (tails []tail, more int, err error) {
	for _, root := range e.roots {
		tails, more, err := readTails(root, path.Clean(folder))
		if err != nil || len(tails) > 0 {
			return tails, more, err
		}
	}
	return nil, 0, nil
}

func readTails(root *os.Root, folder string) (tails []tail, more int, err error) {
	if folder == "." {
		return nil, 0, nil // it has none
	}
	var names []string
	err = fs.WalkDir(root.FS(), folder, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == dataFolder:
			return fs.SkipDir
		case entry.Type().IsRegular():
			names = append(names, name)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("evidence %s: %w", folder, err)
	}
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	shown := min(len(names), filesOfFailure)
	for _, name := range names[:shown] {
		one, err := readTail(root, name)
		if err != nil {
			return nil, 0, err
		}
		if one.name = strings.TrimPrefix(name, folder+"/"); one.text != "" {
			tails = append(tails, one)
		}
	}
	return tails, len(names) - shown, nil
}

// dataFolder holds the data directories of matrix run --keep-failed.
const dataFolder = "data"

// rank orders files by how soon a reader wants them.
func rank(name string) int {
	for i, suffix := range []string{".state.txt", ".error.log", ".start.log", ".cnf", "/output.log"} {
		if strings.HasSuffix(name, suffix) {
			return i + 1
		}
	}
	return 0
}

func readTail(root *os.Root, name string) (_ tail, err error) {
	f, err := root.Open(name)
	if err != nil {
		return tail{}, fmt.Errorf("evidence: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return tail{}, err
	}
	text := make([]byte, min(info.Size(), largestTail))
	n, err := f.ReadAt(text, info.Size()-int64(len(text)))
	if err != nil && !errors.Is(err, io.EOF) {
		return tail{}, fmt.Errorf("evidence %s: %w", name, err)
	}
	text = text[:n]
	if bytes.IndexByte(text, 0) >= 0 {
		return tail{}, nil // no text
	}
	return tail{text: report.Neutral(string(text)), size: info.Size()}, nil
}

// lastBytes is the end of a text of at most limit bytes, from the beginning of a line where there is one.
func lastBytes(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	s = s[len(s)-limit:]
	if i := strings.IndexByte(s, '\n'); i >= 0 && i < len(s)/2 {
		s = s[i+1:]
	}
	return strings.ToValidUTF8(s, "")
}
