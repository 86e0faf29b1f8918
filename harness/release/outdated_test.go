package release

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"mysqlmatrix/harness/flavor"
)

func TestUpstream(t *testing.T) {
	u := Ask(t.Context(), func(_ context.Context, url string) ([]string, error) {
		switch {
		case strings.Contains(url, "percona"):
			return []string{"Percona-Server-8.0.40-31", "Percona-Server-8.0.40-4"}, nil
		case strings.Contains(url, "MariaDB"):
			return nil, errors.New("no route to host")
		}
		return []string{"mysql-8.0.9", "mysql-8.0.47", "mysql-8.0.47-rc", "mysql-cluster-8.0.48", "mysql-26.10.0", "mysql-26.7.0"}, nil
	})
	for _, c := range []struct {
		vendor       flavor.Vendor
		series, want string
	}{{flavor.MySQL, "8.0", "8.0.47"}, {flavor.MySQL, "26", "26.10.0"}, {flavor.MySQL, "5.1", ""}, {flavor.Percona, "8.0", "8.0.40-31"}} {
		if got, err := u.Newest(c.vendor, c.series); got != c.want || err != nil {
			t.Errorf("%s %s: %q, %v, want %q", c.vendor, c.series, got, err, c.want)
		}
	}
	if _, err := u.Newest(flavor.MariaDB, "11.4"); err == nil || !strings.Contains(err.Error(), "cannot be reached: no route to host") {
		t.Errorf("unreachable: %v", err)
	}
	if !Behind("8.0.46", "8.0.47") || Behind("8.0.47", "8.0.47") || !Behind("8.0.40-4", "8.0.40-31") || !Behind("", "8.0.1") || Behind("8.0.1", "") {
		t.Error("releases are in the wrong order")
	}
}

func TestRemoteTags(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"init", "-q"}, {"-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"}, {"tag", "mysql-8.0.47"}} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	tags, err := RemoteTags(t.Context(), dir)
	if err != nil || !slices.Equal(tags, []string{"mysql-8.0.47"}) {
		t.Errorf("tags %v, %v", tags, err)
	}
}
