package process

import (
	"encoding/json"
	"net/http"

	"mysqlmatrix/harness/failover"
)

// The API is JSON: GET /api says what there is, /api/audits the recoveries, refusals and alerts, oldest first, /api/state
// what a manager knows, and /api/health what is wrong that no failover repairs.

// handler answers for a manager.
func handler(manager failover.Manager, running Running) http.Handler {
	mux := http.NewServeMux()
	get := func(path string, ask func() (any, bool)) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			content, ok := ask()
			w.Header().Set("Content-Type", "application/json")
			if !ok {
				w.WriteHeader(http.StatusNotFound)
				content = map[string]string{"error": running.Manager + " keeps that to itself: see " + running.Page}
			}
			encoder := json.NewEncoder(w)
			encoder.SetIndent("", "  ")
			_ = encoder.Encode(content) // who asked has gone
		})
	}
	observer, observes := manager.(failover.Observer)
	get("/api/audits", func() (any, bool) {
		audits := manager.Audits()
		if audits == nil {
			audits = []failover.Audit{}
		}
		return audits, true
	})
	get("/api/state", func() (any, bool) {
		if !observes {
			return nil, false
		}
		return observer.State(), true
	})
	get("/api/health", func() (any, bool) {
		if !observes {
			return nil, false
		}
		faults := observer.Health()
		if faults == nil {
			faults = []failover.Plan{}
		}
		return faults, true
	})
	index := map[string]any{"manager": running.Manager, "page": running.Page, "log": running.Log, "paths": []string{"/api/audits", "/api/state", "/api/health"}}
	for _, path := range []string{"/{$}", "/api", "/api/{$}"} {
		get(path, func() (any, bool) { return index, true })
	}
	return mux
}
