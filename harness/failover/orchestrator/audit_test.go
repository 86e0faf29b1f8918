package orchestrator

import (
	"slices"
	"testing"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
)

func TestAuditNamesNoDeadFollower(t *testing.T) {
	key := func(port int) instanceKey { return instanceKey{"127.0.0.1", port} }
	var members []failover.Member
	for i, name := range []string{"primary", "intermediate1", "intermediate2", "replica1"} {
		members = append(members, failover.Member{Name: name, Endpoint: server.Endpoint{Host: "127.0.0.1", Port: 1 + i}})
	}
	successor := key(3)
	r := topologyRecovery{UID: "a", SuccessorKey: &successor, IsSuccessful: true, AnalysisEntry: replicationAnalysis{
		AnalyzedInstanceKey: key(1), Analysis: "DeadMasterAndSomeReplicas", Replicas: []instanceKey{key(2), key(3), key(4)}}}
	done := []recoveryStep{{AuditAt: "2026-11-28 09:00:00", Message: "Executed 1 postponed functions"}}
	m, err := New(Config{Members: members})
	if err != nil {
		t.Fatal(err)
	}
	instances := []instance{{key(1), false}, {key(2), false}, {key(3), true}, {key(4), true}}
	a := m.audit(r, done, instances)
	if !slices.Equal(a.Followers, []string{"replica1"}) || len(a.Excluded) != 1 || a.Excluded[0].Name != "intermediate1" {
		t.Errorf("followers %v, excluded %v; want replica1, and the dead intermediate1", a.Followers, a.Excluded)
	}
	for i := range instances { // what comes after the recovery does not change it
		instances[i].IsLastCheckValid = !instances[i].IsLastCheckValid
	}
	if again := m.audit(r, done, instances); !slices.Equal(again.Followers, a.Followers) {
		t.Errorf("followers %v, later %v", a.Followers, again.Followers)
	}
}
