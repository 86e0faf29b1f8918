package basedir

import (
	"net/http"
	"strings"
	"testing"

	"mysqlmatrix/harness/release"
)

// offline is a client that reaches nobody.
type offline struct{ asked []string }

func (o *offline) RoundTrip(r *http.Request) (*http.Response, error) {
	o.asked = append(o.asked, r.URL.String())
	return nil, http.ErrServerClosed
}

func TestExactReleases(t *testing.T) {
	m := repository(t)
	sum := strings.Repeat("a", 64)
	for name, c := range map[string]struct {
		ref, arch string
		checksum  string
		trust     bool
		asks      string // the archive that is asked for first; "" for nobody
		want      string // of the error
	}{
		"listed":                       {ref: "mysql@8.0.28", asks: "mysql-8.0.28-linux-glibc2.17-x86_64-minimal.tar.xz"},
		"a checksum beside the list's": {ref: "mysql@8.0.28", checksum: sum, asks: "mysql-8.0.28-linux-glibc2.17-x86_64-minimal.tar.xz"},
		"listed, Percona's":            {ref: "percona@8.0.36-28", asks: "Percona-Server-8.0.36-28-Linux.x86_64.glibc2.17-minimal.tar.gz"},
		"not listed": {ref: "mysql@8.0.29",
			want: "mysql 8.0.29 is not in the list of releases: give its checksum with --checksum, or --trust-first-use; listed are 8.0.13, 8.0.15,"},
		"not listed, with a checksum": {ref: "mysql@8.0.29", checksum: sum, asks: "mysql-8.0.29-linux-glibc2.17-x86_64-minimal.tar.xz"},
		"not listed, trusted":         {ref: "mysql@8.0.29", trust: true, asks: "mysql-8.0.29-linux-glibc2.17-x86_64-minimal.tar.xz"},
		"not listed, MariaDB's":       {ref: "mariadb@10.6.8", asks: "rest-api/mariadb/10.6.8/", want: "MariaDB's own list:"},
		"another machine":             {ref: "mysql@8.0.28", arch: "arm64", want: "no arm64 archive"},
		"another machine, listed":     {ref: "mysql@8.4.8", arch: "arm64", asks: "mysql-8.4.8-linux-glibc2.28-aarch64.tar.xz"},
		"a line":                      {ref: "mysql-26", asks: "mysql-26.7.0-ubuntu-22.04-x64.tar.zstd"},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := m.Resolve(c.ref)
			if err == nil {
				e, err = e.Trusting(c.checksum, c.trust)
			}
			if err != nil {
				t.Fatal(err)
			}
			s, network := newStore(t), &offline{}
			s.HTTP, s.Machine = &http.Client{Transport: network}, release.Machine{Arch: "amd64", Glibc: "2.36"}
			if c.arch != "" {
				s.Machine.Arch = c.arch
			}
			_, err = s.Obtain(t.Context(), e, "")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if c.want != "" && strings.Count(err.Error(), "\n") > 1 {
				t.Errorf("more than one line: %v", err)
			}
			if c.asks == "" && len(network.asked) > 0 || c.asks != "" && (len(network.asked) == 0 || !strings.Contains(network.asked[0], c.asks)) {
				t.Errorf("asked for %v, want %q", network.asked, c.asks)
			}
			wantNothingLeft(t, s)
		})
	}
}
