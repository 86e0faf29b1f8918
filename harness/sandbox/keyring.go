package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"mysqlmatrix/harness/basedir"
)

// HasKeyring says whether the server can be given a keyring of its own: MySQL from 8.0.24 on.
func (g *Golden) HasKeyring() bool {
	_, err := os.Stat(filepath.Join(g.Basedir, "lib", "plugin", basedir.KeyringComponent+".cnf"))
	return err == nil
}

// GiveKeyring has the server load a keyring in a file of its own when it starts the next time.
func (s *Sandbox) GiveKeyring() error {
	config, err := json.Marshal(map[string]any{"path": filepath.Join(s.DataDir(), "keyring"), "read_only": false})
	if err == nil {
		err = errors.Join(
			os.WriteFile(filepath.Join(s.DataDir(), "mysqld.my"), []byte(`{"components": "file://`+basedir.KeyringComponent+`"}`), 0o644),
			os.WriteFile(filepath.Join(s.DataDir(), basedir.KeyringComponent+".cnf"), config, 0o600),
		)
	}
	if err != nil {
		return fmt.Errorf("a keyring for the server on port %d: %w", s.meta.Port, err)
	}
	return nil
}
