package matrix

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// built is where the sound file has its tool from; published is an archive in the place of that.
const (
	built     = "        module: {path: github.com/github/gh-ost, command: go/cmd/gh-ost}\n"
	published = `        release:
          url: https://example.com/v1.1.10/gh-ost-linux-amd64.tar.gz
          sha256: 688fd3432a014628692a284d9bee06fbab5c7b5704bd3425d580a37b3eb3a9da
          path: usr/local/bin/gh-ost
`
)

func TestToolRelease(t *testing.T) {
	m, err := loadText(t, strings.Replace(sound, built, published, 1))
	if err != nil {
		t.Fatal(err)
	}
	want := ToolRelease{URL: "https://example.com/v1.1.10/gh-ost-linux-amd64.tar.gz", Path: "usr/local/bin/gh-ost",
		SHA256: "688fd3432a014628692a284d9bee06fbab5c7b5704bd3425d580a37b3eb3a9da"}
	got := m.Tools[0].Versions[0].Release
	if got == nil || got.URL != want.URL || got.SHA256 != want.SHA256 || got.Path != want.Path {
		t.Fatalf("read %+v, want %+v", got, want)
	}
	for _, url := range []string{"http://example.com/a.tar.xz", "file:///srv/a.zip", "https://example.com/a_1.0_amd64.deb", "https://example.com/a.tar.zst?token=x"} {
		if _, err := loadText(t, strings.Replace(sound, built, strings.Replace(published, want.URL, url, 1), 1)); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestMistakesOfAToolRelease(t *testing.T) {
	const (
		digits = "688fd3432a014628692a284d9bee06fbab5c7b5704bd3425d580a37b3eb3a9da"
		kinds  = "want a .tar.gz, .tgz, .tar.xz, .txz, .tar.zst, .tar.zstd, .tar.bz2, .tbz2, .tar, .zip, .deb"
		asHas  = "want it as the archive has it, such as usr/local/bin/tool"
	)
	for _, c := range []struct{ name, old, new, want string }{
		{"no url", "          url: https://example.com/v1.1.10/gh-ost-linux-amd64.tar.gz\n", "", `8: tool "gh-ost" v1.1.10: release has no url; add where the archive is published`},
		{"another scheme", "https://example.com", "ftp://example.com", `8: tool "gh-ost" v1.1.10: release: URL "ftp://example.com/v1.1.10/gh-ost-linux-amd64.tar.gz"; want https://… or file:///…`},
		{"a path for a URL", "https://example.com/v1.1.10", "/srv", `8: tool "gh-ost" v1.1.10: release: URL "/srv/gh-ost-linux-amd64.tar.gz"; want https://… or file:///…`},
		{"a file of another host", "https://example.com", "file://example.com", `8: tool "gh-ost" v1.1.10: release: URL "file://example.com/v1.1.10/gh-ost-linux-amd64.tar.gz"; want https://… or file:///…`},
		{"no archive", ".tar.gz", ".rpm", `8: tool "gh-ost" v1.1.10: release: URL "https://example.com/v1.1.10/gh-ost-linux-amd64.rpm"; ` + kinds},
		{"no checksum", "          sha256: " + digits + "\n", "", `8: tool "gh-ost" v1.1.10: release has no sha256; add the archive's SHA-256`},
		{"a digit short", digits, digits[1:], `9: tool "gh-ost" v1.1.10: release: sha256 has 63 digits; want 64`},
		{"no digits", digits, "x" + digits[1:], `9: tool "gh-ost" v1.1.10: release: sha256 is "x` + digits[1:] + `"; want hexadecimal digits`},
		{"no path", "          path: usr/local/bin/gh-ost\n", "", `8: tool "gh-ost" v1.1.10: release has no path; add the program's path in the archive`},
		{"an absolute path", "path: usr", "path: /usr", `10: tool "gh-ost" v1.1.10: release: path "/usr/local/bin/gh-ost"; ` + asHas},
		{"a path upwards", "path: usr", "path: ../usr", `10: tool "gh-ost" v1.1.10: release: path "../usr/local/bin/gh-ost"; ` + asHas},
		{"a path up and down", "local/bin", "../usr/local/bin", `10: tool "gh-ost" v1.1.10: release: path "usr/../usr/local/bin/gh-ost"; ` + asHas},
		{"the folder itself", "usr/local/bin/gh-ost", ".", `10: tool "gh-ost" v1.1.10: release: path "."; ` + asHas},
		{"an unknown key", "          path:", "          binary: x\n          path:", `10: tools[0].versions[0].release has an unknown key "binary"; known are url, sha256, path`},
		{"a text for it", published, "        release: https://example.com/a.tar.gz\n", `7: tools[0].versions[0].release is a single value; write keys and values`},
		{"two sources", published, published + built, `5: tool "gh-ost" v1.1.10 has 2 sources; give exactly one of module, apt, release, builtin, program`},
		{"no source", published, "", `5: tool "gh-ost" v1.1.10 has 0 sources; give exactly one of module, apt, release, builtin, program`},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(sound, built, published, 1)
			if strings.Count(text, c.old) == 0 {
				t.Fatalf("%q is not in the file", c.old)
			}
			_, err := loadText(t, strings.Replace(text, c.old, c.new, 1))
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("want Problems, got %v", err)
			}
			var got []string
			for _, p := range problems {
				got = append(got, fmt.Sprintf("%d: %s; %s", p.Line, p.What, p.Fix))
			}
			if text := strings.Join(got, "|"); text != c.want {
				t.Errorf("got:  %s\nwant: %s", text, c.want)
			}
		})
	}
}
