package pseudogtid_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// relocations of the whole property test on a server, and how many are done in one topology.
const (
	relocations      = 30 // in each of the parts
	parts            = 10
	relocationsShort = 20
	perTopology      = 20
	stepsBetween     = 3 // random events before each relocation
	entriesBetween   = 8 // writes between entries, on average
	fewRows          = 400
	pace             = 4 * time.Millisecond // between writes, so that replicas keep up
)

var _ = describe("Pseudo-GTID", func() {
	It("never matches wrongly over random topologies, workloads, formats and rotations", func(ctx SpecContext) { hold(ctx, 0, relocationsShort) })
	for part := range parts {
		It(fmt.Sprintf("never matches wrongly over random topologies, workloads and formats, part %d of %d", part+1, parts), Label(cell.LabelFull),
			func(ctx SpecContext) { hold(ctx, part+1, relocations) })
	}
})

// hold relocates at random until so many relocations were answered, in topologies of perTopology each.
func hold(ctx SpecContext, part, wanted int) {
	GinkgoHelper()
	random := rand.New(rand.NewPCG(uint64(suitekit.Cell().Seed), uint64(part)))
	answered, byGTID, refused := 0, 0, map[string]int{}
	for answered < wanted {
		g := newGame(ctx, random)
		for range min(perTopology, wanted-answered) + 2 {
			why, gtid := g.relocate(ctx)
			switch {
			case why != "":
				refused[why]++
			default:
				answered++
				byGTID += gtid
			}
			if answered == wanted {
				break
			}
		}
		Expect(g.Close()).To(Succeed())
	}
	suitekit.Measure("relocations", "", float64(answered))
	suitekit.Detail("of them compared with GTID", "", float64(byGTID))
	for _, why := range slices.Sorted(maps.Keys(refused)) {
		suitekit.Detail("refused: "+why, "", float64(refused[why]))
	}
	AddReportEntry("property", fmt.Sprintf("%d relocations, %d compared with GTID, refused %v", answered, byGTID, refused))
}

// game is a topology that is written to and changed at random. model is what the table must hold.
type game struct {
	*scene
	random  *rand.Rand
	names   string
	mu      sync.Mutex // held while the writer is between two transactions
	model   map[int]int
	next    int
	writing context.CancelFunc
	done    chan error
}

func newGame(ctx SpecContext, random *rand.Rand) *game {
	GinkgoHelper()
	shapes := []string{"star:3", "chain:3", "star:2", "tree"}
	formats := []string{"ROW", "STATEMENT", "MIXED"}
	o := topology.Options{Format: formats[random.IntN(3)], PerNode: map[int][]string{}}
	// Coordinates wire them, and GTIDs are there to compare with.
	if suitekit.Golden(sandbox.ProfileFast).Capabilities[flavor.CapGTID] && random.IntN(3) > 0 {
		o.Server = append(o.Server, "loose-gtid_mode=ON", "loose-enforce_gtid_consistency=ON")
	}
	// The same for all: where they differ, MySQL before 5.6.27 with GTIDs reads its relay log with the wrong checksum when the
	// applier is restarted (https://bugs.mysql.com/bug.php?id=76746). Where they differ is a spec of its own.
	o.Server = append(o.Server, "binlog_checksum="+[]string{"CRC32", "NONE"}[random.IntN(2)])
	for i := range 3 {
		o.PerNode[i] = []string{fmt.Sprintf("max_binlog_size=%d", []int{4096, 65536, 1 << 20}[random.IntN(3)])}
		if random.IntN(3) == 0 {
			o.PerNode[i] = append(o.PerNode[i], compressed...)
		}
	}
	shape := shapes[random.IntN(len(shapes))]
	g := &game{scene: deployOwn(ctx, shape, o), random: random, model: map[int]int{}, done: make(chan error, 1)}
	g.names = shape + " " + o.Format
	By(g.names)
	g.run(ctx, 0, "CREATE TABLE shop.game (id INT PRIMARY KEY, n INT NOT NULL, pad VARCHAR(200))")
	g.inject(ctx)
	run, cancel := context.WithCancel(ctx)
	g.writing = cancel
	go func() { g.done <- g.writer(run, random.Uint64()) }()
	DeferCleanup(cancel)
	return g
}

