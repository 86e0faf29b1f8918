package apt

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const debianTargets = `Debian|bookworm|http://mirror.example/debian/|main
Debian|bookworm-updates|http://mirror.example/debian/|main
Debian|bookworm-security|http://mirror.example/security/|main
Node Source|nodistro|https://third.example/node/|main
Debian|bookworm|cdrom:[disc]/|main
`

func TestParseTargets(t *testing.T) {
	got := parseTargets(debianTargets + "$(ORIGIN)|trixie|http://mirror.example/debian/|main\nnoise\n")
	if len(got) != 5 {
		t.Fatalf("targets: %v, want five: no disc, no noise", got)
	}
	want := target{"", "trixie", "http://mirror.example/debian/", "main"}
	if got[4] != want {
		t.Errorf("last target %+v, want %+v", got[4], want)
	}
}

func TestOfDistribution(t *testing.T) {
	targets := parseTargets(debianTargets)
	if own := ofDistribution(targets, "bookworm"); len(own) != 3 {
		t.Errorf("own targets %v, want the three of Debian", own)
	}
	for i := range targets {
		targets[i].origin = "" // as before the first apt-get update
	}
	if own := ofDistribution(targets, "bookworm"); len(own) != 3 {
		t.Errorf("own targets without origins %v, want the three named for the release", own)
	}
}

func TestSourceLines(t *testing.T) {
	if _, err := keyring("debian"); err != nil {
		t.Skip("not on Debian")
	}
	lines, err := sourceLines(parseTargets(debianTargets), []string{"bullseye", "bullseye-security"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"/debian/ bullseye main", "/security/ bullseye-security main"} {
		if !strings.Contains(lines[i], "signed-by=") || !strings.Contains(lines[i], want) {
			t.Errorf("line %d: %s, want %q, signed", i, lines[i], want)
		}
	}
	_, err = sourceLines(parseTargets("Debian|bookworm|http://mirror.example/debian/|main\n"), []string{"bullseye-security"})
	if !errors.As(err, new(*NoSuiteError)) {
		t.Errorf("without a security mirror: %v, want a NoSuiteError", err)
	}
}

func TestDistribution(t *testing.T) {
	tests := map[string]struct{ text, id, codename string }{
		"debian":     {"ID=debian\nVERSION_CODENAME=trixie\n", "debian", "trixie"},
		"ubuntu":     {"ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n", "ubuntu", "noble"},
		"derivative": {"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_CODENAME=zara\n", "ubuntu", "zara"},
		"other":      {"ID=fedora\n", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "os-release")
			if err := os.WriteFile(path, []byte(test.text), 0o644); err != nil {
				t.Fatal(err)
			}
			id, codename, err := distribution(path)
			if id != test.id || codename != test.codename || (err == nil) != (test.id != "") {
				t.Errorf("got %q, %q, %v", id, codename, err)
			}
		})
	}
}

func TestMissingSuite(t *testing.T) {
	tests := map[string]string{
		"E: The repository 'http://mirror.example/debian noble Release' does not have a Release file.":    "noble",
		"E: The repository 'http://mirror.example/debian buster Release' no longer has a Release file.":   "buster",
		"E: Failed to fetch http://mirror.example/debian/dists/sid/InRelease  Could not resolve 'mirror'": "",
	}
	for out, want := range tests {
		if got := missingSuite("Hit:1 …\n" + out + "\n"); got != want {
			t.Errorf("%s: got %q, want %q", out, got, want)
		}
	}
}

func TestDropSetID(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "su")
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	if err := dropSetID(dir); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o755 {
		t.Errorf("mode %v, %v; want -rwxr-xr-x", info.Mode(), err)
	}
}

// TestConfigKeepsSignatureChecks guards what makes a package trustworthy.
func TestConfigKeepsSignatureChecks(t *testing.T) {
	config := newArea("/cache", []string{"deb x"}).config()
	for _, want := range []string{
		`APT::Get::AllowUnauthenticated "false"`, `Acquire::AllowInsecureRepositories "false"`,
		`Acquire::AllowWeakRepositories "false"`, `Acquire::AllowDowngradeToInsecureRepositories "false"`,
	} {
		if !strings.Contains(config, want) {
			t.Errorf("apt's configuration lacks %s", want)
		}
	}
}

func TestParseURIs(t *testing.T) {
	got := parseURIs(`'http://mirror.example/debian/dists/bookworm/InRelease' mirror.example_InRelease 0
'http://mirror.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' mirror.example_Packages 0
'http://mirror.example/debian/dists/bookworm/main/binary-all/Packages.xz' mirror.example_Packages 0
'http://mirror.example/security/dists/buster/updates/main/binary-amd64/Packages.xz' mirror.example_Packages 0
`)
	want := []target{
		{"", "bookworm", "http://mirror.example/debian/", "main"},
		{"", "buster/updates", "http://mirror.example/security/", "main"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
