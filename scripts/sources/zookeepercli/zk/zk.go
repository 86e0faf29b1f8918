// Package zk stands in for the ZooKeeper client of outbrain/zookeepercli, which has moved since orchestrator
// was released. It has what orchestrator calls, and says that ZooKeeper is not built in.
package zk

import "errors"

var errNotBuiltIn = errors.New("ZooKeeper is not built in")

// ZooKeeper is a client that has no servers.
type ZooKeeper struct{}

// NewZooKeeper is a client.
func NewZooKeeper() *ZooKeeper { return &ZooKeeper{} }

// SetServers takes addresses, and does nothing with them.
func (*ZooKeeper) SetServers([]string) {}

// Set always fails.
func (*ZooKeeper) Set(string, []byte) ([]byte, error) { return nil, errNotBuiltIn }

// Create always fails.
func (*ZooKeeper) Create(string, []byte, string, bool) (string, error) { return "", errNotBuiltIn }

// Get always fails.
func (*ZooKeeper) Get(string) ([]byte, error) { return nil, errNotBuiltIn }
