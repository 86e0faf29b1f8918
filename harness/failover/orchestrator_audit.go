package failover

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// refreshInterval is how often orchestrator is asked what it has seen and done.
const refreshInterval = 100 * time.Millisecond

// watch keeps the audits current until ctx ends.
func (o *Orchestrator) watch(ctx context.Context) {
	tick := time.NewTicker(refreshInterval)
	defer tick.Stop()
	for {
		if err := o.refresh(ctx); err != nil && ctx.Err() == nil {
			o.alert(Audit{Done: true, Error: err.Error(), Plan: Plan{Action: Alert, Reason: "its API does not answer"}})
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (o *Orchestrator) refresh(ctx context.Context) error {
	var analyses struct{ Details []replicationAnalysis }
	if err := o.api.get(ctx, "replication-analysis", &analyses); err != nil {
		return err
	}
	for _, a := range analyses.Details {
		for _, code := range append([]string{a.Analysis}, a.StructureAnalysis...) {
			if code != "NoProblem" {
				o.alert(Audit{Done: true, Plan: Plan{Action: Alert, Problem: problems[code], Dead: o.nameOf(a.AnalyzedInstanceKey), Reason: code}})
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
		o.alert(Audit{Done: true, Plan: Plan{Action: Refuse, Problem: problems[b.Analysis], Dead: o.nameOf(b.FailedInstanceKey),
			Reason: fmt.Sprintf("%s: blocked by recovery %d", b.Analysis, b.BlockingRecoveryID)}})
	}
	var recoveries []topologyRecovery
	if err := o.api.get(ctx, "audit-recovery", &recoveries); err != nil {
		return err
	}
	var audits []Audit
	for _, r := range slices.Backward(recoveries) { // the last comes first
		var steps []recoveryStep
		if err := o.api.get(ctx, "audit-recovery-steps/"+r.UID, &steps); err != nil {
			return err
		}
		audits = append(audits, o.audit(r, steps))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.audits = audits
	return nil
}

// refreshLost looks for servers that recoveries have left behind and that answer again. That is how
// orchestrator shows them: in downtime, for that reason.
func (o *Orchestrator) refreshLost(ctx context.Context) error {
	var instances []downtimed
	if err := o.api.get(ctx, "downtimed", &instances); err != nil {
		return err
	}
	for _, i := range instances {
		if i.DowntimeReason == "lost-in-recovery" && i.IsLastCheckValid {
			o.alert(Audit{Done: true, Plan: Plan{Action: Alert, Problem: ErrantServer, Dead: o.nameOf(i.Key), Reason: i.DowntimeReason + ", and it answers"}})
		}
	}
	return nil
}

// problems are the analyses of orchestrator's inst/analysis.go that have a name here.
var problems = map[string]Problem{
	"NoProblem": NoProblem, "UnreachableMaster": UnreachablePrimary, "UnreachableMasterWithLaggingReplicas": UnreachablePrimary,
	"DeadMaster": DeadPrimary, "DeadMasterAndSomeReplicas": DeadPrimary,
	"DeadMasterAndReplicas": DeadPrimaryAndReplicas, "DeadMasterWithoutReplicas": DeadPrimaryAndReplicas,
	"DeadIntermediateMaster": DeadIntermediate, "DeadIntermediateMasterWithSingleReplica": DeadIntermediate,
	"DeadIntermediateMasterAndSomeReplicas": DeadIntermediate, "DeadIntermediateMasterAndReplicas": DeadIntermediate,
	"DeadCoMaster": DeadIntermediate, "DeadCoMasterAndSomeReplicas": DeadIntermediate,
	"AllMasterReplicasNotReplicating": ReplicasNotReplicating, "AllMasterReplicasNotReplicatingOrDead": ReplicasNotReplicating,
	"MasterSingleReplicaNotReplicating": ReplicasNotReplicating, "LockedSemiSyncMaster": BlockedPrimary,
	"LockedSemiSyncMasterHypothesis": BlockedPrimary, "ErrantGTIDStructureWarning": ErrantServer,
}

// alert enters something that is wrong, once.
func (o *Orchestrator) alert(a Audit) {
	o.mu.Lock()
	defer o.mu.Unlock()
	same := func(b Audit) bool {
		return a.Plan.Action == b.Plan.Action && a.Plan.Dead == b.Plan.Dead && a.Plan.Reason == b.Plan.Reason
	}
	if !slices.ContainsFunc(o.alerts, same) {
		o.alerts = append(o.alerts, a)
	}
}

// audit translates a recovery. Whom orchestrator has not lost it says to have rewired.
func (o *Orchestrator) audit(r topologyRecovery, steps []recoveryStep) Audit {
	entry := r.AnalysisEntry
	a := Audit{Plan: Plan{Action: Promote, Problem: problems[entry.Analysis], Dead: o.nameOf(entry.AnalyzedInstanceKey),
		Reason: strings.TrimSpace(entry.Analysis + " " + entry.Description)}}
	if r.SuccessorKey != nil {
		a.Plan.Promote = o.nameOf(*r.SuccessorKey)
	}
	for _, key := range r.LostReplicas {
		a.Apart = append(a.Apart, Apart{o.nameOf(key), "orchestrator has lost it in recovery"})
	}
	for _, key := range entry.Replicas {
		if r.SuccessorKey != nil && key != *r.SuccessorKey && !slices.Contains(r.LostReplicas, key) {
			a.Plan.Rewire = append(a.Plan.Rewire, o.nameOf(key))
		}
	}
	a.Followers = a.Plan.Rewire
	for _, s := range steps {
		at, err := time.Parse(time.DateTime, s.AuditAt)
		step := Step{At: at, What: s.Message}
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
	}
	a.Phases = phases
	return a
}

// called is told of a hook, and calls the one of this process.
func (o *Orchestrator) called(ctx context.Context, c call) {
	now := time.Now()
	a := Audit{Plan: Plan{Action: Promote, Problem: problems[c.Analysis], Dead: o.nameAt(c.Failed), Promote: o.nameAt(c.Successor), Reason: c.Analysis}}
	var hook func(context.Context, Audit) error
	o.mu.Lock()
	phases := o.stages[c.UID]
	switch c.Stage {
	case stageDetected:
		// It has no recovery yet, and so no UID.
		a.Plan.Action = Alert
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
		o.alert(Audit{Done: true, Error: err.Error(), Plan: Plan{Action: Alert, Dead: a.Plan.Dead, Reason: "hook " + c.Stage + ": " + err.Error()}})
	}
}

// nameAt is a member's name by "host:port"; ":" is nobody.
func (o *Orchestrator) nameAt(addr string) string {
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
