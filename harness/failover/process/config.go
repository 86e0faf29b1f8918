// Package process runs a failover manager in a process of its own, which says by HTTP on loopback what it knows and what it
// has decided, and asks such a process.
package process

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/tool"
)

const (
	configFile = "manager.json"
	// RunningFile is where the process says how it is reached, once it watches.
	RunningFile = "running.json"
)

// Config is what the process is told.
type Config struct {
	Tool     tool.Program `json:"tool"`
	Servers  []Server     `json:"servers"`
	SemiSync bool         `json:"semi_sync,omitempty"` // commits wait for replicas
	Listen   string       `json:"listen,omitempty"`    // where the API is, 127.0.0.1:PORT; "" is a free port
}

// Server is one that the manager looks after. Data, when it is not "", is the data directory of the one that has to answer.
type Server struct {
	Name        string          `json:"name"`
	Admin       server.Endpoint `json:"admin"`
	Replication server.Endpoint `json:"replication"`
	Data        string          `json:"data,omitempty"`
}

// Running is a manager that runs.
type Running struct {
	Manager string `json:"manager"`        // name and version
	API     string `json:"api"`            // of this project; see api.go
	Page    string `json:"page,omitempty"` // the manager's own, for a browser
	Log     string `json:"log"`
	PID     int    `json:"pid"`
	Runs    bool   `json:"running"`
}

// Write stores a configuration in the folder of a manager, which it makes.
func (c Config) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("failover manager: %w", err)
	}
	return writeJSON(filepath.Join(dir, configFile), c)
}

func readConfig(dir string) (c Config, err error) {
	if err := readJSON(filepath.Join(dir, configFile), &c); err != nil {
		return c, fmt.Errorf("failover manager: %w", err)
	}
	return c, nil
}

// Find is the manager of a folder as it said when it began; an error that is os.ErrNotExist when there is none.
func Find(dir string) (r Running, err error) {
	err = readJSON(filepath.Join(dir, RunningFile), &r)
	r.Runs = err == nil && proc.Alive(r.PID)
	return r, err
}

func (c Config) members() (list []failover.Member) {
	for _, s := range c.Servers {
		s.Admin.DataDir = s.Data
		list = append(list, failover.Member{Name: s.Name, Rule: failover.Neutral, Endpoint: s.Admin, Replication: s.Replication})
	}
	return list
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// writeJSON replaces a file as a whole: who reads it reads it complete.
func writeJSON(path string, content any) error {
	text, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, text, 0o600, renameio.WithTempDir(filepath.Dir(path)))
}
