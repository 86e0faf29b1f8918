package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/rundir"
	"mysqlmatrix/harness/topology"
)

const (
	outputFile = "output.log"
	tailLines  = 30
	leftFolder = "left" // of what a dead suite process's servers say, as nodes1 and so on are of a living one's
)

// evidenceDir is a spec's folder below Out, by names that every file system and artifact store takes.
func evidenceDir(c matrix.Cell, spec string, attempt int) string {
	return filepath.Join("evidence", fileName(c.Entry.Name), c.Suite, fileName(c.Tool.ID()), specFolder(spec, attempt))
}

// specFolder is a spec's name as a folder: a name that had to be changed or cut ends in a digest of the whole, so
// that no two specs share a folder.
func specFolder(spec string, attempt int) string {
	name := fileName(spec)
	if name != spec {
		sum := sha256.Sum256([]byte(spec))
		name += "-" + hex.EncodeToString(sum[:4])
	}
	if attempt > 1 {
		name += fmt.Sprintf("-attempt%d", attempt)
	}
	return name
}

// fileName keeps a name readable and makes it safe.
func fileName(s string) string {
	const limit = 100
	name := strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, s)
	return strings.Trim(name[:min(len(name), limit)], ".")
}

// salvage gathers what the servers of a dead suite process say of themselves, before its folder is removed.
func (r *runner) salvage(ctx context.Context, dir *rundir.Dir, to string) error {
	folders, err := filepath.Glob(filepath.Join(dir.Path, "*"))
	held, heldErr := r.held(dir)
	errs := []error{err, heldErr}
	for _, folder := range append(folders, held...) {
		t, err := topology.Left(folder)
		errs = append(errs, err)
		if len(t.Nodes) == 0 {
			continue
		}
		errs = append(errs, t.Evidence(ctx, filepath.Join(to, leftFolder, filepath.Base(folder))))
		if r.KeepData && !dir.Kept() {
			errs = append(errs, t.SaveData(filepath.Join(to, "data", filepath.Base(folder))))
		}
	}
	return errors.Join(errs...)
}

func outputTail(dir *rundir.Dir) string {
	text, err := os.ReadFile(filepath.Join(dir.Path, outputFile))
	if err != nil {
		return err.Error()
	}
	return "it printed:\n" + proc.Tail(string(text), tailLines)
}

func copyOutput(dir *rundir.Dir, to string) error {
	text, err := os.ReadFile(filepath.Join(dir.Path, outputFile))
	if err != nil {
		return fmt.Errorf("output of the suite process: %w", err)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	return os.WriteFile(filepath.Join(to, outputFile), text, 0o644)
}
