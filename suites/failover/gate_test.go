package failover_test

import "sync"

// gate holds writers between two writes while it is closed. The zero value is open.
type gate struct {
	mu     sync.Mutex
	opened chan struct{} // nil while it is open
	held   int
}

// pass returns when the gate is open.
func (g *gate) pass() {
	g.mu.Lock()
	opened := g.opened
	if opened == nil {
		g.mu.Unlock()
		return
	}
	g.held++
	g.mu.Unlock()
	<-opened
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened == nil {
		g.opened, g.held = make(chan struct{}), 0
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened != nil {
		close(g.opened)
		g.opened = nil
	}
}

// holds is how many writers wait.
func (g *gate) holds() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held
}
