package main

import (
	"strings"

	"github.com/spf13/pflag"
)

// namesVar defines a flag that takes several names: repeated, or parted by commas. A value with a path in it is one name, since
// a path may have a comma.
func namesVar(f *pflag.FlagSet, p *[]string, name string, value []string, usage string) {
	*p = value
	f.Var(&namesFlag{to: p}, name, usage)
}

type namesFlag struct {
	to    *[]string
	given bool // the default is replaced by the first that is given
}

var _ pflag.SliceValue = (*namesFlag)(nil)

func (n *namesFlag) Set(text string) error {
	if !n.given {
		*n.to, n.given = nil, true
	}
	if strings.ContainsAny(text, "/:") {
		*n.to = append(*n.to, text)
		return nil
	}
	for _, one := range strings.Split(text, ",") {
		*n.to = append(*n.to, strings.TrimSpace(one))
	}
	return nil
}

// Append, Replace and GetSlice make it a pflag.SliceValue, as lists of text are.
func (n *namesFlag) Append(text string) error { return n.Set(text) }

func (n *namesFlag) Replace(values []string) error {
	*n.to, n.given = values, true
	return nil
}

func (n *namesFlag) GetSlice() []string { return *n.to }

func (n *namesFlag) Type() string { return "names" }

func (n *namesFlag) String() string { return strings.Join(*n.to, ",") }
