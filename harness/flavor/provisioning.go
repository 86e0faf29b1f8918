package flavor

// Provisioning is what package sandbox has to know about a server to set one up.
type Provisioning struct {
	// Options are lines for [mysqld] that this flavor needs besides those of all servers.
	Options []string
	// StartupCertificate says that a server makes a TLS certificate whenever it starts, unless it is given one.
	StartupCertificate bool
	// ServerUUID says that a server is identified by a UUID, in auto.cnf.
	ServerUUID bool
	// GrantsByRole says that dbdeployer grants privileges by a role only, which SHOW GRANTS does not unfold and gh-ost does not see.
	GrantsByRole bool
}

// Provisioning is how a server of the flavor is set up.
func (f Flavor) Provisioning() Provisioning {
	p := Provisioning{
		StartupCertificate: f.MinMariaDB(11, 4, 0),
		ServerUUID:         !f.IsMariaDB(),
		GrantsByRole:       f.MinMySQL(8, 0, 0),
	}
	if f.MinMySQL(8, 4, 0) || f.MinMariaDB(10, 6, 0) {
		// Their default, O_DIRECT, bypasses the page cache: a copied server's pages would be written to the disk and read from
		// there before it answers. A killed process loses nothing that it wrote to the page cache.
		p.Options = append(p.Options, "loose-innodb_flush_method=fsync")
	}
	if f.MinMySQL(5, 6, 0) && !f.MinMySQL(8, 0, 0) {
		// Crash-safe positions. Later versions keep them in tables by default.
		p.Options = append(p.Options, "master-info-repository=TABLE", "relay-log-info-repository=TABLE")
	}
	return p
}
