package basedir

import (
	"archive/tar"
	"errors"
	"os"
	"testing"

	"mysqlmatrix/harness/archive"
	"mysqlmatrix/harness/flavor"
)

// A hostile archive leaves nothing, and is recorded nowhere.
func TestHostileArchive(t *testing.T) {
	file := gzipped(t, tarOf(t, append(serverEntries(mysqlVersion), entry{name: "top/../../evil", kind: tar.TypeReg, body: "x"})))
	s := newStore(t)
	e := tarballEntry(flavor.MySQL, "8.0", Tarball{SHA256: sha256Of(file), URLs: []string{newVendor(t, file).URL + "/m.tar.gz"}})
	if _, err := s.Obtain(t.Context(), e, ""); !errors.As(err, new(*archive.HostileError)) {
		t.Errorf("error %v, want a refusal", err)
	}
	wantNothingLeft(t, s)
	if _, err := os.Stat(s.LockFile); err == nil {
		t.Error("the lock file recorded it")
	}
}

func TestTruncatedArchive(t *testing.T) {
	plain := tarOf(t, serverEntries(mysqlVersion))
	for name, file := range map[string][]byte{"m.tar.gz": gzipped(t, plain), "m.tar.xz": xzipped(t, plain)} {
		for _, size := range []int{0, 10, len(file) / 2, len(file) - 1} {
			s := newStore(t)
			short := file[:size]
			e := tarballEntry(flavor.MySQL, "8.0", Tarball{SHA256: sha256Of(short), URLs: []string{newVendor(t, short).URL + "/" + name}})
			if _, err := s.Obtain(t.Context(), e, ""); err == nil {
				t.Errorf("%s cut to %d of %d bytes: no error", name, size, len(file))
			}
			wantNothingLeft(t, s)
		}
	}
}
