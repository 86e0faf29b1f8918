package apt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"mysqlmatrix/harness/proc"
)

// target is one package index that the system's apt is configured with.
type target struct {
	origin    string // "Debian", "Ubuntu"; empty while the system never ran apt-get update
	release   string // the suite as sources.list names it
	repo      string // the mirror's address
	component string
}

// targetFormat is what apt-get indextargets is asked for; see apt's acquire-additional-files.md.
const targetFormat = "$(ORIGIN)|$(RELEASE)|$(REPO_URI)|$(COMPONENT)"

// systemTargets asks the system's apt which package indexes it uses. It only reads configuration, so that
// it works for any user. Before the first apt-get update there are no targets yet, but what an update would
// fetch is known.
func systemTargets(ctx context.Context) ([]target, error) {
	out, err := ask(ctx, "indextargets", "--format", targetFormat, "Created-By: Packages")
	if err != nil {
		return nil, err
	}
	targets := parseTargets(out)
	if len(targets) > 0 {
		return targets, nil
	}
	if out, err = ask(ctx, "update", "--print-uris"); err != nil {
		return nil, err
	}
	targets = parseURIs(out)
	if len(targets) == 0 {
		return nil, errors.New("the system's apt has no package sources: add them to /etc/apt/sources.list.d and run 'apt-get update'")
	}
	return targets, nil
}

func ask(ctx context.Context, args ...string) (string, error) {
	out, err := proc.Run(ctx, proc.Cmd{Path: "apt-get", Args: args, Env: []string{"LC_ALL=C"}, Inherit: true})
	if err != nil {
		return "", fmt.Errorf("ask apt for its mirrors: %w", err)
	}
	return out, nil
}

// indexURI is an index in a mirror: 'MIRROR/dists/SUITE/COMPONENT/binary-ARCHITECTURE/Packages.xz'.
var indexURI = regexp.MustCompile(`^'(\S+/)dists/(\S+)/([^/\s]+)/binary-[^/\s]+/Packages`)

func parseURIs(out string) (targets []target) {
	for line := range strings.Lines(out) {
		m := indexURI.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(m[1], "cdrom:") {
			continue
		}
		if t := (target{repo: m[1], release: m[2], component: m[3]}); !slices.Contains(targets, t) {
			targets = append(targets, t)
		}
	}
	return targets
}

func parseTargets(out string) (targets []target) {
	for line := range strings.Lines(out) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		if len(fields) != 4 || strings.HasPrefix(fields[2], "cdrom:") {
			continue
		}
		for i, field := range fields {
			if strings.HasPrefix(field, "$(") { // apt leaves what it does not know
				fields[i] = ""
			}
		}
		targets = append(targets, target{origin: fields[0], release: fields[1], repo: fields[2], component: fields[3]})
	}
	return targets
}

// sourceLines says what sources.list must hold so that apt offers the suites, from the system's mirror and
// verified with the system's copy of the distribution's keys.
func sourceLines(targets []target, suites []string) ([]string, error) {
	id, codename, err := distribution("/etc/os-release")
	if err != nil {
		return nil, err
	}
	targets = ofDistribution(targets, codename)
	if len(suites) == 0 {
		return ownLines(targets, id)
	}
	if !slices.ContainsFunc(targets, func(t target) bool { return t.origin == "Debian" || id == "debian" }) {
		return nil, &NoSuiteError{Suite: suites[0], Reason: fmt.Sprintf("this system's packages come from a mirror of %s, which has no Debian suites", id)}
	}
	key, err := keyring("debian")
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, suite := range suites {
		i := slices.IndexFunc(targets, func(t target) bool {
			return t.component == "main" && isSecurity(t.release) == isSecurity(suite)
		})
		if i < 0 && isSecurity(suite) {
			return nil, &NoSuiteError{Suite: suite, Reason: "the system's apt is configured without a mirror of Debian's security updates"}
		}
		if i < 0 {
			return nil, &NoSuiteError{Suite: suite, Reason: "the system's apt is configured without a mirror of Debian's component main"}
		}
		lines = append(lines, fmt.Sprintf("deb [signed-by=%s] %s %s main", key, targets[i].repo, suite))
	}
	return lines, nil
}

// ofDistribution leaves out third parties' sources. Before the first apt-get update nobody knows whose a
// source is; then those count that are named for the system's own release.
func ofDistribution(targets []target, codename string) (own []target) {
	for _, t := range targets {
		base, _, _ := strings.Cut(t.release, "-")
		if t.origin == "Debian" || t.origin == "Ubuntu" || t.origin == "" && codename != "" && base == codename {
			own = append(own, t)
		}
	}
	return own
}

// ownLines are the system's own suites.
func ownLines(targets []target, id string) ([]string, error) {
	if len(targets) == 0 {
		return nil, errors.New("the system's apt has no sources of the distribution's own: run 'apt-get update' and look into /etc/apt/sources.list.d")
	}
	key, err := keyring(id)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, t := range targets {
		line := fmt.Sprintf("deb [signed-by=%s] %s %s %s", key, t.repo, t.release, t.component)
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// isSecurity tells the security archive's suites, which live on a mirror of their own: "bookworm-security",
// and "buster/updates" before Debian 11.
func isSecurity(suite string) bool {
	return strings.HasSuffix(suite, "-security") || strings.HasSuffix(suite, "/updates")
}

// keyring is the system's file with a distribution's archive keys.
func keyring(id string) (string, error) {
	for _, suffix := range []string{".gpg", ".pgp"} { // .pgp since Debian 13
		path := "/usr/share/keyrings/" + id + "-archive-keyring" + suffix
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("the archive keys of %s are not there: install the package %s", id, keyringPackages[id])
}

var keyringPackages = map[string]string{"debian": "debian-archive-keyring", "ubuntu": "ubuntu-keyring"}

// distribution reads the system's ID and codename from os-release(5). A derivative counts as what it is
// like.
func distribution(path string) (id, codename string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", "", fmt.Errorf("tell the distribution: %w", err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = strings.Trim(value, `"'`)
	}
	for _, known := range append([]string{values["ID"]}, strings.Fields(values["ID_LIKE"])...) {
		if keyringPackages[known] != "" {
			return known, values["VERSION_CODENAME"], nil
		}
	}
	return "", "", fmt.Errorf("the distribution %q is neither Debian nor Ubuntu: its mirrors carry no package sources that matrix knows", values["ID"])
}
