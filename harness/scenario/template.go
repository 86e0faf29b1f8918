package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

var folderName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// template is a scenario that runs as it stands.
var template = map[string]string{
	createFile: `-- The table. It is called t, whatever it is about; leave out the database. A server that refuses these statements does
-- not support the scenario.
CREATE TABLE t (
  id INT NOT NULL PRIMARY KEY,
  amount DECIMAL(10,2) NOT NULL,
  note VARCHAR(40)
) DEFAULT CHARSET=utf8mb4;
`,
	loadFile: `-- The rows that are there before the tool starts: some hundred, so that it copies several chunks. The same statements must
-- make the same rows each time.
INSERT INTO t VALUES (1, 1.10, 'one'), (2, 2.20, 'two'), (3, 3.30, NULL), (4, 4.40, 'four');
INSERT INTO t SELECT id + 4, amount + 4, note FROM t;
INSERT INTO t SELECT id + 8, amount + 8, note FROM t;
INSERT INTO t SELECT id + 16, amount + 16, note FROM t;
INSERT INTO t SELECT id + 32, amount + 32, note FROM t;
INSERT INTO t SELECT id + 64, amount + 64, note FROM t;
INSERT INTO t SELECT id + 128, amount + 128, note FROM t;
`,
	alterFile: `ADD COLUMN added INT NOT NULL DEFAULT 7, MODIFY amount DECIMAL(12,3) NOT NULL
`,
	writesFile: `-- What is written while the tool works: transactions parted by empty lines, in turn, again and again. {n} is the number
-- of the round. They must fit the table before the change and after it, and none may fail.
INSERT INTO t (id, amount, note) VALUES (1000 + {n}, {n} / 100, 'written');

UPDATE t SET amount = amount + 0.01, note = 'changed' WHERE id = 1 + {n} % 256;

DELETE FROM t WHERE id = 1000 + {n} - 5;

UPDATE t SET amount = 0 WHERE id = 10;
UPDATE t SET note = NULL WHERE id = 20 + {n} % 50;
`,
	expectFile: `# The scenario's name in reports: the condition, in plain words. Rows and structure must afterwards be those of the server's
# own ALTER TABLE under the same writes.
name: %s
# The columns by which rows are compared: unique, and not NULL. key_after: their names, where the change renames them.
key: [id]
# A tool that must refuse the change, by a regular expression on what it prints:
# refused:
#   gh-ost: no PRIMARY nor UNIQUE key
# full: true leaves the scenario out of the pr tier.
`,
}

// New writes a scenario that runs as it stands into a folder of a name, and returns the folder.
func New(parent, name string) (string, error) {
	if !folderName.MatchString(name) {
		return "", fmt.Errorf("scenario %q: want small letters and digits, parted by hyphens", name)
	}
	dir := filepath.Join(parent, name)
	if _, err := os.Lstat(dir); err == nil {
		return "", fmt.Errorf("scenario %s: %s is there already", name, dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("scenario %s: %w", name, err)
	}
	for _, file := range Files() {
		text := template[file]
		if file == expectFile {
			text = fmt.Sprintf(text, name)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			return "", fmt.Errorf("scenario %s: %w", name, err)
		}
	}
	return dir, nil
}
