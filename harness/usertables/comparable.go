package usertables

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/workload"
)

var (
	// chanceDefault finds a default that is another one each time.
	chanceDefault = regexp.MustCompile(`(?i)uuid|\brand\b|random_bytes|sys_guid|nextval|lastval|curdate|curtime|current_date|current_time\b|utc_|unix_timestamp`)
	// rowTime finds a column that system versioning writes.
	rowTime = regexp.MustCompile("(?im)^\\s*`((?:[^`]|``)*)` .*GENERATED ALWAYS AS ROW (?:START|END)")
)

// comparable says which columns of the changed table are to hold the same for everybody, and which cannot, each with
// the reason: those that the change fills with its own time, numbers or chance.
func comparable(ctx context.Context, model *server.Server, before []column, after workload.Table, statement, alter string) (c comparison, not []string, err error) {
	list, err := columns(ctx, model, after)
	if err != nil {
		return c, nil, err
	}
	had := func(name string) bool {
		return slices.ContainsFunc(before, func(b column) bool { return strings.EqualFold(b.name, name) })
	}
	var versioned []string
	for _, match := range rowTime.FindAllStringSubmatch(statement, -1) {
		versioned = append(versioned, strings.ReplaceAll(match[1], "``", "`"))
	}
	for _, one := range list {
		why := ""
		switch {
		case slices.Contains(versioned, one.name):
			why = "it is the time at which the server wrote the row"
		case one.autoIncrement() && numbersAnew(before, alter):
			why = "the change numbers the rows, in whichever order it reads them"
		case one.hasValue && chanceDefault.MatchString(one.fallback) && !had(one.name):
			why = "its default is another one for each row"
		default:
			filled, err := filledByClock(ctx, model, after, one)
			if err != nil {
				return c, nil, err
			}
			if filled {
				why = "the change fills it with its own time"
			}
		}
		if why == "" {
			c.columns = append(c.columns, one.name)
			continue
		}
		not = append(not, fmt.Sprintf("column %s: %s", printable(one.name), why))
	}
	keys, err := indexes(ctx, model, after)
	if err != nil {
		return c, nil, err
	}
	c.key = rowKey(slices.DeleteFunc(keys, func(i index) bool {
		return slices.ContainsFunc(i.columns, func(name string) bool { return !slices.Contains(c.columns, name) })
	}))
	return c, not, nil
}

// numbersAnew says whether a change gives every row a number: it adds an AUTO_INCREMENT column where there was none, or
// drops the one that there was.
func numbersAnew(before []column, alter string) bool {
	i := slices.IndexFunc(before, column.autoIncrement)
	if i < 0 {
		return true
	}
	dropped := regexp.MustCompile(`(?i)\bdrop\s+(?:column\s+)?(?:if\s+exists\s+)?[\x60"]?` + regexp.QuoteMeta(before[i].name) + `(?:[\x60"]|\b)`)
	return dropped.MatchString(alter)
}

// filledByClock says whether the model's change has written its own time into a column.
func filledByClock(ctx context.Context, model *server.Server, t workload.Table, c column) (filled bool, err error) {
	if !slices.Contains([]string{"date", "datetime", "timestamp"}, c.base()) {
		return false, nil
	}
	const layout = "2006-01-02 15:04:05"
	// Whatever the server's time zone.
	err = model.DB.QueryRowContext(ctx, fmt.Sprintf("SELECT EXISTS(SELECT 1 FROM %s WHERE %s BETWEEN '%s' AND '%s')", t, server.Ident(c.name),
		changeTime.AddDate(0, 0, -1).Format(layout), changeTime.AddDate(0, 0, 1).Format(layout))).Scan(&filled)
	return filled, err
}
