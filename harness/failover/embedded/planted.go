//go:build planted

package embedded

// A suite proves its oracle with a manager that has a bug. Nothing else is built with the tag.

// PromotingTheOther is a manager that promotes a replica that is to follow, and has the chosen one follow it.
func PromotingTheOther(c *Config) { c.planted = promoteTheOther }

// BelievingNobody is a manager that takes a primary that it cannot reach for dead, whatever the replicas say.
func BelievingNobody(c *Config) { c.planted = believeNobody }

// ForgettingFollowers is a manager that repoints no replica.
func ForgettingFollowers(c *Config) { c.planted = forgetFollowers }
