//go:build planted

package sandbox

import (
	"os"
	"strconv"
	"strings"
)

// PlantedPorts is the environment variable that has this program and the suites that it starts take the ports that it lists,
// one after the other and without a lease.
const PlantedPorts = "MATRIX_PLANTED_PORTS"

func init() {
	for text := range strings.FieldsSeq(os.Getenv(PlantedPorts)) {
		port, err := strconv.Atoi(text)
		if err != nil {
			panic(PlantedPorts + ": " + err.Error())
		}
		unleased.list = append(unleased.list, port)
	}
}
