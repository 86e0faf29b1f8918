// Package pseudogtid tests replicas moved by Pseudo-GTID alone.
package pseudogtid_test

import (
	"testing"

	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
)

func TestPseudoGTID(t *testing.T) { suitekit.Run(t, sandbox.ProfileFast) }
