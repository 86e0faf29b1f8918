//go:build planted

package pseudogtid

// IgnoringContents is a matcher that compares what kind of event it is, and not its contents.
func IgnoringContents() Matcher { return Matcher{planted: faults{ignoreContents: true}} }

// OffByOne is a matcher that answers with the transaction after the right one.
func OffByOne() Matcher { return Matcher{planted: faults{offByOne: true}} }

// AcceptingReordered is a matcher that takes the same transactions in another order for the same history.
func AcceptingReordered() Matcher { return Matcher{planted: faults{acceptReordered: true}} }
