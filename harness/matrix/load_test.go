package matrix

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := Load("testdata/mistakes.yaml")
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("want Problems, got %v", err)
	}
	if len(problems) < 10 {
		t.Errorf("only %d problems", len(problems))
	}
	golden(t, "testdata/mistakes.golden", problems.Error()+"\n")
	checkMarkedLines(t, problems, "testdata/mistakes.yaml", "testdata/mistakes.yaml")
	checkMarkedLines(t, problems, "mistakes/gh-ost.yaml", "testdata/mistakes/gh-ost.yaml")
}

// checkMarkedLines holds the problems of a file against it: each marked line has a problem, and no other line has.
func checkMarkedLines(t *testing.T, problems Problems, name, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	reported := map[int]bool{}
	for _, p := range problems {
		if p.File == name {
			reported[p.Line] = true
		}
		if p.Fix == "" {
			t.Errorf("%s: does not say what would be right", p)
		}
	}
	line := 0
	for text := range strings.Lines(string(text)) {
		line++
		_, _, marked := strings.Cut(strings.TrimLeft(text, "#"), " # ")
		if marked && !reported[line] {
			t.Errorf("%s: line %d has no problem: %s", path, line, text)
		}
		if reported[line] && !marked {
			t.Errorf("%s: line %d has a problem and no mark: %s", path, line, text)
		}
	}
}

// sound is a matrix file without a mistake; the cases of TestOneMistake put one into it.
const sound = `tools:
  - name: gh-ost
    suites: [migration]
    versions:
      - version: v1.1.10
        tier: pr
        module: {path: github.com/github/gh-ost, command: go/cmd/gh-ost}
entries:
  - name: mariadb-10.11
    vendor: mariadb
    series: "10.11"
    tier: pr
    sources:
      - tarball:
          version: "10.11.9"
          urls: [https://archive.mariadb.org/a.tar.gz]
          vendor_api: true
          unpacked_size: 4000000000
      - apt: {suites: [bookworm], packages: [mariadb-server-core]}
      - script: {version: "10.11.1", command: fill.sh, needs: [npm]}
      - dir: {path: /opt/mariadb}
  - name: mysql-8.0
    vendor: mysql
    series: "8.0"
    tier: full
    sources:
      - tarball:
          version: "8.0.33"
          urls: ["https://downloads.mysql.com/b.tar.xz"]
          md5: 377b6ae9c88a698438a19d67efa03252
`

func TestSoundFile(t *testing.T) {
	m, err := loadText(t, sound)
	if err != nil {
		t.Fatal(err)
	}
	tarball := declared(t, m.Entries[0].Sources[0])
	for _, want := range []string{`"version":"10.11.9"`, `"unpacked_size":4000000000`, `"vendor_api":true`} {
		if !strings.Contains(tarball, want) {
			t.Errorf("tarball: %s lacks %s", tarball, want)
		}
	}
	var kinds []string
	for _, s := range m.Entries[0].Sources {
		kinds = append(kinds, s.Kind())
	}
	if got := strings.Join(kinds, " "); got != "tarball apt script dir" {
		t.Errorf("kinds of sources: %s", got)
	}
}

