package orchestrator

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"mysqlmatrix/harness/failover"
)

// refreshInterval is how often orchestrator is asked what it has seen and done.
const refreshInterval = 100 * time.Millisecond

// watch keeps the audits current until ctx ends.
func (o *Manager) watch(ctx context.Context) {
	tick := time.NewTicker(refreshInterval)
	defer tick.Stop()
	for {
		if err := o.refresh(ctx); err != nil && ctx.Err() == nil {
			o.alert(failover.Audit{Done: true, Error: err.Error(), Plan: failover.Plan{Action: failover.Alert, Reason: "its API does not answer"}})
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (o *Manager) refresh(ctx context.Context) error {
	var analyses struct{ Details []replicationAnalysis }
	if err := o.api.get(ctx, "replication-analysis", &analyses); err != nil {
		return err
	}
	for _, a := range analyses.Details {
		for _, code := range append([]string{a.Analysis}, a.StructureAnalysis...) {
			if code != "NoProblem" {
				o.alert(failover.Audit{Done: true, Plan: failover.Plan{Action: failover.Alert, Problem: problemOf(code), Dead: o.nameOf(a.AnalyzedInstanceKey), Reason: code}})
			}
		}
	}
	if err := o.refreshLost(ctx); err != nil {
		return err
	}
	var blocked []blockedRecovery
	if err := o.api.get(ctx, "blocked-recoveries", &blocked); err != nil {
		return err
	}
	for _, b := range blocked {
		o.alert(failover.Audit{Done: true, Plan: failover.Plan{Action: failover.Refuse, Problem: problemOf(b.Analysis), Dead: o.nameOf(b.FailedInstanceKey),
			Reason: fmt.Sprintf("%s: blocked by recovery %d", b.Analysis, b.BlockingRecoveryID)}})
	}
	var recoveries []topologyRecovery
	if err := o.api.get(ctx, "audit-recovery", &recoveries); err != nil {
		return err
	}
	var instances []instance
	if err := o.api.get(ctx, "all-instances", &instances); err != nil {
		return err
	}
	var audits []failover.Audit
	for _, r := range slices.Backward(recoveries) { // the last comes first
		var steps []recoveryStep
		if err := o.api.get(ctx, "audit-recovery-steps/"+r.UID, &steps); err != nil {
			return err
		}
		audits = append(audits, o.audit(r, steps, instances))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.audits = audits
	return nil
}

// refreshLost looks for servers that recoveries have left behind and that answer again. That is how
// orchestrator shows them: in downtime, for that reason.
func (o *Manager) refreshLost(ctx context.Context) error {
	var instances []downtimed
	if err := o.api.get(ctx, "downtimed", &instances); err != nil {
		return err
	}
	for _, i := range instances {
		if i.DowntimeReason == "lost-in-recovery" && i.IsLastCheckValid {
			o.alert(failover.Audit{Done: true, Plan: failover.Plan{Action: failover.Alert, Problem: failover.ErrantServer, Dead: o.nameOf(i.Key), Reason: i.DowntimeReason + ", and it answers"}})
		}
	}
	return nil
}

// problems are the analyses of orchestrator's inst/analysis.go that have a name here.
var problems = map[string]failover.Problem{
	"NoProblem": failover.NoProblem, "UnreachableMaster": failover.UnreachablePrimary, "UnreachableMasterWithLaggingReplicas": failover.UnreachablePrimary,
	"DeadMaster": failover.DeadPrimary, "DeadMasterAndSomeReplicas": failover.DeadPrimary,
	"DeadMasterAndReplicas": failover.DeadPrimaryAndReplicas, "DeadMasterWithoutReplicas": failover.DeadPrimaryAndReplicas,
	"DeadIntermediateMaster": failover.DeadIntermediate, "DeadIntermediateMasterWithSingleReplica": failover.DeadIntermediate,
	"DeadIntermediateMasterAndSomeReplicas": failover.DeadIntermediate, "DeadIntermediateMasterAndReplicas": failover.DeadIntermediate,
	"DeadCoMaster": failover.DeadIntermediate, "DeadCoMasterAndSomeReplicas": failover.DeadIntermediate,
	"AllMasterReplicasNotReplicating": failover.ReplicasNotReplicating, "AllMasterReplicasNotReplicatingOrDead": failover.ReplicasNotReplicating,
	"MasterSingleReplicaNotReplicating": failover.ReplicasNotReplicating, "LockedSemiSyncMaster": failover.BlockedPrimary,
	"LockedSemiSyncMasterHypothesis": failover.BlockedPrimary, "ErrantGTIDStructureWarning": failover.ErrantServer,
}

func problemOf(analysis string) failover.Problem {
	if p, ok := problems[analysis]; ok {
		return p
	}
	return failover.OtherProblem
}

// alert enters something that is wrong, once.
func (o *Manager) alert(a failover.Audit) {
	o.mu.Lock()
	defer o.mu.Unlock()
	same := func(b failover.Audit) bool {
		return a.Plan.Action == b.Plan.Action && a.Plan.Dead == b.Plan.Dead && a.Plan.Reason == b.Plan.Reason
	}
	if !slices.ContainsFunc(o.alerts, same) {
		a.State.Now = time.Now()
		o.alerts = append(o.alerts, a)
	}
}

// audit translates a recovery. Whom orchestrator has not lost it says to have rewired; one that had died as well is in neither
// list, and follows nobody: it did not answer when the recovery ended.
func (o *Manager) audit(r topologyRecovery, steps []recoveryStep, instances []instance) failover.Audit {
	entry := r.AnalysisEntry
	a := failover.Audit{Plan: failover.Plan{Action: failover.Promote, Problem: problemOf(entry.Analysis), Dead: o.nameOf(entry.AnalyzedInstanceKey),
		Reason: strings.TrimSpace(entry.Analysis + " " + entry.Description)}}
	if r.SuccessorKey != nil {
		a.Plan.Promote = o.nameOf(*r.SuccessorKey)
	}
	for _, key := range r.LostReplicas {
		a.Excluded = append(a.Excluded, failover.Exclusion{Name: o.nameOf(key), Reason: "orchestrator has lost it in recovery"})
	}
	for _, key := range entry.Replicas {
		if r.SuccessorKey != nil && key != *r.SuccessorKey && !slices.Contains(r.LostReplicas, key) {
			a.Plan.Repoint = append(a.Plan.Repoint, o.nameOf(key))
		}
	}
	for _, s := range steps {
		at, err := parseTime(s.AuditAt)
		step := failover.Step{At: at, What: s.Message}
		if err != nil {
			step.Error = err.Error()
		}
		a.Steps = append(a.Steps, step)
		// The last of all steps; the recovery's own end is before its rewiring.
		a.Done = a.Done || strings.HasPrefix(s.Message, "Executed ") && strings.Contains(s.Message, "postponed functions")
	}
	if r.RecoveryEndTimestamp != "" && !r.IsSuccessful {
		a.Error = strings.Join(append([]string{"not successful"}, r.AllErrors...), "; ")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	phases := o.stages[r.UID]
	if a.Done && phases.Following.IsZero() {
		phases.Following = time.Now()
		o.stages[r.UID] = phases
		for _, i := range instances {
			if name := o.nameOf(i.Key); !i.IsLastCheckValid && slices.Contains(a.Plan.Repoint, name) {
				o.silent[r.UID] = append(o.silent[r.UID], name)
			}
		}
	}
	a.Phases = phases
	for _, name := range a.Plan.Repoint {
		if slices.Contains(o.silent[r.UID], name) {
			a.Excluded = append(a.Excluded, failover.Exclusion{Name: name, Reason: "it did not answer when the recovery ended"})
		} else {
			a.Followers = append(a.Followers, name)
		}
	}
	return a
}

// parseTime reads a time as a store gives it: MySQL's way, or Go's for SQLite.
func parseTime(text string) (time.Time, error) {
	at, err := time.Parse(time.DateTime, text)
	if err != nil {
		return time.Parse(time.RFC3339, text)
	}
	return at, nil
}

// called is told of a hook, and calls the one of this process.
func (o *Manager) called(ctx context.Context, c call) {
	now := time.Now()
	a := failover.Audit{Plan: failover.Plan{Action: failover.Promote, Problem: problemOf(c.Analysis), Dead: o.nameAt(c.Failed), Promote: o.nameAt(c.Successor), Reason: c.Analysis}}
	var hook func(context.Context, failover.Audit) error
	o.mu.Lock()
	phases := o.stages[c.UID]
	switch c.Stage {
	case stageDetected:
		// It has no recovery yet, and so no UID.
		a.Plan.Action = failover.Alert
		o.detected = now
	case stageBefore:
		phases.Detected, hook = o.detected, o.config.Hooks.Detected
	case stagePromoted:
		phases.Writable, hook = now, o.config.Hooks.Promoted
	case stageFinished:
		hook = o.config.Hooks.Finished
	}
	o.stages[c.UID] = phases
	o.mu.Unlock()
	a.Phases = phases
	if hook == nil {
		return
	}
	if err := hook(ctx, a); err != nil {
		o.alert(failover.Audit{Done: true, Error: err.Error(), Plan: failover.Plan{Action: failover.Alert, Dead: a.Plan.Dead, Reason: "hook " + c.Stage + ": " + err.Error()}})
	}
}

// nameAt is a member's name by "host:port"; "" for ":".
func (o *Manager) nameAt(addr string) string {
	host, text, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return ""
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return ""
	}
	return o.nameOf(instanceKey{host, port})
}
