package sandbox

import (
	"fmt"

	"mysqlmatrix/harness/flavor"
)

// Profile is a named set of server options.
type Profile string

// The profiles. The zero value is invalid.
const (
	ProfileFast    Profile = "fast"    // durability off, small buffers: for specs that crash no server
	ProfileDurable Profile = "durable" // every commit on disk: for specs that crash one
	// ProfileLowerCase is fast, and keeps the names of tables in lower case, which MySQL 8.0 takes only when it is initialised.
	ProfileLowerCase Profile = "lower-case"
)

// lowerCase is the option of ProfileLowerCase.
const lowerCase = "lower_case_table_names=1"

// ParseProfile reads a profile's name.
func ParseProfile(s string) (Profile, error) {
	switch p := Profile(s); p {
	case ProfileFast, ProfileDurable, ProfileLowerCase:
		return p, nil
	default:
		return "", fmt.Errorf("profile %q: want %s, %s or %s", s, ProfileFast, ProfileDurable, ProfileLowerCase)
	}
}

// commonOptions keep a server small and quick to start: three of them share a laptop with a compiler.
// loose- stands before what only some servers know.
var commonOptions = []string{
	"skip-name-resolve",
	"innodb_buffer_pool_size=32M",
	"innodb_log_buffer_size=1M",
	"loose-innodb_redo_log_capacity=8M", // MySQL 8.0.30
	"loose-innodb_log_file_size=8M",     // MariaDB, and MySQL before it
	"loose-innodb_use_native_aio=0",     // many servers exhaust the kernel's fs.aio-max-nr
	"loose-performance_schema=OFF",
	"loose-mysqlx=0",
	"loose-innodb_adaptive_hash_index=0",
	"key_buffer_size=1M",
	"max_connections=200",
	"table_open_cache=256",
	"table_definition_cache=400",
	"loose-host_cache_size=0",
	"secure-file-priv=", // distributions compile in a folder that does not exist here
	"loose-temptable_max_ram=4M",
	"loose-max_digest_length=256",
}

func (p Profile) options(f flavor.Flavor) []string {
	options := append([]string(nil), commonOptions...)
	if p == ProfileDurable {
		options = append(options, "innodb_flush_log_at_trx_commit=1", "sync_binlog=1")
	} else {
		options = append(options, "innodb_flush_log_at_trx_commit=0", "sync_binlog=0", "innodb_doublewrite=0")
	}
	if p == ProfileLowerCase {
		options = append(options, lowerCase)
	}
	return append(options, f.Provisioning().Options...)
}
