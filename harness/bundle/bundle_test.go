package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/report"
)

const secret = "t0p-s3cret"

func TestRedact(t *testing.T) {
	for _, text := range []string{
		"password=" + secret, "password = '" + secret + "'", "--password=" + secret + " --user=x", "dbdeployer deploy --db-password " + secret + " --port 1", `"password": "` + secret + `",`,
		"MYSQL_PWD=" + secret + " mysql", "master-password=" + secret, "MASTER_PASSWORD='" + secret + "'", "SOURCE_PASSWORD = \"" + secret + "\"",
		"CREATE USER a@b IDENTIFIED BY '" + secret + "'", "CREATE USER a@b IDENTIFIED WITH mysql_native_password AS '" + secret + "'",
		"GRANT ALL ON *.* TO x IDENTIFIED BY PASSWORD '" + secret + "'", "SET PASSWORD = PASSWORD('" + secret + "')",
		"mysql -h 127.0.0.1 -u root -p" + secret + " test", "root:" + secret + "@tcp(127.0.0.1:3306)/", "mysql://root:" + secret + "@localhost/x",
		"pt-online-schema-change h=127.0.0.1,P=3306,u=root,p=" + secret + ",D=shop", "p=" + secret + ",D=x h=1,p=" + secret,
		"[client]\nuser=msandbox\npassword=" + secret + "\nport=1\n",
		"gh-ost -password " + secret + " -port 1", "gh-ost --password '" + secret + " more' --port 1", `[--user=x --password ` + secret + `]`, `["--password", "` + secret + `"]`,
		"pt-online-schema-change -u root -p " + secret + " D=shop", "mysql -u root -p " + secret, "dbdeployer deploy -p '" + secret + "'",
		`CHANGE MASTER TO MASTER_PASSWORD = \"` + secret + `\", MASTER_PORT=1`, `{\"MySQLTopologyPassword\": \"` + secret + `\", \"Debug\": true}`,
		`CREATE USER a IDENTIFIED BY \"` + secret + `\"`, `SET PASSWORD = PASSWORD(\'` + secret + `\')`, `{\\\"password\\\": \\\"` + secret + `\\\"}`,
		`CREATE USER a IDENTIFIED BY "a""` + secret + `"`, `IDENTIFIED BY \"a\\\"` + secret + `\"`, `password="` + secret,
	} {
		if strings.HasPrefix(text, "p=") {
			text = " " + text
		}
		if got := Redact(text); strings.Contains(got, secret) {
			t.Errorf("%q is left in %q", secret, got)
		}
	}
	for _, text := range []string{"port=3306\nuser=msandbox\n", "Last_IO_Errno: 0", "at pos 1234, -P 3306, tee -p", "gh-ost --alter='ADD COLUMN p INT'", "read mysql-bin.000001:789", "mkdir -p build", "--ask-password --user=x"} {
		if got := Redact(text); got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func unpack(t *testing.T, packed []byte) map[string]string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for in := tar.NewReader(z); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(text)
	}
}

