package migration_test

import (
	"fmt"

	fixtures "mysqlmatrix/fixtures/scenarios"
	folders "mysqlmatrix/harness/scenario"
	"mysqlmatrix/harness/workload"
)

// folderScenarios are those of fixtures/scenarios/migration, which people add who write no Go.
var folderScenarios = readFolders()

// folderRounds are how often a folder's writes must come as a whole while the tool works.
const folderRounds = 20

func readFolders() []scenario {
	all, err := folders.ReadAll(fixtures.Migration())
	if err != nil {
		panic(fmt.Sprintf("fixtures/scenarios/migration: %v", err)) // the suite cannot say which specs it has
	}
	list := make([]scenario, len(all))
	for i, folder := range all {
		list[i] = scenario{group: "scenario", name: folder.Title(), probed: true,
			create: one(folder.Create...), load: folder.Load, alter: folder.Alter,
			key: folder.Expect.Key, keyAfter: folder.Expect.KeyAfter, refused: folder.Expect.Refused,
			course: folderRounds * len(folder.Writes), inPR: !folder.Expect.Full, scripts: playOf(folder)}
	}
	return list
}

// playOf has one writer that repeats a folder's writes.
func playOf(folder folders.Scenario) func(int64) []workload.Script {
	return func(int64) []workload.Script {
		number := -1
		return []workload.Script{func() workload.Transaction {
			number++
			if statements := folder.Write(number); len(statements) > 1 {
				return transaction(statements...)
			}
			return workload.Statement(folder.Write(number)[0])
		}}
	}
}
