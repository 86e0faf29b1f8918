package usertables

import "testing"

// TestAdds holds which changes make a column, and which keep what it held.
func TestAdds(t *testing.T) {
	for alter, want := range map[string]bool{
		"ADD COLUMN id INT":                                true,
		"add id INT AUTO_INCREMENT PRIMARY KEY":            true,
		"ADD COLUMN IF NOT EXISTS `id` INT":                true,
		"ADD (a INT, id INT)":                              true,
		"ADD COLUMN (`id` INT)":                            true,
		"ADD /* x */ COLUMN id INT":                        true,
		"DROP COLUMN id, ADD COLUMN ID INT":                true,
		"RENAME COLUMN id TO old, ADD COLUMN id INT":       true,
		"MODIFY id INT AUTO_INCREMENT":                     false,
		"CHANGE old id INT":                                false,
		"RENAME COLUMN old TO id":                          false,
		"ADD INDEX id (id)":                                false,
		"ADD COLUMN idx INT":                               false,
		"ADD COLUMN a INT COMMENT 'ADD COLUMN id INT'":     false,
		"ADD PRIMARY KEY (id)":                             false,
		"ADD COLUMN a INT, MODIFY id BIGINT":               false,
		"ADD CONSTRAINT id FOREIGN KEY (id) REFERENCES t2": false,
	} {
		if got := adds(alter, "id"); got != want {
			t.Errorf("%s: got %v, want %v", alter, got, want)
		}
	}
}
