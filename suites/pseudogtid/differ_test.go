package pseudogtid_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// Options that only some servers know stand behind loose-: what a server has is used.
var (
	compressed = []string{"loose-binlog_transaction_compression=ON", "loose-log_bin_compress=ON", "loose-log_bin_compress_min_len=10"}
	annotated  = []string{"loose-binlog_rows_query_log_events=ON", "loose-binlog_annotate_row_events=ON", "loose-replicate_annotate_row_events=ON"}
	bare       = []string{"loose-binlog_rows_query_log_events=OFF", "loose-binlog_annotate_row_events=OFF", "loose-replicate_annotate_row_events=OFF"}
)

func join(lists ...[]string) (all []string) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

var _ = describe("Pseudo-GTID", func() {
	It("matches servers whose checksums, compression, annotations and event sizes differ", func(ctx SpecContext) {
		s := deploy(ctx, "star:2", topology.Options{PerNode: map[int][]string{
			0: join([]string{"binlog_checksum=CRC32"}, compressed, annotated),
			1: join([]string{"binlog_checksum=NONE", "binlog_row_event_max_size=256"}, bare),
			2: join([]string{"binlog_checksum=CRC32", "binlog_row_event_max_size=65536"}, compressed, bare),
		}})
		s.inject(ctx)
		for _, name := range []string{"a large transaction", "DDL in between", "LOAD DATA", "triggers"} {
			for _, c := range contents {
				if c.name == name {
					s.play(ctx, c)
				}
			}
		}
		s.caughtUp(ctx)
		for _, pair := range [][2]int{{1, 0}, {2, 0}, {1, 2}, {2, 1}} {
			s.matchesAtEnd(ctx, pair[0], pair[1])
		}
		injector := s.injecting(ctx)
		s.write(ctx)
		s.moves(ctx, 2, 1)
		s.waitForWrites(ctx, 50)
		s.rest()
		Expect(injector.Stop()).To(Succeed())
		s.agreed(ctx)
	})

	It("matches compressed transactions with uncompressed ones", Label(cell.LabelFull), func(ctx SpecContext) {
		suitekit.Require(sandbox.ProfileFast, flavor.CapBinlogCompression)
		s := deploy(ctx, "star:2", topology.Options{PerNode: map[int][]string{0: compressed, 1: compressed}})
		s.inject(ctx)
		s.play(ctx, contents[0])
		s.caughtUp(ctx)
		var sizes [3]uint64
		for i := range sizes {
			logs, err := s.at(i).BinaryLogs(ctx)
			suitekit.NoFault(err)
			for _, l := range logs {
				sizes[i] += l.Size
			}
		}
		Expect(sizes[0]).To(BeNumerically("<", sizes[2]/2), "nothing was compressed")
		for _, pair := range [][2]int{{2, 0}, {2, 1}, {1, 2}, {1, 0}} {
			s.matchesAtEnd(ctx, pair[0], pair[1])
		}
		s.moves(ctx, 2, 1)
		s.agreed(ctx)
	})

	It("matches full, minimal and noblob row images with one another", func(ctx SpecContext) {
		suitekit.Require(sandbox.ProfileFast, flavor.CapBinlogRowMinimal)
		s := deploy(ctx, "star:2", topology.Options{})
		s.run(ctx, 0, "CREATE TABLE shop.wide (id INT PRIMARY KEY, a INT, b BLOB, c VARCHAR(20) DEFAULT 'd')")
		s.inject(ctx)
		for _, images := range [][3]string{{"FULL", "FULL", "FULL"}, {"MINIMAL", "MINIMAL", "MINIMAL"}, {"NOBLOB", "NOBLOB", "NOBLOB"}, {"FULL", "MINIMAL", "NOBLOB"}} {
			By(strings.Join(images[:], ", "))
			for i, image := range images {
				s.run(ctx, i, "SET GLOBAL binlog_row_image = "+image)
				if i > 0 { // the applier reads it when it starts
					Expect(s.at(i).StopReplica(ctx, "")).To(Succeed())
					Expect(s.at(i).StartReplica(ctx, "")).To(Succeed())
				}
			}
			suitekit.NoFault(s.session(ctx, 0, func(conn *sql.Conn) error {
				for _, statement := range []string{"INSERT INTO shop.wide (id, a) VALUES (1, 1), (2, 2)", "UPDATE shop.wide SET a = a + 1",
					"UPDATE shop.wide SET b = 'blob', a = 5 WHERE id = 2", "UPDATE shop.wide SET b = NULL, c = NULL", "DELETE FROM shop.wide"} {
					if _, err := conn.ExecContext(ctx, statement); err != nil {
						return err
					}
				}
				return nil
			}))
			s.caughtUp(ctx)
			for _, pair := range [][2]int{{2, 0}, {2, 1}, {1, 2}, {1, 0}} {
				s.matchesAtEnd(ctx, pair[0], pair[1])
			}
		}
		s.moves(ctx, 2, 1)
		s.agreed(ctx)
	})

	It("matches encrypted binary logs", Label(cell.LabelFull), func(ctx SpecContext) {
		options, later := encryption()
		s := deployOwn(ctx, "star:2", topology.Options{PerNode: map[int][]string{1: options}})
		if later {
			s.encrypts(ctx, 1)
		}
		s.inject(ctx)
		s.play(ctx, contents[1])
		s.caughtUp(ctx)
		logs, err := s.at(1).BinaryLogs(ctx)
		suitekit.NoFault(err)
		text, err := os.ReadFile(filepath.Join(s.Nodes[1].Sandbox.DataDir(), logs[len(logs)-1].Name))
		suitekit.NoFault(err)
		Expect(string(text)).NotTo(ContainSubstring("CREATE TABLE"), "the log is not encrypted")
		s.matchesAtEnd(ctx, 2, 1)
		s.matchesAtEnd(ctx, 1, 0)
		s.moves(ctx, 2, 1)
		s.agreed(ctx)
	})
})

// encrypts has a server of MySQL encrypt its logs from now on, with a keyring that it starts with.
func (s *scene) encrypts(ctx SpecContext, i int) {
	GinkgoHelper()
	box := s.Nodes[i].Sandbox
	// A parallel applier that is shut down in the middle of a transaction waits a minute for its end, which does not come.
	s.caughtUp(ctx)
	suitekit.NoFault(s.at(i).StopReplica(ctx, ""))
	suitekit.NoFault(box.Stop(ctx))
	suitekit.NoFault(box.GiveKeyring())
	suitekit.NoFault(box.Start(ctx))
	suitekit.NoFault(s.at(i).Exec(ctx, "SET GLOBAL binlog_encryption = ON"))
	suitekit.NoFault(s.at(i).StartReplica(ctx, ""))
}

// encryption are the options of a server that can encrypt its logs with a key of its own; later, that it is told to
// once it runs. Others are unsupported, by what their installation holds.
func encryption() (options []string, later bool) {
	const library = "file_key_management.so"
	golden := suitekit.Golden(sandbox.ProfileFast)
	if golden.HasKeyring() {
		return nil, true
	}
	if _, err := os.Stat(filepath.Join(golden.Basedir, "lib", "plugin", library)); err != nil {
		suitekit.Unsupported("the server has no key management: " + err.Error())
	}
	keys := filepath.Join(suitekit.WorkDir("keys"), "keys.txt")
	suitekit.NoFault(os.WriteFile(keys, []byte("1;"+strings.Repeat("0123456789abcdef", 4)+"\n"), 0o600))
	return []string{"plugin-load-add=file_key_management=" + library, "loose-file_key_management_filename=" + keys, "encrypt_binlog=ON"}, false
}
