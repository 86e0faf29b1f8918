package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/server"
)

const (
	goldenKind   = "goldens"
	goldenFile   = "golden.json"
	goldenFormat = "6" // raise it when what a golden sandbox holds changes
	deployLimit  = 3 * time.Minute
	sandboxName  = "golden" // dbdeployer's folder inside the cached one
)

// Every server has this table, so that the proof that replication works is one row and no DDL.
const (
	ProofDatabase = "matrix_proof"
	ProofTable    = ProofDatabase + ".seen"
)

// Golden is a sandbox that dbdeployer deployed once and that was shut down cleanly, to be cloned.
type Golden struct {
	Dir          string                     `json:"dir"`
	Entry        string                     `json:"entry"`
	Basedir      string                     `json:"basedir"`
	Flavor       flavor.Flavor              `json:"flavor"`
	Profile      Profile                    `json:"profile"`
	Capabilities map[flavor.Capability]bool `json:"capabilities"`
	// DeployedDir, DeployedBasedir, DeployedPort and DeployedSocket are what dbdeployer's files speak of; a clone replaces them.
	DeployedDir     string `json:"deployed_dir"`
	DeployedBasedir string `json:"deployed_basedir"`
	DeployedPort    int    `json:"deployed_port"`
	DeployedSocket  string `json:"deployed_socket"`
	// DeploySeconds is what dbdeployer took.
	DeploySeconds float64 `json:"deploy_seconds"`
}

// Farm deploys golden sandboxes into a cache.
type Farm struct {
	Cache *cache.Cache
	// Dbdeployer finds the dbdeployer program; it is asked only when something must be deployed.
	Dbdeployer func(context.Context) (string, error)
	Log        func(string)
	// Folder makes a folder with a short path, in which a deployment has its server's socket; nil is one of $TMPDIR.
	Folder func(context.Context) (path string, remove func() error, err error)
}

// Golden returns the golden sandbox of a basedir and profile, deploying it when it is not cached.
// Its capabilities are probed while it runs.
func (f *Farm) Golden(ctx context.Context, b *basedir.Basedir, p Profile) (*Golden, error) {
	path, err := f.Cache.Build(ctx, goldenKind, goldenKey(b, p), func(ctx context.Context, dir, _ string) error {
		return f.deploy(ctx, b, p, dir)
	})
	if err != nil {
		return nil, fmt.Errorf("golden sandbox of %s: %w", b.Entry, err)
	}
	return LoadGolden(path)
}

// LoadGolden reads a golden sandbox's folder.
func LoadGolden(path string) (*Golden, error) {
	text, err := os.ReadFile(filepath.Join(path, goldenFile))
	if err != nil {
		return nil, fmt.Errorf("golden sandbox: %w", err)
	}
	g := &Golden{}
	if err := json.Unmarshal(text, g); err != nil {
		return nil, fmt.Errorf("golden sandbox %s: %w", path, err)
	}
	g.Dir = path
	return g, nil
}

func goldenKey(b *basedir.Basedir, p Profile) string {
	content := strings.Join(append(p.options(b.Flavor), b.Path, b.Digest, goldenFormat), "\n")
	sum := sha256.Sum256([]byte(content))
	return fmt.Sprintf("%s-%s-%s", safeName(b.Entry), p, hex.EncodeToString(sum[:6]))
}

func safeName(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || (r >= '0' && r <= '9') || (r >= 'a' && r <= 'z') {
			return r
		}
		return '_'
	}, strings.ToLower(s))
}

