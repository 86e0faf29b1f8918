package orchestrator

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
)

// settings are orchestrator's configuration, by its own names.
func (o *Manager) settings() map[string]any {
	c := o.config
	s := map[string]any{
		"ListenAddress":   c.host() + ":" + strconv.Itoa(o.lease.Port),
		"BackendDB":       "sqlite",
		"SQLite3DataFile": filepath.Join(c.Dir, "orchestrator.sqlite3"),

		"MySQLTopologyUser":     c.Members[0].Endpoint.User,
		"MySQLTopologyPassword": c.Members[0].Endpoint.Password,
		// It finds out by itself which servers want TLS.
		"MySQLTopologySSLSkipVerify": true,
		"DefaultInstancePort":        c.Members[0].Endpoint.Port,
		// The servers have addresses only, and report them.
		"HostnameResolveMethod":      "none",
		"MySQLHostnameResolveMethod": "@@report_host",
		"DiscoverByShowSlaveHosts":   true,
		"DetectClusterAliasQuery":    "SELECT '" + ClusterAlias + "'",

		"InstancePollSeconds":                     int(c.Interval.Seconds()),
		"MySQLConnectTimeoutSeconds":              1,
		"MySQLDiscoveryReadTimeoutSeconds":        1, // a hung server holds up a poll no longer than a dead one
		"RecoveryPeriodBlockSeconds":              int(c.AntiFlapping.Seconds()),
		"FailureDetectionPeriodBlockMinutes":      1,
		"RecoverMasterClusterFilters":             []string{"*"},
		"RecoverIntermediateMasterClusterFilters": []string{"*"},

		// Otherwise it looks into mysql.slave_master_info, which MariaDB does not have.
		"ReplicationCredentialsQuery": fmt.Sprintf("SELECT '%s', '%s', '', '', ''",
			c.Members[0].Replication.User, c.Members[0].Replication.Password),

		"ApplyMySQLPromotionAfterMasterFailover":     true,
		"DelayMasterPromotionIfSQLThreadNotUpToDate": true,

		"OnFailureDetectionProcesses":       []string{o.calls.command(stageDetected)},
		"PreFailoverProcesses":              []string{o.calls.command(stageBefore)},
		"PostMasterFailoverProcesses":       []string{o.calls.command(stagePromoted)},
		"PostFailoverProcesses":             []string{o.calls.command(stageFinished)},
		"PostUnsuccessfulFailoverProcesses": []string{o.calls.command(stageFinished)},
	}
	maps.Copy(s, c.Settings)
	return s
}

func (o *Manager) writeSettings() (string, error) {
	text, err := json.MarshalIndent(o.settings(), "", "  ")
	if err != nil {
		return "", fmt.Errorf("orchestrator's configuration: %w", err)
	}
	file := filepath.Join(o.config.Dir, "orchestrator.conf.json")
	return file, os.WriteFile(file, text, 0o600)
}
