// Package migration tests online schema changes on a live topology.
package migration_test

import (
	"testing"

	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
)

func TestMigration(t *testing.T) { suitekit.Run(t, sandbox.ProfileFast, sandbox.ProfileDurable) }
