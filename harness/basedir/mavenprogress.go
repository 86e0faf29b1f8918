package basedir

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"mysqlmatrix/harness/proc"
)

// mavenProgress reads what mvn prints: how far its download is, and its errors.
type mavenProgress struct {
	name   string
	report func(name string, done, total int64)

	mu   sync.Mutex
	rest []byte // of a line that is not complete
	text bytes.Buffer
}

// newMavenProgress says how much there is to fetch before mvn starts.
func newMavenProgress(m *Maven, s *Store) *mavenProgress {
	size := ""
	if m.Size > 0 {
		size = fmt.Sprintf(" (%d MB)", m.Size/1e6)
	}
	s.log("fetching %s%s with mvn", m.Artifact, size)
	return &mavenProgress{name: m.Artifact, report: s.Progress}
}

// mavenLine is one of its progress lines, which end with a carriage return: "Progress (1): 12/149 MB", with older versions
// "Progress (2): name.jar (1.2/18 MB)".
var mavenLine = regexp.MustCompile(`(\d+(?:\.\d+)?)(?: ([kMG]?B))?/(\d+(?:\.\d+)?) ([kMG]?B)`)

var mavenUnits = map[string]float64{"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}

// Write takes what mvn prints.
func (p *mavenProgress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest = append(p.rest, b...)
	for {
		i := bytes.IndexAny(p.rest, "\r\n")
		if i < 0 {
			return len(b), nil
		}
		p.line(string(p.rest[:i]))
		p.rest = p.rest[i+1:]
	}
}

func (p *mavenProgress) line(line string) {
	m := mavenLine.FindStringSubmatch(line)
	if m == nil || !strings.Contains(line, "Progress") {
		fmt.Fprintln(&p.text, line)
		return
	}
	if m[2] == "" {
		m[2] = m[4]
	}
	done, err1 := strconv.ParseFloat(m[1], 64)
	total, err2 := strconv.ParseFloat(m[3], 64)
	if p.report != nil && err1 == nil && err2 == nil {
		p.report(p.name, int64(done*mavenUnits[m[2]]), int64(total*mavenUnits[m[4]]))
	}
}

// errors are the first lines of what mvn printed as errors, without its advice on how to see more; else its last lines.
func (p *mavenProgress) errors() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	const most = 3
	var lines []string
	for line := range strings.Lines(p.text.String()) {
		text, isError := strings.CutPrefix(strings.TrimSpace(line), "[ERROR]")
		if text = strings.TrimSpace(text); isError && text != "" && len(lines) < most {
			lines = append(lines, text)
		}
	}
	if len(lines) > 0 {
		return strings.Join(lines, "\n")
	}
	return proc.Tail(p.text.String(), most)
}
