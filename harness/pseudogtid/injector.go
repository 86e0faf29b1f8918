package pseudogtid

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mysqlmatrix/harness/server"
)

// Injector writes entries at an interval.
type Injector struct {
	cancel context.CancelFunc
	group  sync.WaitGroup
	mu     sync.Mutex
	err    error
}

// StartInjector injects until Stop is called. A server that cannot be written to ends it with an error.
func StartInjector(ctx context.Context, s *server.Server, interval time.Duration) *Injector {
	return StartInjectorBy(ctx, s, interval, time.Now)
}

// StartInjectorBy is StartInjector with a clock of the caller's.
func StartInjectorBy(ctx context.Context, s *server.Server, interval time.Duration, now func() time.Time) *Injector {
	ctx, cancel := context.WithCancel(ctx)
	i := &Injector{cancel: cancel}
	i.group.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			if _, err := InjectAt(context.WithoutCancel(ctx), s, now()); err != nil {
				i.mu.Lock()
				defer i.mu.Unlock()
				i.err = err
				return
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return i
}

// Stop ends the injector and says why it had ended before, if it had.
func (i *Injector) Stop() error {
	i.cancel()
	i.group.Wait()
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.err
}

// eventSchema and eventName are where the server's own injector lives.
const (
	eventSchema = "pseudo_gtid"
	eventName   = "inject"
)

// Schedule has a server inject by itself, with its event scheduler, every so many seconds. The event
// replicates, and is disabled on replicas by the server (SLAVESIDE_DISABLED); Resume enables it on one that
// was promoted. Since a statement cannot take a name from an expression, the entry is prepared from text.
func Schedule(ctx context.Context, s *server.Server, every time.Duration) error {
	seconds := max(1, int(every.Seconds()))
	return s.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+eventSchema,
		fmt.Sprintf("CREATE EVENT IF NOT EXISTS %s.%s ON SCHEDULE EVERY %d SECOND STARTS CURRENT_TIMESTAMP ON COMPLETION PRESERVE ENABLE DO %s",
			eventSchema, eventName, seconds, eventBody),
		"SET GLOBAL event_scheduler = ON")
}

// eventBody writes one entry in the injector's format. RAND is asked twice: a double has no 64 random bits.
const eventBody = "BEGIN SET @pseudo_gtid_entry = CONCAT('drop view if exists `" + schema + "`.`_asc:', " +
	"LOWER(CONCAT(LPAD(HEX(UNIX_TIMESTAMP()), 8, '0'), ':', LPAD(HEX(@@server_id), 8, '0'), ':', " +
	"LPAD(HEX(FLOOR(RAND() * 4294967296)), 8, '0'), LPAD(HEX(FLOOR(RAND() * 4294967296)), 8, '0'))), '`'); " +
	"PREPARE pseudo_gtid FROM @pseudo_gtid_entry; EXECUTE pseudo_gtid; DEALLOCATE PREPARE pseudo_gtid; END"

// Resume lets the event of Schedule run on a server that was a replica when the event was made.
func Resume(ctx context.Context, s *server.Server) error {
	return s.Exec(ctx, "ALTER EVENT "+eventSchema+"."+eventName+" ENABLE", "SET GLOBAL event_scheduler = ON")
}

// Unschedule ends it.
func Unschedule(ctx context.Context, s *server.Server) error {
	return s.Exec(ctx, "DROP EVENT IF EXISTS "+eventSchema+"."+eventName)
}
