package matrix

import (
	"errors"
	"fmt"
	"slices"
)

// OnlyCells keeps the cells that are named, as entry/suite/tool@version; without names all of them. A name that is
// none of the cells is an error: it would be left out in silence.
func OnlyCells(cells []Cell, names []string) ([]Cell, error) {
	if len(names) == 0 {
		return cells, nil
	}
	var errs []error
	all := make([]string, len(cells))
	for i, c := range cells {
		all[i] = c.ID().String()
	}
	for _, name := range names {
		if !slices.Contains(all, name) {
			errs = append(errs, fmt.Errorf("no cell %q among those chosen; %s", name, few(name, all)))
		}
	}
	kept := slices.DeleteFunc(slices.Clone(cells), func(c Cell) bool { return !slices.Contains(names, c.ID().String()) })
	return kept, errors.Join(errs...)
}
