// Package tool obtains the programs under test: built from a Go module, taken from Debian packages or from a published
// archive, or named by the user's path.
package tool

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
)

// Program is a program that is ready to run.
type Program struct {
	Name    string   `json:"name"`          // its name in matrix.yaml, for example "gh-ost"
	Version string   `json:"version"`       // what it says of itself with --version
	Path    string   `json:"path"`          // absolute path of the executable, "" for a builtin
	Env     []string `json:"env,omitempty"` // what it needs in its environment, added to proc.Environment
	// Dir is the source of a Go module, the folder that holds unpacked packages, or, for a program of a published archive or of
	// the user's own, the folder that it lies in; "" when there is none.
	Dir string `json:"dir,omitempty"`
	// Command is the folder of the command inside Dir, for a Go module.
	Command string `json:"command,omitempty"`
	// Declared is how matrix.yaml says that it is run, for a tool that the project has no driver for.
	Declared *matrix.OwnTool `json:"declared,omitempty"`
	// Manager is the same for a failover manager.
	Manager *matrix.OwnManager `json:"manager,omitempty"`
}

// programFile is where a tool's cached folder says what is in it.
const programFile = "program.json"

func (p *Program) save(dir string) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("tool %s: %w", p.Name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, programFile), text, 0o644); err != nil {
		return fmt.Errorf("tool %s: %w", p.Name, err)
	}
	return nil
}

func load(dir string) (*Program, error) {
	text, err := os.ReadFile(filepath.Join(dir, programFile))
	if err != nil {
		return nil, fmt.Errorf("cached tool: %w", err)
	}
	p := &Program{}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("cached tool %s: %w", dir, err)
	}
	p.rebase(dir)
	return p, nil
}

// rebase makes the program speak of the folder that it is in, where the cache was moved since.
func (p *Program) rebase(dir string) {
	at := strings.Index(p.Path, filepath.Join("/", kind, filepath.Base(dir))+"/")
	if at < 0 {
		return
	}
	old, now := filepath.Join(p.Path[:at], kind)+"/", filepath.Dir(dir)+"/"
	for _, text := range []*string{&p.Path, &p.Dir} {
		*text = strings.ReplaceAll(*text, old, now)
	}
	for i := range p.Env {
		p.Env[i] = strings.ReplaceAll(p.Env[i], old, now)
	}
}

// versionLimit bounds how long a program may take to say its version.
const versionLimit = 20 * time.Second

// versionNumber finds a version in what a program prints: "v1.1.10 (git commit: …)", "pt-… 3.7.1".
var versionNumber = regexp.MustCompile(`\bv?\d+\.\d+(?:\.\d+)?[^\s,;()]*`)

// askVersion runs the program with --version: that it starts and answers is part of being ready to run.
func (p *Program) askVersion(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, versionLimit,
		fmt.Errorf("it did not say its version within %s", versionLimit))
	defer cancel()
	output, err := proc.Run(ctx, proc.Cmd{Path: p.Path, Args: []string{"--version"}, Env: p.Env, Stdin: strings.NewReader("")})
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", p.Name, err)
	}
	return parseVersion(output), nil
}

// versionOf is the version that a tool's program says; one of the user's own, which may not answer, is taken at matrix.yaml's
// word.
func (p *Program) versionOf(ctx context.Context, ref matrix.ToolRef) (string, error) {
	if ref.Source.Declared != nil || ref.Source.Manager != nil {
		return ref.Version, nil
	}
	return p.askVersion(ctx)
}

// parseVersion is the first version number in a text, or else its first line: a build of one's own may say
// "unversioned".
func parseVersion(output string) string {
	if number := versionNumber.FindString(output); number != "" {
		return number
	}
	line, _, _ := strings.Cut(strings.TrimSpace(output), "\n")
	return line
}
