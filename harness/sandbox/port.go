package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"mysqlmatrix/harness/server"
)

// portAttempts is how many other ports a new sandbox tries.
const portAttempts = 5

// bindErrors are what servers write to their error log when their port is taken.
var bindErrors = []string{"Address already in use", "Do you already have another mysqld server running on port"}

// portTaken says whether a server did not start since another program has its port.
func portTaken(err error) bool {
	if errors.As(err, new(*server.StrangerError)) {
		return true
	}
	var start *StartError
	if !errors.As(err, &start) {
		return false
	}
	for _, text := range bindErrors {
		if strings.Contains(start.LogTail, text) {
			return true
		}
	}
	return false
}

// movePort gives a sandbox that does not run another port, in its configuration and in dbdeployer's scripts.
func (s *Sandbox) movePort() error {
	lease, err := LeasePort()
	if err != nil {
		return err
	}
	oldPort, oldSocket := s.meta.Port, s.Socket()
	s.meta.Port = lease.Port
	err = errors.Join(s.lease.Release(), s.replace(strings.NewReplacer(
		oldSocket, s.Socket(), // first: it holds the port
		strconv.Itoa(oldPort), strconv.Itoa(lease.Port),
		strconv.Itoa(oldPort+xPortOffset), strconv.Itoa(lease.Port+xPortOffset),
	)))
	s.lease = lease
	// The next start begins with logs of its own, so that the old port's error is not taken for its own.
	for _, path := range []string{s.ErrorLogPath(), filepath.Join(s.dir, "start.log")} {
		if removeErr := os.Remove(path); removeErr != nil && !errors.Is(removeErr, os.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}
	if err != nil {
		return fmt.Errorf("give the server on port %d another port: %w", oldPort, err)
	}
	return nil
}