// writer writes until it is told to stop; the model says what it has written.
func (g *game) writer(ctx context.Context, seed uint64) error {
	random := rand.New(rand.NewPCG(seed, 1))
	db, err := g.at(0).Endpoint.OpenDB("shop")
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	defer conn.Close()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if err := g.write1(conn, random); err != nil {
			return err
		}
	}
}

// write1 is one transaction, or an entry.
func (g *game) write1(conn *sql.Conn, random *rand.Rand) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	ctx := context.Background() // it is never left half done
	if random.IntN(entriesBetween) == 0 {
		_, err := pseudogtid.Inject(ctx, g.at(0))
		return err
	}
	statements, changed := g.transaction(random)
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%.100s: %w", statement, err)
		}
	}
	for id, n := range changed {
		if n < 0 {
			delete(g.model, id)
		} else {
			g.model[id] = n
		}
	}
	return nil
}

// transaction makes up a transaction, and what it changes; -1 stands for a deleted row.
func (g *game) transaction(random *rand.Rand) (statements []string, changed map[int]int) {
	changed = map[int]int{}
	insert := func() string {
		g.next++
		changed[g.next] = random.IntN(1000)
		return fmt.Sprintf("(%d, %d, REPEAT('x', %d))", g.next, changed[g.next], random.IntN(200))
	}
	ids := slices.Sorted(maps.Keys(g.model))
	switch random.IntN(12) {
	case 0: // many rows
		var values []string
		for range 20 + random.IntN(100) {
			values = append(values, insert())
		}
		return []string{"INSERT INTO game VALUES " + strings.Join(values, ", ")}, changed
	case 1: // a table comes and goes
		g.next++
		name := fmt.Sprintf("extra%d", g.next)
		return []string{"CREATE TABLE " + name + " (a INT PRIMARY KEY)", "INSERT INTO " + name + " VALUES (1), (2)", "DROP TABLE " + name}, changed
	case 2, 3:
		if len(ids) == 0 {
			break
		}
		id := ids[random.IntN(len(ids))]
		changed[id] = -1
		return []string{fmt.Sprintf("DELETE FROM game WHERE id = %d", id)}, changed
	case 4, 5, 6:
		if len(ids) == 0 {
			break
		}
		statements = append(statements, "BEGIN")
		for range 1 + random.IntN(5) {
			id := ids[random.IntN(len(ids))]
			changed[id] = random.IntN(1000)
			statements = append(statements, fmt.Sprintf("UPDATE game SET n = %d WHERE id = %d", changed[id], id))
		}
		return append(statements, "COMMIT"), changed
	case 7: // every row
		if len(ids) > fewRows {
			for _, id := range ids[:len(ids)/2] {
				changed[id] = -1
			}
			return []string{fmt.Sprintf("DELETE FROM game WHERE id <= %d", ids[len(ids)/2-1])}, changed
		}
		for _, id := range ids {
			changed[id] = g.model[id] + 1
		}
		return []string{"UPDATE game SET n = n + 1"}, changed
	}
	return []string{"INSERT INTO game VALUES " + insert()}, changed
}

// disturb does something at random that a DBA or a crash would.
func (g *game) disturb(ctx context.Context) {
	GinkgoHelper()
	i := g.random.IntN(len(g.Nodes))
	switch g.random.IntN(5) {
	case 0, 1:
		suitekit.NoFault(g.at(i).Exec(ctx, "FLUSH BINARY LOGS"))
	case 2:
		if i > 0 {
			suitekit.NoFault(g.at(i).StopSQLThread(ctx, ""))
			suitekit.NoFault(g.at(i).StartSQLThread(ctx, ""))
		}
	case 3:
		if i > 0 {
			suitekit.NoFault(g.at(i).StopReplica(ctx, ""))
			suitekit.NoFault(g.at(i).StartReplica(ctx, ""))
		}
	}
}

