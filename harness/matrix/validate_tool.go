package matrix

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mysqlmatrix/harness/archive"
)

func (m *Matrix) validateTool(d *decoder, t *Tool) {
	what := fmt.Sprintf("tool %q", t.Name)
	d.some(t.At, "suites", len(t.Suites), what, "list at least one of "+strings.Join(Suites, ", "))
	for i, suite := range t.Suites {
		d.suite(suite, t.At.Item("suites", i), what)
	}
	d.some(t.At, "versions", len(t.Versions), what, "list at least one")
	for i, option := range t.Options {
		if !strings.HasPrefix(option, "-") {
			d.problem(t.At.Item("options", i), "write it as --name=value", "%s: %q is no option", what, option)
		}
	}
	m.validateDeclaration(d, t, what)
	m.validateManager(d, t, what)
	seen := map[string]int{}
	for i := range t.Versions {
		v := &t.Versions[i]
		d.required(v.At, "version", v.Version, fmt.Sprintf("%s: versions[%d]", what, i), "name it")
		if first, twice := seen[v.Version]; twice && v.Version != "" {
			d.problem(v.At.Of("version"), fmt.Sprintf("the first stands in line %d", first), "%s: version %q is there twice", what, v.Version)
		}
		seen[v.Version] = v.At.Of("version")
		m.validateToolVersion(d, v, strings.TrimSpace(what+" "+v.Version))
	}
}

func (m *Matrix) validateToolVersion(d *decoder, v *ToolVersion, what string) {
	d.tier(v.Tier, v.At, what)
	kinds := 0
	for _, is := range []bool{v.Module != nil, v.Apt != nil, v.Release != nil, v.Builtin, v.Program != ""} {
		if is {
			kinds++
		}
	}
	if kinds > 1 || kinds == 0 && v.At.unknown == 0 && v.At.Read() {
		d.problem(v.At.Line, "give exactly one of module, apt, release, builtin, program", "%s has %d sources", what, kinds)
	}
	if v.Module != nil {
		m.validateModule(d, v.Module, what+": module")
		if fix := moduleVersionFix(v.Version); fix != "" && v.Version != "" {
			d.problem(v.At.Of("version"), fix, "%s is no version of a Go module", what)
		}
	}
	if v.Apt != nil {
		d.packages(v.Apt, what, false)
	}
	if v.Release != nil {
		validateRelease(d, v.Release, what+": release")
	}
	if v.Program != "" && !filepath.IsAbs(v.Program) {
		v.Program = filepath.Join(filepath.Dir(m.Path), v.Program)
	}
	if v.System != nil {
		d.packages(v.System, what+": system", false)
	}
}

func (m *Matrix) validateModule(d *decoder, module *Module, what string) {
	d.required(module.At, "path", module.Path, what, "add the module's path")
	d.required(module.At, "command", module.Command, what, "add the command's folder inside the module")
	for i, one := range module.Require {
		if fields := strings.Fields(one); len(fields) != 2 || !moduleVersion.MatchString(fields[1]) {
			d.problem(module.At.Item("require", i), "want a module's path and its version, such as example.org/m v1.2.3", "%s: require %q", what, one)
		}
	}
	for i := range module.Replace {
		m.validateReplace(d, &module.Replace[i], fmt.Sprintf("%s: replace[%d]", what, i))
	}
}

func validateRelease(d *decoder, r *ToolRelease, what string) {
	if d.required(r.At, "url", r.URL, what, "add where the archive is published") {
		u, err := url.Parse(r.URL)
		_, local := archive.LocalPath(r.URL)
		switch {
		case !local && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == ""):
			d.problem(r.At.Of("url"), "want https://… or file:///…", "%s: URL %q", what, r.URL)
		case !archive.IsArchive(u.Path):
			d.problem(r.At.Of("url"), "want a "+strings.Join(archive.Suffixes, ", "), "%s: URL %q", what, r.URL)
		}
	}
	if d.required(r.At, "sha256", r.SHA256, what, "add the archive's SHA-256") {
		Checker{d: d, what: what}.Checksum(r.At, "sha256", r.SHA256)
	}
	if d.required(r.At, "path", r.Path, what, "add the program's path in the archive") && !inArchive(r.Path) {
		d.problem(r.At.Of("path"), "want it as the archive has it, such as usr/local/bin/tool", "%s: path %q", what, r.Path)
	}
}

// inArchive says whether a path can be one of a file in an archive.
func inArchive(name string) bool {
	return filepath.IsLocal(name) && path.Clean(name) != "." && !slices.Contains(strings.Split(name, "/"), "..")
}

// validateReplace also makes the folder's path absolute.
func (m *Matrix) validateReplace(d *decoder, r *Replace, what string) {
	d.required(r.At, "module", r.Module, what, "add the path of the module that is replaced")
	switch {
	case !r.At.Read():
	case (r.By == "") == (r.Dir == ""):
		d.problem(r.At.Line, "give by and version, or dir", "%s does not name the module that replaces it", what)
	case r.By != "" && !moduleVersion.MatchString(r.Version):
		d.problem(r.At.Of("version"), "want one such as v1.2.3", "%s: version %q", what, r.Version)
	case r.Dir != "":
		full := filepath.Join(filepath.Dir(m.Path), r.Dir)
		if _, err := os.Stat(filepath.Join(full, "go.mod")); err != nil {
			d.problem(r.At.Of("dir"), "give a folder of a Go module, relative to the matrix file", "%s: dir %q has no go.mod", what, r.Dir)
		}
		r.Dir = full
	}
}

var moduleVersion = regexp.MustCompile(`^v\d+\.\d+\.\d+`)

// moduleVersionFix says what would be right when a text is no version of a Go module, else nothing.
func moduleVersionFix(version string) string {
	switch {
	case moduleVersion.MatchString(version):
		return ""
	case moduleVersion.MatchString("v" + version):
		return fmt.Sprintf("did you mean %q?", "v"+version)
	default:
		return "want one such as v1.2.3"
	}
}
