package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"mysqlmatrix/harness/folder"
)

// xPortOffset is how far dbdeployer puts MySQL's X port from the server's port.
const xPortOffset = 10000

// RequireTLS is the option by which a server takes connections with TLS only, also behind "loose-".
const RequireTLS = "require_secure_transport=ON"

// Spec is what makes a clone different from its siblings.
type Spec struct {
	ServerID int
	Options  []string // lines for [mysqld]; later ones win
	Scope    string   // the folder whose end is the server's end; see proc.Find
	// LogDisk gives its binary logs a file system of their own, of so many kilobytes; 0 is none. See logdisk.go.
	LogDisk int
}

// Clone makes a sandbox in dir, which must not exist, and does not start it. dbdeployer's scripts in it
// work on the clone. On failure nothing is left.
func (g *Golden) Clone(dir string, spec Spec) (s *Sandbox, err error) {
	lease, err := LeasePort()
	if err != nil {
		return nil, err
	}
	s = &Sandbox{dir: dir, lease: lease, fresh: true, meta: meta{Entry: g.Entry, Flavor: g.Flavor, Basedir: g.Basedir,
		Profile: g.Profile, Port: lease.Port, ServerID: spec.ServerID, Scope: spec.Scope,
		LogDisk: spec.LogDisk,
		TLS:     slices.ContainsFunc(spec.Options, func(line string) bool { return strings.HasSuffix(line, RequireTLS) })}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("clone a sandbox of %s into %s: %w", g.Entry, dir, err), os.RemoveAll(dir), lease.Release())
			s = nil
		}
	}()
	if length := len(s.Socket()); length > folder.SocketLimit {
		return s, fmt.Errorf("its socket's path has %d bytes, the system's limit is %d: choose a shorter --run-dir", length, folder.SocketLimit)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return s, err
	}
	if err := copyTree(filepath.Join(g.Dir, sandboxName), dir); err != nil {
		return s, err
	}
	if err := g.rewrite(s); err != nil {
		return s, err
	}
	return s, s.configure(spec)
}

// Provision gives a clone that has lost its data the golden sandbox's, as it had when it was made, and another server UUID.
// Its configuration, port and scripts stay. It does not start it.
func (g *Golden) Provision(s *Sandbox) error {
	if _, err := os.Stat(s.DataDir()); err == nil {
		return fmt.Errorf("provision %s: its data directory exists: lose it first", s.dir)
	}
	if err := copyTree(filepath.Join(g.Dir, sandboxName, "data"), s.DataDir()); err != nil {
		return errors.Join(fmt.Errorf("provision %s: %w", s.dir, err), os.RemoveAll(s.DataDir()))
	}
	return s.identify()
}

// rewrite makes dbdeployer's scripts speak of the clone: they hold its folder and its port as text.
func (g *Golden) rewrite(s *Sandbox) error {
	return s.replace(strings.NewReplacer(
		g.DeployedSocket, s.Socket(), // first: it holds the port
		g.DeployedDir, s.dir,
		g.DeployedBasedir, s.meta.Basedir,
		strconv.Itoa(g.DeployedPort), strconv.Itoa(s.meta.Port),
		strconv.Itoa(g.DeployedPort+xPortOffset), strconv.Itoa(s.meta.Port+xPortOffset),
	))
}

// replace rewrites the text files of the sandbox's folder, without those of its data directory.
func (s *Sandbox) replace(replacer *strings.Replacer) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			continue
		}
		path := filepath.Join(s.dir, entry.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.IndexByte(text, 0) >= 0 {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(replacer.Replace(string(text))), info.Mode().Perm()); err != nil {
			return err
		}
	}
	return nil
}

// configure appends the clone's own options to its configuration and gives it an identity.
func (s *Sandbox) configure(spec Spec) error {
	return errors.Join(s.write(spec), s.identify())
}

// write writes the clone's configuration and what its folder says of it.
func (s *Sandbox) write(spec Spec) error {
	path := filepath.Join(s.dir, configFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	// The golden sandbox wrote no binary log; its clones are told by their options.
	kept := runBy(strings.ReplaceAll(string(text), "\nskip-log-bin\n", "\n"), whoRuns())
	options := append([]string{
		"server-id=" + strconv.Itoa(spec.ServerID),
		"report-host=127.0.0.1", // what SHOW REPLICAS, and so orchestrator, goes by
		"report-port=" + strconv.Itoa(s.meta.Port),
	}, append(certified(s.meta.Flavor), spec.Options...)...)
	if spec.LogDisk > 0 {
		options = append(options, "log-bin=../"+logDisk+"/mysql-bin")
		if err := os.Mkdir(s.LogDisk(), 0o700); err != nil {
			return err
		}
	}
	kept += "\n[mysqld]\n" + strings.Join(options, "\n") + "\n"
	if err := os.WriteFile(path, []byte(kept), 0o644); err != nil {
		return err
	}
	meta, err := json.MarshalIndent(s.meta, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, metaFile), meta, 0o644)
}

var userOption = regexp.MustCompile(`(?m)^user\s*=.*$`)

// runBy changes the user in the group [mysqld] of an option file: of several, servers take the first.
func runBy(text, name string) string {
	before, group, ok := strings.Cut(text, "[mysqld]")
	if !ok {
		return text
	}
	return before + "[mysqld]" + userOption.ReplaceAllLiteralString(group, "user = "+name)
}

// whoRuns is the user that the server runs as: whoever starts it, and not who has deployed the golden sandbox in a cache that
// users share. A server that root starts wants to be told so, and does not start otherwise.
func whoRuns() string {
	if one, err := user.Current(); err == nil {
		return one.Username
	}
	return strconv.Itoa(os.Geteuid()) // which servers take as well
}

// identify gives the clone its server UUID. A server without one makes one up, from its clock and so little else that two
// of MySQL 5.6 that start at once now and then have the same one, and do not replicate from one another (error 1593).
// MariaDB has no server UUIDs.
func (s *Sandbox) identify() error {
	if !s.meta.Flavor.Provisioning().ServerUUID {
		return nil
	}
	return os.WriteFile(filepath.Join(s.DataDir(), "auto.cnf"), []byte("[auto]\nserver-uuid="+uuid.NewString()+"\n"), 0o644)
}
