package embedded

import (
	"errors"
	"runtime"
	"sync/atomic"
)

// interruption is planted at one point of what the manager does to servers, to its state file or by its hooks: the manager
// ends there as a killed process does, or that one thing fails. Nil is none.
type interruption struct {
	at     int64 // which point, from 1 on
	fails  bool
	passed atomic.Int64
}

// errPlanted is the failure of an interruption that fails.
var errPlanted = errors.New("a planted failure")

// pass passes a point. It does not return when the manager ends there, nor at any later point.
func (m *Manager) pass() error {
	p := m.config.interruption
	if p == nil {
		return nil
	}
	switch n := p.passed.Add(1); {
	case p.fails && n == p.at:
		return errPlanted
	case !p.fails && n >= p.at:
		m.cancel()
		runtime.Goexit()
	}
	return nil
}
