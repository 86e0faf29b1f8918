// Package migration changes a table while it is written to, with the program under test. Each tool has a driver and,
// beside it, a Descriptor of what is particular to it.
package migration

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mysqlmatrix/harness/tool"
)

// Tool is a program that changes tables online.
type Tool interface {
	// Name is the tool's name in matrix.yaml.
	Name() string
	// Describe is what is particular to the tool.
	Describe() *Descriptor
	// Migrate changes one table and returns when the tool has ended. The result is there in failure too,
	// with what the tool did until then. When ctx ends first the tool is stopped, and the error says so with
	// the last lines that it printed.
	Migrate(ctx context.Context, job Job) (*Result, error)
}

// descriptors are those of all tools that have a driver. Each driver's file adds its own.
var descriptors []*Descriptor

func register(d *Descriptor) *Descriptor {
	descriptors = append(descriptors, d)
	return d
}

// Descriptors are those of all tools that have a driver, by name.
func Descriptors() []*Descriptor {
	list := slices.Clone(descriptors)
	slices.SortFunc(list, func(a, b *Descriptor) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// New is the driver for a program, by its name in matrix.yaml.
func New(p *tool.Program) (Tool, error) {
	if p.Declared != nil {
		return &driver{declared(p.Name, p.Declared), p}, nil
	}
	var names []string
	for _, d := range Descriptors() {
		if d.Name == p.Name {
			return &driver{d, p}, nil
		}
		names = append(names, d.Name)
	}
	return nil, fmt.Errorf("tool %q is no migration tool: want one of %s", p.Name, strings.Join(names, ", "))
}

// driver is a program together with its tool's descriptor.
type driver struct {
	descriptor *Descriptor
	program    *tool.Program
}

// Name is the tool's name in matrix.yaml.
func (d *driver) Name() string { return d.descriptor.Name }

// Describe is the tool's descriptor.
func (d *driver) Describe() *Descriptor { return d.descriptor }

// Migrate checks the job and runs the tool.
func (d *driver) Migrate(ctx context.Context, job Job) (*Result, error) {
	if err := job.check(d.descriptor); err != nil {
		return nil, err
	}
	return d.descriptor.Migrate(ctx, d.program, job)
}
