package scenario

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"mysqlmatrix/fixtures/scenarios"
)

func TestScenariosOfTheProjectAreWhole(t *testing.T) {
	if _, err := ReadAll(scenarios.Migration()); err != nil {
		t.Error(err)
	}
}

func TestNew(t *testing.T) {
	parent := t.TempDir()
	if _, err := New(parent, "my-case"); err != nil {
		t.Fatal(err)
	}
	s, err := Read(os.DirFS(parent), "my-case")
	if err != nil {
		t.Fatal(err)
	}
	if s.Title() != "my-case" || len(s.Create) != 1 || len(s.Load) != 7 || len(s.Writes) != 4 || len(s.Writes[3]) != 2 {
		t.Errorf("%+v", s)
	}
	if got := s.Write(5); !slices.Equal(got, []string{"UPDATE t SET amount = amount + 0.01, note = 'changed' WHERE id = 1 + 2 % 256"}) {
		t.Errorf("the sixth write is %q", got)
	}
	for _, name := range []string{"my-case", "../x", "", "With Blank"} {
		if _, err := New(parent, name); err == nil {
			t.Errorf("a scenario %q is made", name)
		}
	}
}

func TestMistakes(t *testing.T) {
	good := map[string]string{createFile: "CREATE TABLE t (id INT PRIMARY KEY);", loadFile: "INSERT INTO t\nVALUES (1);", alterFile: "ENGINE=InnoDB",
		writesFile: "INSERT INTO t VALUES ({n} + 1);", expectFile: "key: [id]"}
	for _, one := range []struct{ file, text, want string }{
		{createFile, "", ""},
		{createFile, "CREATE TABLE t (id INT)", "create.sql:1: a statement without an end"},
		{loadFile, "-- nothing\n", "load.sql has no statement"},
		{alterFile, " \n", "alter: it is empty"},
		{expectFile, "keys: [id]", "field keys not found"},
		{expectFile, "name: x", "want key"},
		{expectFile, "key: [id]\nrefused: {gh-ost: '('}", "no regular expression"},
		{expectFile, "key: [id]\nkey_after: [a, b]", "key_after has 2 columns and key 1"},
	} {
		files := fstest.MapFS{}
		for name, text := range good {
			files["x/"+name] = &fstest.MapFile{Data: []byte(text)}
		}
		if files["x/"+one.file].Data = []byte(one.text); one.want == "" {
			delete(files, "x/"+one.file)
			one.want = one.file + " is missing"
		}
		if _, err := ReadAll(files); err == nil || !strings.Contains(err.Error(), one.want) {
			t.Errorf("%s %q: %v, want %q", one.file, one.text, err, one.want)
		}
	}
}
