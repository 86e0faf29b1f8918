package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/flavor"
)

// probes are statements that a server with the capability accepts and one without refuses. They change
// nothing but session state and objects of the probe's own database.
var probes = map[flavor.Capability][]string{
	flavor.CapGTID:              {"SELECT @@GLOBAL.gtid_executed"},
	flavor.CapMultiSource:       {"SELECT 1 FROM performance_schema.replication_connection_configuration WHERE channel_name = 'x'"},
	flavor.CapBinlogCompression: {"SELECT @@GLOBAL.binlog_transaction_compression"},
	flavor.CapParallelApplier:   {"SELECT @@GLOBAL.replica_parallel_workers"},
	flavor.CapJSON:              {"CREATE TABLE matrix_probe.j (id INT PRIMARY KEY, doc JSON)"},
	flavor.CapGeneratedColumns:  {"CREATE TABLE matrix_probe.g (a INT PRIMARY KEY, b INT AS (a+1) STORED, c INT AS (a+1) VIRTUAL)"},
	flavor.CapInvisibleColumns:  {"CREATE TABLE matrix_probe.i (a INT PRIMARY KEY, b INT DEFAULT 1 INVISIBLE)"},
	flavor.CapInstantAddColumn:  {"CREATE TABLE matrix_probe.n (a INT PRIMARY KEY)", "ALTER TABLE matrix_probe.n ADD COLUMN b INT, ALGORITHM=INSTANT"},
	flavor.CapPerformanceSchema: {"SELECT 1 FROM performance_schema.setup_instruments LIMIT 1"},
	flavor.CapEventScheduler:    {"SELECT @@GLOBAL.event_scheduler"},
	flavor.CapBinlogRowMinimal:  {"SELECT @@GLOBAL.binlog_row_image"},
	flavor.CapMD5:               {"SELECT MD5('x')"},
	flavor.CapSuperReadOnly:     {"SELECT @@GLOBAL.super_read_only"},
	flavor.CapSequences:         {"CREATE SEQUENCE matrix_probe.s"},
	flavor.CapSystemVersioning:  {"CREATE TABLE matrix_probe.v (a INT PRIMARY KEY) WITH SYSTEM VERSIONING"},
	flavor.CapTransactionIsoVar: {"SELECT @@GLOBAL.transaction_isolation"},
}

// alternatives are second spellings of a probe, MariaDB's as a rule.
var alternatives = map[flavor.Capability][]string{
	flavor.CapGTID:              {"SELECT @@GLOBAL.gtid_current_pos"},
	flavor.CapMultiSource:       {"SELECT @@default_master_connection"},
	flavor.CapBinlogCompression: {"SELECT @@GLOBAL.log_bin_compress"},
	flavor.CapParallelApplier:   {"SELECT @@GLOBAL.slave_parallel_workers"},
}

// Capabilities probes what the server can do. It creates and drops a database matrix_probe and, for
// semi-synchronous replication, installs and uninstalls plug-ins, so it wants a server of the harness's own.
func (s *Server) Capabilities(ctx context.Context) (caps map[flavor.Capability]bool, err error) {
	if err := s.Unlogged(ctx, "DROP DATABASE IF EXISTS matrix_probe", "CREATE DATABASE matrix_probe"); err != nil {
		return nil, fmt.Errorf("probe capabilities: %w", err)
	}
	defer func() { err = errors.Join(err, s.Unlogged(ctx, "DROP DATABASE IF EXISTS matrix_probe")) }()
	caps = make(map[flavor.Capability]bool)
	for capability, statements := range probes {
		for _, variant := range [][]string{statements, alternatives[capability]} {
			if len(variant) == 0 {
				continue
			}
			able, err := s.accepts(ctx, variant...)
			if err != nil {
				return nil, fmt.Errorf("probe %s: %w", capability, err)
			}
			caps[capability] = caps[capability] || able
		}
	}
	if caps[flavor.CapCheckConstraints], err = s.checkConstraints(ctx); err != nil {
		return nil, err
	}
	caps[flavor.CapSemiSync], err = s.semiSync(ctx)
	return caps, err
}

// accepts says whether the server takes the statements; only the server's own refusal is a no.
func (s *Server) accepts(ctx context.Context, statements ...string) (bool, error) {
	err := s.Unlogged(ctx, statements...)
	var refusal *mysql.MySQLError
	if errors.As(err, &refusal) {
		return false, nil
	}
	return err == nil, err
}

func (s *Server) checkConstraints(ctx context.Context) (bool, error) {
	parsed, err := s.accepts(ctx, "CREATE TABLE matrix_probe.k (a INT PRIMARY KEY, CHECK (a > 0))")
	if err != nil || !parsed {
		return false, err
	}
	violated, err := s.accepts(ctx, "INSERT INTO matrix_probe.k VALUES (-1)")
	return !violated, err
}

func (s *Server) semiSync(ctx context.Context) (bool, error) {
	names := s.Dialect.SemiSync
	if names.SourcePlugin == "" {
		return s.accepts(ctx, "SELECT @@GLOBAL."+names.SourceEnabled)
	}
	for plugin, library := range map[string]string{names.SourcePlugin: names.SourceLibrary, names.ReplicaPlugin: names.ReplicaLibrary} {
		able, err := s.accepts(ctx, "INSTALL PLUGIN "+plugin+" SONAME '"+library+"'")
		if err != nil || !able {
			return false, err
		}
		if err := s.Unlogged(ctx, "UNINSTALL PLUGIN "+plugin); err != nil {
			return false, err
		}
	}
	return true, nil
}
