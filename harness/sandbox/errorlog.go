package sandbox

import (
	"os"
	"path/filepath"
	"strings"

	"mysqlmatrix/harness/proc"
)

// ErrorLogTail is the end of what the server printed and of its error log: the lines that say ERROR when
// there are any, since what a server says while it shuts down hides why, else the last ones.
func (s *Sandbox) ErrorLogTail(lines int) string {
	var tails []string
	for _, path := range []string{filepath.Join(s.dir, "start.log"), s.ErrorLogPath()} {
		text, err := os.ReadFile(path)
		if err != nil || len(strings.TrimSpace(string(text))) == 0 {
			continue
		}
		if errorLines := grep(string(text), "[ERROR]"); errorLines != "" {
			return proc.Tail(errorLines, lines)
		}
		tails = append(tails, proc.Tail(string(text), lines))
	}
	if len(tails) == 0 {
		return "(it wrote none)"
	}
	return strings.Join(tails, "\n")
}

func grep(text, word string) string {
	var found []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			found = append(found, strings.TrimRight(line, "\n"))
		}
	}
	return strings.Join(found, "\n")
}

// ErrorLogPath is where the server writes its error log.
func (s *Sandbox) ErrorLogPath() string { return filepath.Join(s.DataDir(), errorLog) }

// errorLogSize is how many bytes the server has written to its error log, 0 when there is none yet.
func (s *Sandbox) errorLogSize() int64 {
	info, err := os.Stat(s.ErrorLogPath())
	if err != nil {
		return 0
	}
	return info.Size()
}