func TestOneMistake(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"empty list of tools", sound[:strings.Index(sound, "entries:")], "tools: []\n", "" +
			"1: the file has no tools; list at least one"},
		{"series as a number", `"10.11"`, `10.10`, `11: entries[0].series: 10.10 is not quoted and YAML reads the number 10.1; quote it: "10.10"`},
		{"series as a whole number", `"10.11"`, `10`, `11: entries[0].series: 10 is not quoted and YAML reads the number 10; quote it: "10"`},
		{"series of three numbers", `series: "8.0"`, `series: "8.0.3"`, `` +
			`22: entry "mysql-8.0" is 8.0.3 of mysql; call it "mysql-8.0.3", or "mysql-8.0.3-" and a word|24: entry "mysql-8.0": series "8.0.3"; want two numbers, such as "10.11"|` +
			`28: entry "mysql-8.0": sources[0]: version "8.0.33"; want a release of 8.0.3`},
		{"version as a number", `version: "8.0.33"`, `version: 8.0`, `28: entries[1].sources[0].tarball.version: 8.0 is not quoted and YAML reads the number 8; quote it: "8.0"`},
		{"name as a truth value", `name: mysql-8.0`, `name: true`, `22: entries[1].name: true is not quoted and YAML reads a truth value; quote it: "true"`},
		{"checksum of digits", `377b6ae9c88a698438a19d67efa03252`, `37706090988069843801906700003252`,
			`30: entries[1].sources[0].tarball.md5: 37706090988069843801906700003252 is not quoted and YAML reads the number 3.7706090988069844e+31; quote it: "37706090988069843801906700003252"`},
		{"no checksum", "\n          md5: 377b6ae9c88a698438a19d67efa03252", "",
			`28: entry "mysql-8.0": sources[0] has no checksum; add the md5, sha256 or sha512 that the vendor publishes`},
		{"API of another vendor", `md5: 377b6ae9c88a698438a19d67efa03252`, `vendor_api: true`,
			`30: entry "mysql-8.0": sources[0]: only MariaDB has an API that says checksums; give the checksum that the vendor publishes`},
		{"API switched off", `vendor_api: true`, `vendor_api: false`,
			`15: entry "mariadb-10.11": sources[0] has no checksum; add the md5, sha256 or sha512 that the vendor publishes, or vendor_api: true`},
		{"truth value as text", `vendor_api: true`, `vendor_api: "true"`, `` +
			`15: entry "mariadb-10.11": sources[0] has no checksum; add the md5, sha256 or sha512 that the vendor publishes, or vendor_api: true|` +
			`17: entries[0].sources[0].tarball.vendor_api is "true"; write true or false`},
		{"size with a unit", `4000000000`, `4GB`, `18: entries[0].sources[0].tarball.unpacked_size is "4GB"; write a whole number`},
		{"script not there", `fill.sh`, `none.sh`, `20: entry "mariadb-10.11": sources[2]: command "none.sh" is not an executable file; give the path of a program, relative to the matrix file`},
		{"script not executable", `fill.sh`, `plain.txt`, `20: entry "mariadb-10.11": sources[2]: command "plain.txt" is not an executable file; give the path of a program, relative to the matrix file`},
		{"unknown kind of source", `- dir: {`, `- dirs: {`, `21: entries[0].sources[3] has an unknown key "dirs"; did you mean "dir"?`},
		{"source of no kind", `- dir: {path: /opt/mariadb}`, `- {}`, `21: entry "mariadb-10.11": sources[3] has 0 kinds; give exactly one of apt, dir, maven, release, script, tarball; further sources are further items`},
		{"apt without a suite", `{suites: [bookworm], `, `{`, `19: entry "mariadb-10.11": sources[1] has no suites; name the suite that carries them, such as bookworm`},
		{"a server without its dependencies", `{suites: [bookworm], `, `{alone: true, suites: [bookworm], `, `19: entry "mariadb-10.11": sources[1]: a server is not unpacked without what it depends on; remove it: it is for tools`},
		{"no vendor", "\n    vendor: mysql", "", `22: entry "mysql-8.0" has no vendor; add vendor: mysql, percona or mariadb`},
		{"no tier", "\n    tier: full", "", `22: entry "mysql-8.0" has no tier; add tier: pr or full`},
		{"no value", `tier: full`, `tier:`, `25: entries[1].tier is empty; give it a value or leave the key out`},
		{"no name", "  - name: mysql-8.0\n    vendor", "  - vendor", `22: entry has no name; give it a name`},
		{"list for a value", `name: mysql-8.0`, `name: [mysql-8.0]`, `22: entries[1].name is a list; write one value`},
		{"value for a list", `urls: ["https://downloads.mysql.com/b.tar.xz"]`, `urls: https://downloads.mysql.com/b.tar.xz`,
			`29: entries[1].sources[0].tarball.urls is a single value; write a list`},
		{"value for a source", `- dir: {path: /opt/mariadb}`, `- /opt/mariadb`, `21: entries[0].sources[3] is a single value; write keys and values`},
		{"value for an entry", "  - name: mariadb-10.11\n", "  - mariadb-10.6\n  - name: mariadb-10.11\n", `9: entries[0] is a single value; write keys and values`},
		{"value for a version", "      - version: v1.1.10\n", "      - v1.1.9\n      - version: v1.1.10\n", `5: tools[0].versions[0] is a single value; write keys and values`},
		{"empty name", `name: gh-ost`, `name: ""`, `2: tool has an empty name; give it a name`},
		{"far unknown key", `tier: full`, "tier: full\n    maintainer: me", `26: entries[1] has an unknown key "maintainer"; known are name, vendor, series, tier, sources, suites, note`},
		{"unknown key outermost", "tools:\n", "version: 2\ntools:\n", `1: the file has an unknown key "version"; known are tools, entries, expectations`},
		{"version twice", "entries:\n", "      - {version: v1.1.10, tier: full, module: {path: a, command: b}}\nentries:\n", `8: tool "gh-ost": version "v1.1.10" is there twice; the first stands in line 5`},
		{"tool twice", "entries:\n", "  - {name: gh-ost, suites: [migration], versions: [{version: a, tier: pr, builtin: true}]}\nentries:\n", `8: tool "gh-ost" is there twice; the first stands in line 2`},
		{"module without command", `, command: go/cmd/gh-ost`, ``, `7: tool "gh-ost" v1.1.10: module has no command; add the command's folder inside the module`},
		{"not YAML", `tier: full`, `tier: "full`, `29: mapping values are not allowed in this context; correct the YAML first; the rest is checked after that`},
		{"two documents", "entries:\n", "---\nentries:\n", `8: a second YAML document begins; remove the line ---: a matrix is one document`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.Count(sound, c.old) == 0 {
				t.Fatalf("%q is not in the sound file", c.old)
			}
			_, err := loadText(t, strings.Replace(sound, c.old, c.new, 1))
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("want Problems, got %v", err)
			}
			var got []string
			for _, p := range problems {
				if filepath.Base(p.File) != "matrix.yaml" {
					t.Errorf("file %q", p.File)
				}
				got = append(got, fmt.Sprintf("%d: %s; %s", p.Line, p.What, p.Fix))
			}
			if text := strings.Join(got, "|"); text != c.want {
				t.Errorf("got:  %s\nwant: %s", text, c.want)
			}
		})
	}
}

