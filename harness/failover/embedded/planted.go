//go:build planted

package embedded

// A suite proves its oracle with a manager that has a bug. Nothing else is built with the tag.

// PromotingTheOther is a manager that promotes a replica that is to follow, and has the chosen one follow it.
func PromotingTheOther(c *Config) { c.planted = promoteTheOther }

// BelievingNobody is a manager that takes a primary that it cannot reach for dead, whatever the replicas say.
func BelievingNobody(c *Config) { c.planted = believeNobody }

// ForgettingFollowers is a manager that repoints no replica.
func ForgettingFollowers(c *Config) { c.planted = forgetFollowers }

// ChoosingByName is a manager that prefers the first name among candidates with the same data.
func ChoosingByName(c *Config) { c.planted = chooseByName }

// TrustingStoppedReceivers is a manager that takes a receiver that was stopped by hand for a witness of death.
func TrustingStoppedReceivers(c *Config) { c.planted = trustStoppedReceivers }

// StoppingReceiversFirst is a manager that stops the receiver of a replica before it starts its applier.
func StoppingReceiversFirst(c *Config) { c.planted = stopReceiverFirst }

// SkippingSemiSyncCounts is a manager that has commits wait for as many replicas as before, whoever is left.
func SkippingSemiSyncCounts(c *Config) { c.planted = skipSemiSyncCounts }

// BelievingFirstYes is a manager that takes a receiver that runs for proof that it receives.
func BelievingFirstYes(c *Config) { c.planted = believeFirstYes }

// EndingAt is a manager that ends at one point of its recoveries, counted from 1 on, as a killed process does. passed says how many
// points it has reached.
func EndingAt(c *Config, point int) (passed func() int) {
	return interrupted(c, &interruption{at: int64(point)})
}

// FailingAt is a manager to which one thing that it does fails once, counted from 1 on.
func FailingAt(c *Config, point int) (passed func() int) {
	return interrupted(c, &interruption{at: int64(point), fails: true})
}

func interrupted(c *Config, planted *interruption) (passed func() int) {
	c.interruption = planted
	return func() int { return int(planted.passed.Load()) }
}

// ForgettingUnfinished is a manager that does not go on with what one before it was doing.
func ForgettingUnfinished(c *Config) { c.planted = forgetUnfinished }

// ForgettingReceived is a manager that promotes a replica though it lacks what it, or one that is gone, had acknowledged.
func ForgettingReceived(c *Config) { c.planted = forgetReceived }

// ForgettingMissing is a manager that promotes a replica though others that do not answer may acknowledge the old primary's commits.
func ForgettingMissing(c *Config) { c.planted = forgetMissing }

// FencingPolitely is a manager that waits for commits of a replaced primary that wait for acknowledgements.
func FencingPolitely(c *Config) { c.planted = fencePolitely }

// IgnoringOtherSources is a manager that does not look at the other sources of a replica of several.
func IgnoringOtherSources(c *Config) { c.planted = ignoreOthers }

// ForgettingTLS is a manager that points replicas anew without TLS.
func ForgettingTLS(c *Config) { c.planted = forgetTLS }

// ForgettingDemoted is a manager that does not know which primaries a manager before it has replaced.
func ForgettingDemoted(c *Config) { c.planted = forgetDemoted }

// ReplacingAgain is a manager that promotes another replica in place of a primary that was replaced already.
func ReplacingAgain(c *Config) { c.planted = replaceAgain }
