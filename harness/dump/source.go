package dump

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mysqlmatrix/harness/flavor"
)

// Source is a user's SQL, in the order in which it is loaded.
type Source struct {
	Path  string
	Files []Part
	// Unread are the files of a folder that are no SQL and hold no rows.
	Unread []string
}

// Part is one file, and the database that its name gives, "" for none.
type Part struct{ Path, Database string }

// endings are the names of SQL files.
var endings = []string{".sql", ".sql.gz", ".sql.zst"}

// Open finds the SQL of a file or of a folder. The files of a folder are taken in the order of their names, those with
// structures before those with rows. In a folder of mydumper's a file's name gives the database.
func Open(path string) (*Source, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("schema %s: there is no such file or folder", path)
	}
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	s := &Source{Path: path, Files: []Part{{Path: path}}}
	if info.IsDir() {
		if err := s.folder(path); err != nil {
			return nil, err
		}
	}
	for _, file := range s.Files {
		if err := check(file.Path, info.IsDir()); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// shellFile is in every dump of MySQL Shell.
const shellFile = "@.json"

// rowEndings are the names of files that hold rows in other forms than SQL.
var rowEndings = []string{".tsv", ".csv", ".dat", ".idx", ".xz", ".lz4", ".bz2", ".zip", ".gz", ".zst", ".ibd", ".parquet"}

// besideEndings are the names of such files where an SQL file of the same name lies beside them (mysqldump --tab).
var besideEndings = []string{".txt", ".json"}

func holdsRows(dir, name string) bool {
	for _, ending := range besideEndings {
		if before, ok := strings.CutSuffix(name, ending); ok {
			_, err := os.Stat(filepath.Join(dir, before+".sql"))
			return err == nil
		}
	}
	return slices.ContainsFunc(rowEndings, func(ending string) bool { return strings.HasSuffix(name, ending) })
}

func (s *Source) folder(dir string) error {
	entries, err := os.ReadDir(dir) // in the order of names
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	var rows []string
	for _, entry := range entries {
		name := entry.Name()
		has := func(ending string) bool { return strings.HasSuffix(name, ending) }
		switch {
		case name == shellFile:
			return fmt.Errorf("schema %s: it is a dump of MySQL Shell (%s), which is not supported: use mysqldump or mydumper, or load it and dump it again", dir, shellFile)
		case entry.IsDir():
			s.Unread = append(s.Unread, name+"/")
		case slices.ContainsFunc(endings, has):
			s.Files = append(s.Files, Part{Path: filepath.Join(dir, name)})
		case holdsRows(dir, name):
			rows = append(rows, name)
		default:
			s.Unread = append(s.Unread, name)
		}
	}
	s.Files = s.Files[1:] // the folder itself
	if len(s.Files) == 0 {
		return fmt.Errorf("schema %s: the folder has no file that ends in %s", dir, strings.Join(endings, ", "))
	}
	if len(rows) > 0 {
		return fmt.Errorf("schema %s: %d files may hold rows and cannot be read, the first is %s: use mysqldump, or mydumper without --load-data and --csv",
			dir, len(rows), rows[0])
	}
	slices.SortStableFunc(s.Files, func(a, b Part) int { return stage(a.Path) - stage(b.Path) })
	return s.databases()
}

// base is a file's name without the endings of SQL and of compression.
func base(path string) string {
	name := filepath.Base(path)
	for _, ending := range []string{".gz", ".zst", ".sql"} {
		name = strings.TrimSuffix(name, ending)
	}
	return name
}

const (
	createEnding = "-schema-create"
	postEnding   = "-schema-post"
)

// stages are the ends of names in the order in which files are loaded: databases, tables, rows (all other names), and
// what refers to tables.
var stages = [][]string{{createEnding}, {"-schema-sequence"}, {"-schema"}, {}, {postEnding, "-schema-triggers", "-schema-view"}}

// stage is when a file is loaded.
func stage(path string) int {
	name := base(path)
	rows := 0
	for i, ends := range stages {
		if len(ends) == 0 {
			rows = i
		}
		if slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(name, end) }) {
			return i
		}
	}
	return rows
}

// databases gives the files of a mydumper folder their databases: DB-schema-create.sql, DB.TABLE-schema.sql,
// DB.TABLE.00000.sql (mydumper's documentation, "Files"). A name that cannot be one of a file is another in there.
func (s *Source) databases() error {
	if !slices.ContainsFunc(s.Files, func(p Part) bool { return mydumperName(p.Path) }) {
		return nil
	}
	names := map[string]string{} // in files → of the database
	for _, p := range s.Files {
		in, ok := strings.CutSuffix(base(p.Path), createEnding)
		if !ok {
			continue
		}
		real, err := createdDatabase(p.Path)
		if err != nil {
			return err
		}
		names[in] = real
	}
	for i, p := range s.Files {
		name := base(p.Path)
		in, _, _ := strings.Cut(name, ".")
		if before, ok := strings.CutSuffix(name, postEnding); ok {
			in = before
		} else if strings.HasSuffix(name, createEnding) {
			continue
		}
		if s.Files[i].Database = in; names[in] != "" {
			s.Files[i].Database = names[in]
		}
	}
	return nil
}

// mydumperName says whether a file is one that mydumper alone writes.
func mydumperName(path string) bool {
	name := base(path)
	return strings.HasSuffix(name, createEnding) || strings.Contains(name, ".") && strings.HasSuffix(name, "-schema")
}

// createdDatabase is the name in a file's CREATE DATABASE, "" without one.
func createdDatabase(path string) (created string, err error) {
	in, err := OpenFile(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	var anyFlavor flavor.Flavor // no conditional comment with a number counts
	splitter := NewSplitter(in, anyFlavor)
	for {
		st, err := splitter.Next()
		if err != nil {
			return "", nil // what is wrong with the file is told when it is loaded
		}
		list := tokenize(st.Text, anyFlavor, Modes{}, headTokens)
		verb, object := list.subject()
		if verb != "CREATE" || object != "DATABASE" && object != "SCHEMA" {
			continue
		}
		for _, t := range list[2:] {
			if t.kind == name || t.kind == word && !slices.Contains([]string{"IF", "NOT", "EXISTS"}, t.upper()) {
				return t.text, nil
			}
		}
	}
}