// relocate moves a random replica below a random server that is not below it, and checks that everything
// converges. why is the refusal, "" when it was moved; gtid is 1 when the answer was compared with GTID.
func (g *game) relocate(ctx context.Context) (why string, gtid int) {
	GinkgoHelper()
	for range stepsBetween {
		g.disturb(ctx)
	}
	replica := 1 + g.random.IntN(len(g.Nodes)-1)
	target := g.random.IntN(len(g.Nodes))
	for g.isBelow(target, replica) {
		target = g.random.IntN(len(g.Nodes))
	}
	err := g.scene.relocate(ctx, replica, target, pseudogtid.Matcher{})
	var refusal *pseudogtid.RefusalError
	switch {
	case errors.As(err, &refusal):
		AddReportEntry("refused", refusal.Error())
		Expect(refusal.Why).NotTo(Equal(pseudogtid.Diverged), "%s: nobody has written anywhere but on the primary: %s below %s: %s",
			g.names, g.Nodes[replica].Name, g.Nodes[target].Name, refusal)
		why = refusal.Why.String()
	default:
		Expect(err).NotTo(HaveOccurred(), "%s: %s below %s", g.names, g.Nodes[replica].Name, g.Nodes[target].Name)
	}
	g.mu.Lock() // the writer rests
	defer g.mu.Unlock()
	select {
	case err := <-g.done:
		suitekit.NoFault(errors.Join(errors.New("the writer ended"), err))
	default:
	}
	Expect(g.catchUp(ctx)).To(Succeed(), "%s: after %s below %s", g.names, g.Nodes[replica].Name, g.Nodes[target].Name)
	for i := range g.Nodes {
		Expect(g.content(ctx, i)).To(Equal(g.model), "%s: a wrong answer: %s after %s below %s", g.names, g.Nodes[i].Name, g.Nodes[replica].Name, g.Nodes[target].Name)
	}
	return why, g.checkGTID(ctx, replica, target)
}

// isBelow says whether one server replicates from another, at first or second hand; or is it.
func (g *game) isBelow(i, above int) bool {
	for {
		if i == above {
			return true
		}
		from, ok := g.source[i]
		if !ok {
			return false
		}
		i = from
	}
}

// checkGTID matches once more, now that both have everything, and compares with what GTIDs say.
func (g *game) checkGTID(ctx context.Context, replica, target int) int {
	GinkgoHelper()
	executed, err := logged(ctx, g.at(replica))
	suitekit.NoFault(err)
	if executed == "" {
		return 0
	}
	at, err := pseudogtid.Match(ctx, g.at(replica), g.at(target))
	var refusal *pseudogtid.RefusalError
	if errors.As(err, &refusal) {
		return 0 // counted above, where it refuses a move
	}
	suitekit.NoFault(err)
	there, err := executedAt(ctx, g.at(target), at)
	suitekit.NoFault(err)
	Expect(there).To(Equal(executed), "%s: GTIDs that precede %s on %s", g.names, at, g.Nodes[target].Name)
	return 1
}

// logged are the GTIDs of a server's binary log. MariaDB says of what it has executed only after it has said that
// the position is reached (Relay_log_info::stmt_done in its sql/rpl_rli.cc).
func logged(ctx context.Context, s *server.Server) (string, error) {
	if s.Dialect.GTID == flavor.GTIDMariaDB {
		return s.Variable(ctx, "gtid_binlog_pos")
	}
	return s.GTIDExecuted(ctx)
}

func (g *game) content(ctx context.Context, i int) (map[int]int, error) {
	rows, err := g.at(i).DB.QueryContext(ctx, "SELECT id, n FROM shop.game")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[int]int{}
	for rows.Next() {
		var id, n int
		if err := rows.Scan(&id, &n); err != nil {
			return nil, err
		}
		found[id] = n
	}
	return found, rows.Err()
}

// Close stops the writer before the servers go.
func (g *game) Close() error {
	g.writing()
	return errors.Join(<-g.done, g.scene.Close())
}
