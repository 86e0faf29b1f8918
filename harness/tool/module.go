package tool

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
)

// moduleGo is the throw-away module's language version; the go command raises it to what the tool needs.
const moduleGo = "1.21"

// exactVersion is a semantic version as Go modules have it; a branch, a prefix or "latest" would be
// another program tomorrow.
var exactVersion = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+incompatible)?$`)

// noSuchVersion is what the go command says of a version that its module does not have.
var noSuchVersion = regexp.MustCompile(`unknown revision|invalid version|no matching versions|\b404 Not Found|\b410 Gone`)

// versionError is a version that does not exist.
type versionError struct{ reason string }

// Error says what is wrong with the version.
func (e *versionError) Error() string { return e.reason }

// buildModule builds a command of a module in a throw-away module that requires exactly that version:
// `go install pkg@version` fails with module proxies that do not list versions. The module's source is
// kept beside the program, since its own tests may be in it.
func (s *Store) buildModule(ctx context.Context, ref matrix.ToolRef, dir, final string) error {
	module := ref.Source.Module
	if !exactVersion.MatchString(ref.Version) {
		return &versionError{fmt.Sprintf("%q is no exact version of a Go module: want one like v1.1.10", ref.Version)}
	}
	s.log("build %s %s from its Go module", ref.Name, ref.Version)
	build := filepath.Join(dir, "build")
	if err := os.MkdirAll(build, 0o755); err != nil {
		return err
	}
	version := goVersion(module.Path, ref.Version)
	if err := os.WriteFile(filepath.Join(build, "go.mod"), []byte(goMod(module, version)), 0o644); err != nil {
		return err
	}
	source, err := downloadModule(ctx, build, module.Path, version)
	if err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(dir, "source"), os.DirFS(source)); err != nil {
		return fmt.Errorf("keep the module's source: %w", err)
	}
	program := filepath.Join(dir, ref.Name)
	if err := goBuild(ctx, build, program, importPath(module), ref.Version); err != nil {
		return err
	}
	if err := cache.RemoveAll(build); err != nil {
		return err
	}
	p := &Program{Name: ref.Name, Path: program, Dir: filepath.Join(final, "source")}
	if p.Version, err = p.askVersion(ctx); err != nil {
		return err
	}
	p.Path = filepath.Join(final, ref.Name)
	return p.save(dir)
}

// majorSuffix ends the path of a module whose major version is 2 or later: /v2, and .v1 at gopkg.in.
var majorSuffix = regexp.MustCompile(`[/.]v\d+$`)

// goVersion is a version as Go has it: without a suffix in the module's path, one from v2 on is of a module
// from before go.mod files, and called incompatible (Go Modules Reference, "+incompatible versions").
func goVersion(path, version string) string {
	if majorSuffix.MatchString(path) || strings.HasPrefix(version, "v0.") || strings.HasPrefix(version, "v1.") ||
		strings.Contains(version, "+") {
		return version
	}
	return version + "+incompatible"
}

// goMod is the throw-away module's: what is required, and what stands in for what. A replaced module needs
// no version of its own.
func goMod(module *matrix.Module, version string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "module throwaway\n\ngo %s\n\nrequire %s %s\n", moduleGo, module.Path, version)
	for _, one := range module.Require {
		fmt.Fprintf(&text, "require %s\n", one)
	}
	for _, r := range module.Replace {
		if r.Dir != "" {
			fmt.Fprintf(&text, "replace %s => %q\n", r.Module, r.Dir)
		} else {
			fmt.Fprintf(&text, "replace %s => %s %s\n", r.Module, r.By, r.Version)
		}
	}
	return text.String()
}

// identity is all of a module's source that a build depends on: of a folder not its path, but what is in it.
func identity(module *matrix.Module) (*matrix.Module, error) {
	m := *module
	m.Replace = slices.Clone(m.Replace)
	for i, r := range m.Replace {
		if r.Dir == "" {
			continue
		}
		h := sha256.New()
		if err := fs.WalkDir(os.DirFS(r.Dir), ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(filepath.Join(r.Dir, name))
			fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
			return err
		}); err != nil {
			return nil, fmt.Errorf("stand-in for %s: %w", r.Module, err)
		}
		m.Replace[i].Dir = hex.EncodeToString(h.Sum(nil))
	}
	return &m, nil
}

// importPath is the command's, which matrix.yaml may give in full or relative to the module.
func importPath(m *matrix.Module) string {
	if m.Command == m.Path || strings.HasPrefix(m.Command, m.Path+"/") {
		return m.Command
	}
	return path.Join(m.Path, m.Command)
}

// downloadModule puts an exact version into Go's module cache and returns its folder there.
func downloadModule(ctx context.Context, dir, module, version string) (string, error) {
	output, runErr := goCommand(ctx, dir, "mod", "download", "-json", module+"@"+version)
	var answer struct{ Version, Dir, Error string }
	if start := strings.IndexByte(output, '{'); start >= 0 {
		if err := json.NewDecoder(strings.NewReader(output[start:])).Decode(&answer); err != nil && runErr == nil {
			return "", fmt.Errorf("go mod download: %w", err)
		}
	}
	switch {
	case noSuchVersion.MatchString(answer.Error):
		return "", &versionError{fmt.Sprintf("module %s has no version %s: %s", module, version, answer.Error)}
	case answer.Error != "":
		return "", fmt.Errorf("fetch module %s: %s", module, answer.Error)
	case runErr != nil:
		return "", fmt.Errorf("fetch module %s: %w", module, runErr)
	case answer.Version != version || answer.Dir == "":
		return "", fmt.Errorf("fetch module %s: asked for %s, got %q in %q", module, version, answer.Version, answer.Dir)
	}
	return answer.Dir, nil
}

// setVersion is the flag by which a command is built as a version. gh-ost prints main.AppVersion; the linker passes over the setting
// where a program has no such variable. A build from a checkout calls itself "unversioned (git commit: unknown)", with blanks:
// the go command splits -ldflags at them, but not between quotes.
func setVersion(version string) string {
	return "-ldflags=-X 'main.AppVersion=" + strings.ReplaceAll(version, "'", "") + "'"
}

// goBuild builds a command.
func goBuild(ctx context.Context, dir, program, target, version string) error {
	args := []string{"build", "-o", program}
	if version != "" {
		args = append(args, setVersion(version))
	}
	_, err := goCommand(ctx, dir, append(args, target)...)
	if err != nil {
		return fmt.Errorf("build %s: %w", target, err)
	}
	return nil
}

// goCommand runs the go command with the flags and workspace of whoever calls the harness switched off.
func goCommand(ctx context.Context, dir string, args ...string) (string, error) {
	program, err := exec.LookPath("go")
	if err != nil {
		return "", errors.New("the go command is not on PATH: install Go to build tools from source")
	}
	return proc.Run(ctx, proc.Cmd{
		Path: program, Args: args, Dir: dir, Scope: dir, Inherit: true,
		Env: []string{"GOFLAGS=-mod=mod -buildvcs=false", "GOWORK=off", "GO111MODULE=on"},
	})
}
