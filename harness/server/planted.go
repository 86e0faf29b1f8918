//go:build planted

package server

import "os"

// PlantedStrangers is the environment variable that has this program and the suites that it starts take whoever answers for the
// server that they expect.
const PlantedStrangers = "MATRIX_PLANTED_STRANGERS"

func init() { believesStrangers = os.Getenv(PlantedStrangers) != "" }
