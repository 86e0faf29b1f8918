package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// api is orchestrator's HTTP API. It answers 200 or 500 and a code of its own with a message.
type api struct{ base string }

// apiLimit bounds one request. A takeover waits for replicas and hooks.
const apiLimit = 60 * time.Second

// answer is what the commands of the API answer with; queries answer with the bare thing.
type answer struct {
	Code    string
	Message string
}

// do runs a command on an instance ("host/port", "" for none) with further arguments.
func (a api) do(ctx context.Context, command, key string, arguments []string) error {
	path := command
	for _, part := range append([]string{key}, arguments...) {
		if part != "" {
			path += "/" + part
		}
	}
	var got answer
	if err := a.get(ctx, path, &got); err != nil {
		return err
	}
	if got.Code != "OK" {
		return fmt.Errorf("%s: %s: %s", path, got.Code, got.Message)
	}
	return nil
}

// get asks a query and reads its answer.
func (a api) get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, apiLimit)
	defer cancel()
	return a.ask(ctx, path, into)
}

// ask is get for requests that may take as long as ctx allows.
func (a api) ask(ctx context.Context, path string, into any) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s: status %s: %s", path, response.Status, strings.TrimSpace(string(body)))
	}
	return nil
}

// leads says whether the node leads its raft cluster (LeaderCheck in orchestrator's http/api.go).
func (a api) leads(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+"leader-check", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// What follows are the parts of orchestrator's own types that are read, named as there.

type instanceKey struct {
	Hostname string
	Port     int
}

type topologyRecovery struct {
	ID                   int64 `json:"Id"`
	UID                  string
	AnalysisEntry        replicationAnalysis
	SuccessorKey         *instanceKey
	IsActive             bool
	IsSuccessful         bool
	LostReplicas         []instanceKey
	AllErrors            []string
	RecoveryEndTimestamp string
}

type replicationAnalysis struct {
	AnalyzedInstanceKey  instanceKey
	Analysis             string
	Description          string
	StructureAnalysis    []string
	Replicas             []instanceKey
	IsActionableRecovery bool
}

type recoveryStep struct {
	AuditAt string
	Message string
}

type blockedRecovery struct {
	FailedInstanceKey  instanceKey
	Analysis           string
	BlockingRecoveryID int64 `json:"BlockingRecoveryId"`
}

type instance struct {
	Key              instanceKey
	IsLastCheckValid bool
}

type downtimed struct {
	Key              instanceKey
	IsLastCheckValid bool
	DowntimeReason   string
}
