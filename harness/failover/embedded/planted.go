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