func (f *Farm) deploy(ctx context.Context, b *basedir.Basedir, p Profile, dir string) (err error) {
	program, err := f.Dbdeployer(ctx)
	if err != nil {
		return err
	}
	lease, err := LeasePort()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	if f.Log != nil {
		f.Log(fmt.Sprintf("%s: dbdeployer deploys a golden sandbox, profile %s", b.Entry, p))
	}
	sockets, remove, err := f.folder(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	begin := time.Now()
	g := &Golden{Entry: b.Entry, Basedir: b.Path, Flavor: b.Flavor, Profile: p,
		DeployedDir: filepath.Join(dir, sandboxName), DeployedPort: lease.Port,
		DeployedBasedir: filepath.Join(dir, "binary", b.Flavor.Version.String()),
		DeployedSocket:  filepath.Join(sockets, "mysql_sandbox"+strconv.Itoa(lease.Port)+".sock")}
	// Whatever happens, no server of this folder survives.
	defer func() {
		_, sweepErr := proc.Sweep(context.WithoutCancel(ctx), dir, time.Second)
		err = errors.Join(err, sweepErr)
	}()
	if err := runDbdeployer(ctx, program, b, p, dir, g); err != nil {
		return err
	}
	g.DeploySeconds = time.Since(begin).Seconds()
	if g.Capabilities, err = probeAndStop(ctx, g); err != nil {
		return err
	}
	data := filepath.Join(g.DeployedDir, "data")
	// Each clone has its own server UUID and writes its own log.
	for _, name := range []string{"auto.cnf", errorLog} {
		if err := os.Remove(filepath.Join(data, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := errors.Join(certify(b.Flavor, data), punchZeros(data)); err != nil {
		return err
	}
	text, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, goldenFile), text, 0o644)
}

// folder is where a deployment has its server's socket: the cache's own path may be too long for one.
func (f *Farm) folder(ctx context.Context) (string, func() error, error) {
	if f.Folder != nil {
		return f.Folder(ctx)
	}
	dir, err := os.MkdirTemp("", "mm-")
	return dir, func() error { return os.RemoveAll(dir) }, err
}

// ClearKilled ends what a killed deployment in a folder of the cache has left running.
func ClearKilled(ctx context.Context, building string) error {
	_, err := proc.Sweep(ctx, building, 0)
	return err
}

// runDbdeployer deploys a single sandbox. --binary-version spares dbdeployer from reading the version off
// the folder's name, --skip-library-check from knowing our private libraries.
func runDbdeployer(ctx context.Context, program string, b *basedir.Basedir, p Profile, dir string, g *Golden) error {
	home := filepath.Join(dir, "home")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	args := []string{"deploy", "single", b.Flavor.Version.String(),
		"--sandbox-binary=" + filepath.Dir(g.DeployedBasedir), "--sandbox-home=" + dir, "--sandbox-directory=" + sandboxName,
		"--port=" + strconv.Itoa(g.DeployedPort),
		"--skip-library-check", "--log-directory=" + filepath.Join(dir, "logs"),
	}
	// dbdeployer looks for <sandbox-binary>/<version>.
	if err := os.MkdirAll(filepath.Dir(g.DeployedBasedir), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(b.Path, g.DeployedBasedir); err != nil {
		return err
	}
	for _, option := range append(p.options(b.Flavor), "skip-log-bin") {
		args = append(args, "--my-cnf-options="+option)
	}
	if p == ProfileLowerCase && b.Flavor.Dialect().DataDictionary {
		args = append(args, "--init-options=--"+lowerCase)
	}
	for _, host := range []string{"127.%", "localhost"} {
		if !b.Flavor.Provisioning().GrantsByRole {
			break
		}
		args = append(args, "--post-grants-sql=GRANT ALL PRIVILEGES ON *.* TO "+User+"@'"+host+"' WITH GRANT OPTION")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, deployLimit, fmt.Errorf("dbdeployer did not end within %s", deployLimit))
	defer cancel()
	output, err := proc.Run(ctx, proc.Cmd{
		Path: program, Args: args, Dir: dir, Scope: dir,
		// SLEEP_TIME is the interval of dbdeployer's polls, in seconds; it gives up after 180 of them; HOME keeps it from its own catalogue.
		Env: []string{"SLEEP_TIME=0.3", "HOME=" + home, "SANDBOX_HOME=" + dir,
			// dbdeployer puts the socket there.
			"TMPDIR=" + filepath.Dir(g.DeployedSocket)},
	})
	if err != nil {
		return fmt.Errorf("dbdeployer: %w%s", err, deployEvidence(dir))
	}
	if _, err := os.Stat(filepath.Join(dir, sandboxName, configFile)); err != nil {
		return fmt.Errorf("dbdeployer ended well and left no sandbox; it printed:\n%s", proc.Tail(output, tailLines))
	}
	return nil
}

// deployEvidence is what the server said when dbdeployer failed: dbdeployer only says that it waited.
func deployEvidence(dir string) string {
	var text strings.Builder
	for _, name := range []string{"data/" + errorLog, "start.log", "init_db.log"} {
		content, err := os.ReadFile(filepath.Join(dir, sandboxName, name))
		if err == nil && len(content) > 0 {
			fmt.Fprintf(&text, "\nlast lines of %s:\n%s", name, proc.Tail(string(content), tailLines))
		}
	}
	return text.String()
}

// probeAndStop connects to the server that dbdeployer has just started, asks what it can do, and shuts it
// down cleanly: the files of a server that was killed would have to be recovered by every clone.
func probeAndStop(ctx context.Context, g *Golden) (caps map[flavor.Capability]bool, err error) {
	s := &Sandbox{dir: g.DeployedDir, meta: meta{Port: g.DeployedPort, Basedir: g.Basedir}}
	db, err := server.Open(ctx, s.Endpoint())
	if err != nil {
		return nil, fmt.Errorf("%w; last lines of the server's error log:\n%s", err, s.ErrorLogTail(tailLines))
	}
	caps, err = db.Capabilities(ctx)
	err = errors.Join(err, db.Exec(ctx, "CREATE DATABASE "+ProofDatabase, "CREATE TABLE "+ProofTable+" (origin INT PRIMARY KEY) ENGINE=InnoDB"))
	// A full purge and merge leaves less for each clone to do at its start; a slow shutdown is paid once.
	slow := db.Exec(ctx, "SET GLOBAL innodb_fast_shutdown = 0")
	if err := errors.Join(err, slow, db.Close()); err != nil {
		return nil, err
	}
	return caps, s.Stop(ctx)
}