func TestPack(t *testing.T) {
	folder := t.TempDir()
	node := filepath.Join(folder, "evidence/e/s/t/spec/data/t1/primary")
	write(t, filepath.Join(node, "my.sandbox.cnf"), "[mysqld]\nport=3306\n[client]\npassword="+secret+"\n")
	write(t, filepath.Join(node, "data/msandbox.err"), strings.Repeat("a line of a log\n", 100)+"the last line\n")
	write(t, filepath.Join(node, "../../../nodes1/primary.cnf"), "[client]\npassword="+secret+"\n[mysqld]\nserver-id=101\n")
	cut := strings.Repeat("x", 100) + "\npassword=" + secret // the limit on texts falls into the word before the password
	write(t, filepath.Join(node, "data/cut.log"), cut+"\n"+strings.Repeat("y", 200-len(secret)-len("rd=\n")-1)+"\n")
	write(t, filepath.Join(node, "data/mysql-bin.000001"), "\xfebin CREATE USER x IDENTIFIED BY '"+secret+"'")
	write(t, filepath.Join(node, "data/mysql-bin.000002"), "\xfebin"+strings.Repeat("o", 100))
	write(t, filepath.Join(node, "data/mysql-bin.000003"), "\xfebin"+strings.Repeat("n", 100))
	write(t, filepath.Join(node, "data/ibdata1"), secret)
	write(t, filepath.Join(node, "data/master.info"), "33\nmysql-bin.000001\n4\n127.0.0.1\nrsandbox\n"+secret+"\n3306\n")
	write(t, filepath.Join(node, "data/shop/orders.ibd"), secret)
	id := report.CellID{Entry: "e", Suite: "s", Tool: "t", Version: "1"}
	spoken := "mysql -p" + secret + " failed: MASTER_PASSWORD = \"" + secret + "\", {\"MySQLTopologyPassword\": \"" + secret + "\"}\n" +
		"CREATE USER x IDENTIFIED BY \"" + secret + "\" (using password: YES)\n\"the end\""
	o := report.Outcome{State: report.StateFinished, Verdict: report.VerdictFailed, Started: time.Unix(1, 0), Error: spoken, Repro: "bin/matrix run", Evidence: "evidence/e/s/t/spec"}
	run := &report.Run{Version: report.Version, Status: report.RunComplete, Cells: []report.Cell{{ID: id, Server: report.Server{Version: "9.7.4"}, Outcome: o, Specs: []report.Spec{{Text: "spec", Outcome: o}, {Text: "other", Outcome: o}}}}}
	var b bytes.Buffer
	err := Pack(&b, folder, Failure{run, &run.Cells[0], "spec", &o, []string{o.Evidence, "gone"}}, Limits{BinaryLogs: 150, Text: 200})
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, b.Bytes())
	for name, text := range files {
		if strings.Contains(text, secret) {
			t.Errorf("%s has the password", name)
		}
	}
	prefix := "bundle/evidence/e/s/t/spec/data/t1/primary/"
	for name, want := range map[string]string{
		"bundle/README.txt":                             "9.7.4",
		"bundle/failure.json":                           `"spec": "spec"`,
		"bundle/evidence/e/s/t/spec/nodes1/primary.cnf": "server-id=101",
		prefix + "data/cut.log":                         "yyy",
		prefix + "my.sandbox.cnf":                       "port=3306",
		prefix + "data/msandbox.err":                    "the last line",
		prefix + "data/mysql-bin.000003":                "nnn",
		"bundle/CONTENTS.txt":                           "000001 has a statement about an account's password",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s does not say %q: %q", name, want, files[name])
		}
	}
	for _, want := range []string{"000002 has 104 bytes, more than", "cut: evidence", "left out: gone"} {
		if !strings.Contains(files["bundle/CONTENTS.txt"], want) {
			t.Errorf("the list does not say %q:\n%s", want, files["bundle/CONTENTS.txt"])
		}
	}
	var failure report.Run
	if err := json.Unmarshal([]byte(files["bundle/failure.json"]), &failure); err != nil {
		t.Errorf("failure.json: %v\n%s", err, files["bundle/failure.json"])
	} else if got := failure.Cells[0].Specs[0].Error; !strings.HasSuffix(got, "\n\"the end\"") {
		t.Errorf("the error became %q", got)
	}
	if strings.Contains(files["bundle/failure.json"], "other") || files[prefix+"data/ibdata1"] != "" {
		t.Error("more is packed than belongs to the failure")
	}
}

// A binary log that is too large is not even read.
func TestLargeBinaryLog(t *testing.T) {
	const size = 64 << 20
	folder := t.TempDir()
	name := filepath.Join(folder, "evidence/mysql-bin.000001")
	write(t, name, "")
	if err := os.Truncate(name, size); err != nil {
		t.Fatal(err)
	}
	run := &report.Run{Version: report.Version, Cells: make([]report.Cell, 1)}
	run.Status, run.Cells[0].State = report.RunComplete, report.StateFinished
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var b bytes.Buffer
	err := Pack(&b, folder, Failure{run, &run.Cells[0], "", &run.Cells[0].Outcome, []string{"evidence"}}, Limits{BinaryLogs: 1 << 20})
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if list := unpack(t, b.Bytes())["bundle/CONTENTS.txt"]; !strings.Contains(list, "000001 has 67108864 bytes, more than") {
		t.Errorf("the list says %q", list)
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > size/2 {
		t.Errorf("it took %d bytes of memory", taken)
	}
}
