package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
)

// Refuse cuts everybody who connects as one user off from a server, and nobody else: the account is renamed
// there, and there only, and its connections end. To whoever comes as that user the server is as good as
// gone, though it says so.
type Refuse struct {
	Node *topology.Node
	User string
}

// String is "refuse ", the user, " on " and the node's name.
func (f Refuse) String() string { return "refuse " + f.User + " on " + f.Node.Name }

// refused is what a renamed account is called.
func (f Refuse) refused() string { return f.User + "_refused" }

// Inject returns when the account is gone and no connection of it is left.
func (f Refuse) Inject(ctx context.Context) error {
	if err := rename(ctx, f.Node.Server, f.User, f.refused()); err != nil {
		return fmt.Errorf("%s: %w", f, err)
	}
	return await(ctx, f.String(), func(ctx context.Context) (string, bool, error) {
		left, err := disconnect(ctx, f.Node.Server, f.User)
		return fmt.Sprintf("%d connections", left), err == nil && left == 0, err
	})
}

// Heal returns when the account is there again.
func (f Refuse) Heal(ctx context.Context) error {
	if err := rename(ctx, f.Node.Server, f.refused(), f.User); err != nil {
		return fmt.Errorf("heal: %s: %w", f, err)
	}
	return nil
}

// rename gives all accounts of a user another name, unlogged. It changes nothing when there are none.
func rename(ctx context.Context, s *server.Server, from, to string) error {
	rows, err := s.Rows(ctx, "SELECT Host FROM mysql.user WHERE User = "+server.Quote(from))
	if err != nil || len(rows) == 0 {
		return err
	}
	var pairs []string
	for _, row := range rows {
		host := "@" + server.Quote(row["Host"])
		pairs = append(pairs, server.Quote(from)+host+" TO "+server.Quote(to)+host)
	}
	return s.Unlogged(ctx, "RENAME USER "+strings.Join(pairs, ", "))
}

// disconnect ends a user's connections and says how many there were.
func disconnect(ctx context.Context, s *server.Server, user string) (int, error) {
	rows, err := s.Rows(ctx, "SHOW PROCESSLIST")
	if err != nil {
		return 0, err
	}
	count := 0
	for _, row := range rows {
		if row["User"] != user {
			continue
		}
		count++
		var refusal *mysql.MySQLError
		if err := s.Exec(ctx, "KILL "+row["Id"]); err != nil && !(errors.As(err, &refusal) && refusal.Number == noSuchThread) {
			return count, err
		}
	}
	return count, nil
}

// noSuchThread is the server's error for a connection that has ended meanwhile (ER_NO_SUCH_THREAD).
const noSuchThread = 1094