func TestNothingToRead(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "comment": "# nothing\n", "null": "~\n", "list": "- a\n"} {
		t.Run(name, func(t *testing.T) {
			_, err := loadText(t, text)
			var problems Problems
			if !errors.As(err, &problems) || len(problems) != 1 || problems[0].Line != 1 {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml")); err == nil || !strings.Contains(err.Error(), "--matrix") {
		t.Errorf("missing file: %v", err)
	}
}

// An anchor that holds itself must not be followed for ever.
func TestAnchors(t *testing.T) {
	if _, err := loadText(t, "tools: &x [*x]\nentries: []\n"); err == nil {
		t.Error("a list of itself was accepted")
	}
	shared := strings.Replace(sound, "{suites: [bookworm], packages: [mariadb-server-core]}", "&debian {suites: [bookworm], packages: [mariadb-server-core]}", 1)
	shared = strings.Replace(shared, "- dir: {path: /opt/mariadb}", "- apt: *debian", 1)
	m, err := loadText(t, shared)
	if err != nil {
		t.Fatal(err)
	}
	if a := declared(t, m.Entries[0].Sources[3]); a != `{"apt":{"suites":["bookworm"],"packages":["mariadb-server-core"]}}` {
		t.Errorf("an alias was read as %s", a)
	}
}

// declared is a source as JSON.
func declared(t *testing.T, s Source) string {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Keys that begin with x- are a place for anchors; what a mapping merges stands back behind its own keys.
func TestExtensionsAndMergeKeys(t *testing.T) {
	shared := "x-common: &common\n  tier: pr\n  vendor: mysql\n" + strings.Replace(sound, "    vendor: mysql\n    series: \"8.0\"\n    tier: full\n", "    <<: *common\n    series: \"8.0\"\n    tier: full\n", 1)
	m, err := loadText(t, shared)
	if err != nil {
		t.Fatal(err)
	}
	if e := m.Entries[1]; e.Tier != TierFull || e.Vendor.String() != "mysql" {
		t.Errorf("%s of %s, want its own tier and the merged vendor", e.Tier, e.Vendor)
	}
	for text, want := range map[string]string{
		strings.Replace(shared, "<<: *common", "<<: text", 1):                                      `entries[1] merges a single value; merge a mapping with an anchor`,
		strings.Replace(shared, "  tier: pr\n", "  teir: pr\n", 1):                                 `has an unknown key "teir"`,
		"x-loop: &loop\n  <<: *loop\n" + sound:                                                     "",
		strings.Replace(sound, "  - name: mysql-8.0\n", "  - name: mysql-8.0\n    x-mine: 1\n", 1): `has an unknown key "x-mine"`,
	} {
		if _, err := loadText(t, text); (want == "") != (err == nil) && want != "" || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
