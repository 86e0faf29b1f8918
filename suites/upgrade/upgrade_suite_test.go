// Package upgrade tests servers that are upgraded from an older series.
package upgrade_test

import (
	"testing"

	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
)

func TestUpgrade(t *testing.T) { suitekit.Run(t, sandbox.ProfileDurable) }
