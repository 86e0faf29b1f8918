package rundir

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"mysqlmatrix/harness/folder"
)

// aliasBases are where a root whose path does not serve has its other name.
var aliasBases = []string{"/tmp", "/var/tmp", "/dev/shm"}

// alias is another name of a folder, a symbolic link, for one whose path is too long for sockets, or has signs that shell
// scripts and option files give a meaning: dbdeployer's scripts quote nothing. It is the same each time, and there while the
// folder holds something.
func alias(real string) (string, error) {
	sum := sha256.Sum256([]byte(strconv.Itoa(os.Getuid()) + real))
	var errs []error
	for _, base := range aliasBases {
		path := filepath.Join(base, "mm-"+hex.EncodeToString(sum[:6]))
		err := link(real, path)
		if err == nil {
			return path, nil
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("its path %s, and no link to it can be made: %w", folder.PathFault(real), errors.Join(errs...))
}

// link makes a link, or finds this user's own. A folder of its name is what a server script of a killed run has made for its
// socket when the link had gone (mysqld_safe does), and is removed.
func link(real, path string) error {
	err := os.Symlink(real, path)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Getuid() {
		return fmt.Errorf("%s is somebody else's", path)
	}
	if info.IsDir() {
		return errors.Join(os.RemoveAll(path), os.Symlink(real, path))
	}
	target, err := os.Readlink(path)
	if err != nil {
		return err
	}
	if target != real {
		return fmt.Errorf("%s is a link to %s", path, target)
	}
	return nil
}

// appear makes the alias again that vanish has removed. It is called under the root's lock.
func (r *Root) appear() error {
	if r.dir == r.real {
		return nil
	}
	return link(r.real, r.dir)
}

// vanish removes the alias of a root that holds nothing.
func (r *Root) vanish(ctx context.Context) (err error) {
	if r.dir == r.real {
		return nil
	}
	unlock, err := r.lock(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return r.vanishLocked()
}

func (r *Root) vanishLocked() error {
	if r.dir == r.real {
		return nil
	}
	left, err := r.list()
	if err != nil || len(left) > 0 {
		return err
	}
	if err := os.Remove(r.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
