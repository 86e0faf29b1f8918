package workload

import (
	"crypto/sha256"
	"database/sql"
	"strings"
	"testing"
)

func raw(values ...string) []sql.RawBytes {
	list := make([]sql.RawBytes, len(values))
	for i, v := range values {
		if v != "NULL" {
			list[i] = sql.RawBytes(v)
		}
	}
	return list
}

var twoColumns = []column{{"a", "int"}, {"b", "varchar"}}

// TestCanonical: no two different rows are written alike, so that a checksum of them differs.
func TestCanonical(t *testing.T) {
	rows := [][]sql.RawBytes{
		raw("1", "x"), raw("1", "y"), raw("2", "x"), raw("1", ""), raw("1", "NULL"), raw("NULL", "x"), raw("", "1x"),
		raw("1", "x "), raw("1x", ""), raw("1", "x\x00"), raw("1", "\x01x"),
	}
	seen := map[string]int{}
	for i, values := range rows {
		text := string(canonical(twoColumns, values))
		if before, twice := seen[text]; twice {
			t.Errorf("rows %q and %q are written alike", rows[before], values)
		}
		seen[text] = i
	}
	// Two rows do not run together with one row of both.
	if string(canonical(twoColumns, raw("1", "x")))+string(canonical(twoColumns, raw("2", "y"))) ==
		string(canonical(twoColumns, raw("1", "x2y"))) {
		t.Error("rows run together")
	}
}

func TestDiff(t *testing.T) {
	of := func(values ...string) row {
		return row{sha256.Sum256(canonical(twoColumns, raw(values...))), strings.Join(values, " ")}
	}
	left := map[string]row{"1": of("1", "x"), "2": of("2", "x"), "3": of("3", "x")}
	right := map[string]row{"1": of("1", "x"), "2": of("2", "y"), "4": of("4", "x")}
	got := diff(left, right)
	if len(got) != 3 {
		t.Fatalf("%d differences, want 3: %v", len(got), got)
	}
	for i, want := range []RowDifference{{Key: "2", Left: "2 x", Right: "2 y"}, {Key: "3", Left: "3 x"}, {Key: "4", Right: "4 x"}} {
		if got[i] != want {
			t.Errorf("difference %d: %+v, want %+v", i, got[i], want)
		}
	}
	if same := diff(left, left); len(same) != 0 {
		t.Errorf("a table differs from itself: %v", same)
	}
}

func TestWhere(t *testing.T) {
	r := &reader{key: []column{{"a", "int"}, {"b", "varchar"}}}
	for _, c := range []struct {
		from, to bound
		want     string
	}{
		{nil, nil, ""},
		{bound{"1", "x'61'"}, nil, " WHERE (`a` > 1 OR (`a` = 1 AND (CAST(CONVERT(`b` USING utf8mb4) AS BINARY) > x'61')))"},
		{nil, bound{"1", "x'61'"}, " WHERE NOT (`a` > 1 OR (`a` = 1 AND (CAST(CONVERT(`b` USING utf8mb4) AS BINARY) > x'61')))"},
	} {
		if got := r.where(c.from, c.to); got != c.want {
			t.Errorf("%v to %v:%s\nwant%s", c.from, c.to, got, c.want)
		}
	}
}

func TestColumn(t *testing.T) {
	for _, c := range []struct {
		dataType, value, order, literal string
	}{
		{"bigint", "`c`", "`c`", "7"},
		{"float", "`c` * 1E0", "`c` * 1E0", "7"},
		{"bit", "`c`", "`c` + 0", "7"},
		{"datetime", "`c`", "`c`", "'7'"},
		{"varbinary", "`c`", "`c`", "x'37'"},
		{"enum", "`c`", "CAST(CONVERT(`c` USING utf8mb4) AS BINARY)", "x'37'"},
	} {
		one := column{"c", c.dataType}
		if one.value() != c.value || one.order() != c.order || one.literal([]byte("7")) != c.literal {
			t.Errorf("%s: %s, %s, %s", c.dataType, one.value(), one.order(), one.literal([]byte("7")))
		}
	}
}

func TestShow(t *testing.T) {
	long := strings.Repeat("a", 1000)
	for value, want := range map[string]string{
		"text": "4:text", "\x00\xff": "2:00ff", "żó": "4:żó", long: "1000:" + long[:80] + "…" + long[:80],
	} {
		if got := show([]byte(value)); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
	if got := show(nil); got != "NULL" {
		t.Errorf("nil: %s", got)
	}
}
