package flavor

import (
	"slices"
	"testing"
)

func TestProvisioning(t *testing.T) {
	positions := []string{"master-info-repository=TABLE", "relay-log-info-repository=TABLE"}
	fsync := []string{"loose-innodb_flush_method=fsync"}
	for _, c := range []struct {
		flavor  Flavor
		options []string
		rest    Provisioning
	}{
		{Flavor{MySQL, Version{5, 5, 62}}, nil, Provisioning{ServerUUID: true}},
		{Flavor{MySQL, Version{5, 6, 0}}, positions, Provisioning{ServerUUID: true}},
		{Flavor{Percona, Version{5, 7, 44}}, positions, Provisioning{ServerUUID: true}},
		{Flavor{MySQL, Version{8, 0, 0}}, nil, Provisioning{ServerUUID: true, GrantsByRole: true}},
		{Flavor{Percona, Version{8, 4, 0}}, fsync, Provisioning{ServerUUID: true, GrantsByRole: true}},
		{Flavor{MySQL, Version{26, 7, 0}}, fsync, Provisioning{ServerUUID: true, GrantsByRole: true}},
		{Flavor{MariaDB, Version{10, 5, 29}}, nil, Provisioning{}},
		{Flavor{MariaDB, Version{10, 6, 0}}, fsync, Provisioning{}},
		{Flavor{MariaDB, Version{11, 3, 2}}, fsync, Provisioning{}},
		{Flavor{MariaDB, Version{11, 4, 0}}, fsync, Provisioning{StartupCertificate: true}},
	} {
		got := c.flavor.Provisioning()
		if !slices.Equal(got.Options, c.options) {
			t.Errorf("%s: options %q, want %q", c.flavor, got.Options, c.options)
		}
		if got.Options = nil; got.StartupCertificate != c.rest.StartupCertificate || got.ServerUUID != c.rest.ServerUUID ||
			got.GrantsByRole != c.rest.GrantsByRole {
			t.Errorf("%s: %+v, want %+v", c.flavor, got, c.rest)
		}
	}
}
