package main

import (
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

// A node and its server change their keys, one after the other, and the node answers all the while.
func TestKeysOfNodeAndServerAreRotated(t *testing.T) {
	const node fettle.NodeID = "web01.acme.net"
	f := newFleet(t, acme())
	ping := func() {
		t.Helper()
		f.ask(t, "run", "agent.ping", "-I", string(node)).wants(t, exitOK, "1 ok")
	}
	used := func() string { // the key that secrets are sealed for is the one that the node has signed with
		t.Helper()
		key, err := f.m.nodes.SealKey(node)
		if err != nil {
			t.Fatal(err)
		}
		return string(key)
	}
	before := used()
	ping()
	if !f.m.server.RotateKey(t.Context(), node) {
		t.Fatal("the node is not there")
	}
	eventually(t, func() bool {
		ping()
		return used() != before
	})
	for _, revoke := range []bool{false, true} {
		epoch := f.m.keys.Certificate().Epoch
		if err := f.m.keys.Rotate(revoke); err != nil {
			t.Fatal(err)
		}
		ping()
		if f.m.keys.Certificate().Epoch != epoch+1 {
			t.Error("the server's key is the old one")
		}
	}
}
