package usertables

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/workload"
)

var (
	// chanceDefault finds a default that is another one each time, or for each session.
	chanceDefault = regexp.MustCompile(`(?i)uuid|\brand\b|random_bytes|sys_guid|nextval|lastval|curdate|curtime|current_date|current_time\b|utc_|` +
		`unix_timestamp|connection_id|current_user|\buser\b|session_user`)
	// clockDefault finds an expression that tells the time, for a column that is no date.
	clockDefault = regexp.MustCompile(`(?i)\bnow\b|current_timestamp|localtime|sysdate`)
	// rowTime finds a column that system versioning writes.
	rowTime = regexp.MustCompile("(?im)^\\s*`((?:[^`]|``)*)` .*GENERATED ALWAYS AS ROW (?:START|END)")
	// generatedLine finds a generated column and its expression.
	generatedLine = regexp.MustCompile("(?im)^\\s*`((?:[^`]|``)*)` .*?\\bAS (\\(.*)$")
)

// comparable says which columns of the changed table are to hold the same for everybody, and which cannot, each with
// the reason: those that the change fills with its own time, numbers or chance. A column that was there before is always
// compared, whatever name it has now, but for one that the change has filled with its own time.
func (t *task) comparable(ctx context.Context, after workload.Table, statement string) (c comparison, not []string, err error) {
	list, err := columns(ctx, t.model, after)
	if err != nil {
		return c, nil, err
	}
	var versioned, out []string
	for _, match := range rowTime.FindAllStringSubmatch(statement, -1) {
		versioned = append(versioned, strings.ReplaceAll(match[1], "``", "`"))
	}
	for _, one := range list {
		why, err := t.incomparable(ctx, after, one, versioned)
		if err != nil {
			return c, nil, err
		}
		if why == "" {
			if from := generatedFrom(statement, one, out); from != "" {
				why = "it is made from " + printable(from)
			}
		}
		if why == "" {
			c.columns = append(c.columns, one.name)
			continue
		}
		out = append(out, one.name)
		not = append(not, fmt.Sprintf("column %s: %s", printable(one.name), why))
	}
	keys, err := indexes(ctx, t.model, after)
	if err != nil {
		return c, nil, err
	}
	c.key = rowKey(slices.DeleteFunc(keys, func(i index) bool {
		return slices.ContainsFunc(i.columns, func(name string) bool { return !slices.Contains(c.columns, name) })
	}))
	return c, not, nil
}

// incomparable is why a column does not hold the same for everybody, "" when it does.
func (t *task) incomparable(ctx context.Context, after workload.Table, c column, versioned []string) (string, error) {
	isNew := adds(t.alter, c.name)
	switch {
	case slices.Contains(versioned, c.name):
		return "it is the time at which the server wrote the row", nil
	case c.autoIncrement() && isNew:
		return "the change numbers the rows, in whichever order it reads them", nil
	case c.hasValue && isNew && chanceDefault.MatchString(c.fallback):
		return "its default is another one for each row", nil
	case c.hasValue && isNew && !c.isTemporal() && clockDefault.MatchString(c.fallback):
		return "the change fills it with its own time", nil
	case c.isTemporal() && (isNew || t.clock.free):
		filled, err := t.clock.wrote(ctx, t.model, after, c)
		if err != nil || !filled {
			return "", err
		}
		return "the change fills it with its own time", nil
	}
	return "", nil
}

// generatedFrom is which of some columns a generated column is made from, "" when from none.
func generatedFrom(statement string, c column, out []string) string {
	if !c.generated {
		return ""
	}
	for _, match := range generatedLine.FindAllStringSubmatch(statement, -1) {
		if strings.ReplaceAll(match[1], "``", "`") != c.name {
			continue
		}
		for _, name := range out {
			if strings.Contains(match[2], server.Ident(name)) {
				return name
			}
		}
	}
	return ""
}

var (
	sqlComment = regexp.MustCompile(`(?s)/\*(?:[^M!]|M[^!]).*?\*/|/\*M?!\d*|\*/`) // of a conditional one, its ends
	sqlString  = regexp.MustCompile(`'(?:[^'\\]|''|\\.)*'`)
	addsList   = regexp.MustCompile(`(?i)\badd\s+(?:column\s+)?(?:if\s+not\s+exists\s+)?\(`)
)

// adds says whether a change makes a column of that name: ADD, where MODIFY, CHANGE and RENAME keep what it held.
func adds(alter, name string) bool {
	alter = sqlString.ReplaceAllString(sqlComment.ReplaceAllString(alter, " "), "''")
	quoted := "(?:`" + regexp.QuoteMeta(strings.ReplaceAll(name, "`", "``")) + "`|\"" + regexp.QuoteMeta(name) + "\"|" + regexp.QuoteMeta(name) + `\b)`
	if regexp.MustCompile(`(?i)\badd\s+(?:column\s+)?(?:if\s+not\s+exists\s+)?` + quoted).MatchString(alter) {
		return true
	}
	from := addsList.FindStringIndex(alter)
	return from != nil && regexp.MustCompile(`(?i)[(,]\s*`+quoted).MatchString(alter[from[1]-1:])
}

func (c column) isTemporal() bool {
	return slices.Contains([]string{"date", "datetime", "timestamp"}, c.base())
}

// clock is what the model's clock says while it changes a table: values that the change fills with its own time are
// known by it.
type clock struct {
	at   time.Time
	free bool // no value of the table lay within a day of it
}

const (
	clockLayout = "2006-01-02 15:04:05"
	// clockTries are how many times are tried, clockStep apart.
	clockTries = 40
	clockStep  = 397 * 24 * time.Hour
)

// newClock finds a time that the table does not have, nor the change itself.
func newClock(ctx context.Context, model *server.Server, t workload.Table, before []column, alter string) (clock, error) {
	for i := range clockTries {
		c := clock{at: changeTime.Add(time.Duration(i) * clockStep), free: true}
		for day := -1; day <= 1; day++ {
			c.free = c.free && !strings.Contains(alter, c.at.AddDate(0, 0, day).Format("2006-01-02"))
		}
		for _, one := range before {
			if !one.isTemporal() || !c.free {
				continue
			}
			there, err := c.wrote(ctx, model, t, one)
			if err != nil {
				return c, err
			}
			c.free = !there
		}
		if c.free {
			return c, nil
		}
	}
	return clock{at: changeTime}, nil
}

// wrote says whether a column has a value within a day of the time: whatever the server's time zone.
func (c clock) wrote(ctx context.Context, model *server.Server, t workload.Table, one column) (there bool, err error) {
	err = model.DB.QueryRowContext(ctx, fmt.Sprintf("SELECT EXISTS(SELECT 1 FROM %s WHERE %s BETWEEN '%s' AND '%s')", t, server.Ident(one.name),
		c.at.AddDate(0, 0, -1).Format(clockLayout), c.at.AddDate(0, 0, 1).Format(clockLayout))).Scan(&there)
	return there, err
}
