package tool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
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
	text := fmt.Sprintf("module throwaway\n\ngo %s\n\nrequire %s %s\n", moduleGo, module.Path, ref.Version)
	if err := os.WriteFile(filepath.Join(build, "go.mod"), []byte(text), 0o644); err != nil {
		return err
	}
	source, err := downloadModule(ctx, build, module.Path, ref.Version)
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

// goBuild builds a command. gh-ost prints main.AppVersion; the linker passes over the setting where a
// program has no such variable.
func goBuild(ctx context.Context, dir, program, target, version string) error {
	args := []string{"build", "-o", program}
	if version != "" {
		args = append(args, "-ldflags=-X main.AppVersion="+version)
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
		Path: program, Args: args, Dir: dir, Scope: dir,
		Env: []string{"GOFLAGS=-mod=mod -buildvcs=false", "GOWORK=off", "GO111MODULE=on"},
	})
}
