package pseudogtid_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"mysqlmatrix/harness/server"
)

var (
	previousGTIDs = regexp.MustCompile(`[0-9a-f-]{36}:[0-9:-]+`)
	nextGTID      = regexp.MustCompile(`GTID_NEXT\s*=\s*'([0-9a-f-]{36}):(\d+)'`)
)

// executedBefore reads the GTID set at coordinates from SHOW BINLOG EVENTS: the previous GTIDs that head the
// file and every GTID event up to them. The harness's servers have one source of GTIDs, so that the
// set is one interval that begins at 1.
func executedBefore(ctx context.Context, s *server.Server, at server.Coordinates) (string, error) {
	events, err := s.Rows(ctx, "SHOW BINLOG EVENTS IN "+server.Quote(at.File))
	if err != nil {
		return "", err
	}
	var set string
	for _, event := range events {
		end, err := strconv.ParseUint(event["End_log_pos"], 10, 64)
		if err != nil {
			return "", fmt.Errorf("End_log_pos %q: %w", event["End_log_pos"], err)
		}
		if end > at.Pos {
			break
		}
		switch event["Event_type"] {
		case "Previous_gtids":
			set = previousGTIDs.FindString(strings.ReplaceAll(event["Info"], "\n", ""))
		case "Gtid":
			match := nextGTID.FindStringSubmatch(event["Info"])
			if match == nil {
				return "", fmt.Errorf("GTID event %q", event["Info"])
			}
			set = match[1] + ":1-" + match[2]
		}
	}
	return set, nil
}
