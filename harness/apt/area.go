package apt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"mysqlmatrix/harness/proc"
)

// maxIndexAge is how long package indexes are used before they are fetched again.
const maxIndexAge = 24 * time.Hour

// area is a private set of apt folders for one list of package sources. Packages count as not installed.
type area struct {
	key   string
	root  string
	lines []string
}

func newArea(root string, lines []string) *area {
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	key := hex.EncodeToString(sum[:6])
	return &area{key: key, root: filepath.Join(root, "apt", key), lines: lines}
}

func (a *area) path(name string) string { return filepath.Join(a.root, name) }

// prepare makes the folders and apt's configuration.
func (a *area) prepare() error {
	for _, dir := range []string{"state", "lists/partial", "cache"} {
		if err := os.MkdirAll(a.path(dir), 0o755); err != nil {
			return fmt.Errorf("private apt folder: %w", err)
		}
	}
	files := map[string]string{
		"apt.conf":     a.config(),
		"sources.list": strings.Join(a.lines, "\n") + "\n",
		"status":       "", // nothing is installed, so that dependencies are complete
	}
	for name, text := range files {
		if err := os.WriteFile(a.path(name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("private apt folder: %w", err)
		}
	}
	return nil
}

// config is read after the system's own configuration, whose proxies and credentials stay in force.
// Hooks are cleared, since they work on the system's folders; what could weaken the check of signatures is
// set back to apt's defaults. The sandbox user could not write into a user's own cache folder.
func (a *area) config() string {
	return fmt.Sprintf(`#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear APT::Default-Release;
#clear Acquire::Languages;
Dir::State %[1]q;
Dir::State::lists %[2]q;
Dir::State::status %[3]q;
Dir::Cache %[4]q;
Dir::Etc::sourcelist %[5]q;
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Debug::NoLocking "true";
APT::Sandbox::User "root";
APT::Get::AllowUnauthenticated "false";
APT::Update::Error-Mode "any";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Color "false";
Dpkg::Use-Pty "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Retries "2";
Acquire::Languages { "none"; };
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
`, a.path("state"), a.path("lists"), a.path("status"), a.path("cache"), a.path("sources.list"))
}

// fetch downloads a source's packages, with indexes that are fresh enough; when that fails with indexes
// that are not new, it fetches them and tries once more.
func (a *area) fetch(ctx context.Context, s Source, dir string) error {
	fresh, err := a.refresh(ctx)
	if err != nil {
		return err
	}
	err = a.download(ctx, s, dir)
	if err == nil || fresh || ctx.Err() != nil {
		return err
	}
	if err := a.update(ctx); err != nil {
		return err
	}
	return a.download(ctx, s, dir)
}

// refresh fetches the package indexes when they are old, and says whether it did.
func (a *area) refresh(ctx context.Context) (fresh bool, err error) {
	stamp, err := os.Stat(a.path("updated"))
	if err == nil && time.Since(stamp.ModTime()) <= maxIndexAge {
		return false, nil
	}
	return true, a.update(ctx)
}

// simulate resolves a source's packages without downloading them.
func (a *area) simulate(ctx context.Context, s Source) error {
	if _, err := os.Stat(a.path("updated")); err != nil {
		return errors.New("its package indexes are being fetched by another process, or the cache cannot be written: try again")
	}
	if _, err := a.run(ctx, "", append([]string{"install", "--simulate", "--yes"}, s.Packages...)...); err != nil {
		return fmt.Errorf("packages %s: %w", strings.Join(s.Packages, " "), err)
	}
	return nil
}

// update fetches the package indexes.
func (a *area) update(ctx context.Context) error {
	if err := os.Remove(a.path("updated")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("private apt folder: %w", err)
	}
	if out, err := a.run(ctx, "", "update"); err != nil {
		if suite := missingSuite(out); suite != "" {
			return &NoSuiteError{Suite: suite, Reason: "the package mirror that this system uses does not carry it"}
		}
		return fmt.Errorf("fetch package indexes: %w", err)
	}
	if err := os.WriteFile(a.path("updated"), nil, 0o644); err != nil {
		return fmt.Errorf("private apt folder: %w", err)
	}
	return nil
}

// noRelease is what apt says of a suite whose signed Release file the mirror does not have.
var noRelease = regexp.MustCompile(`The repository '\S+ (\S+) (?:In)?Release' (?:does not|no longer) ha(?:s|ve) a Release file`)

func missingSuite(out string) string {
	if m := noRelease.FindStringSubmatch(out); m != nil {
		return m[1]
	}
	return ""
}

// download puts the .deb files into dir.
func (a *area) download(ctx context.Context, s Source, dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "partial"), 0o755); err != nil {
		return fmt.Errorf("download packages: %w", err)
	}
	args := []string{"-o", "Dir::Cache::archives=" + dir, "install", "--download-only", "--yes"}
	if s.Alone {
		args = []string{"download"} // into the working directory
	}
	if _, err := a.run(ctx, dir, append(args, s.Packages...)...); err != nil {
		return fmt.Errorf("download packages %s: %w", strings.Join(s.Packages, " "), err)
	}
	return errors.Join(os.RemoveAll(filepath.Join(dir, "partial")), removeFile(filepath.Join(dir, "lock")))
}

func (a *area) run(ctx context.Context, dir string, args ...string) (string, error) {
	return proc.Run(ctx, proc.Cmd{
		Path: "apt-get", Args: append([]string{"-c", a.path("apt.conf"), "-q"}, args...),
		Dir: dir, Env: []string{"LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}, Inherit: true,
	})
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
