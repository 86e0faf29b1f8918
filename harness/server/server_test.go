package server

import "testing"

// A replica's source is reached with the replica's account, and is another server: to ask for the replica's data directory
// there would call every source a stranger.
func TestOtherServerHasNoDataDirectory(t *testing.T) {
	own := Endpoint{Host: "127.0.0.1", Port: 3306, User: "u", Password: "p", DataDir: "/data"}
	want := Endpoint{Host: "db2", Port: 3307, User: "u", Password: "p"}
	if got := own.Other("db2", 3307); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
