package main

import (
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/test/sample"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

func newNode(t *testing.T) *node {
	t.Helper()
	keys, err := trust.NewNodeKeys()
	if err != nil {
		t.Fatal(err)
	}
	n := &node{id: "press-1", keys: keys, session: wire.NewID(), factsSeq: 1}
	for turn := range turns {
		doc, err := turned(sample.NewFleet().Node(1, 0).Facts, turn)
		if err != nil {
			t.Fatal(err)
		}
		n.docs = append(n.docs, doc)
	}
	for k, doc := range n.docs {
		n.patches = append(n.patches, wire.Diff(doc, n.docs[(k+1)%turns]))
	}
	return n
}

// open verifies a message as the server does.
func (n *node) open(t *testing.T, m message, body any) {
	t.Helper()
	env, err := wire.Open(m.Message, wire.KeyRing{n.keys.ID(): {Owner: string(n.id), Key: n.keys.SignPublic()}}, 0)
	if err == nil {
		err = env.Decode(body)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestPatchesFollowEachOther(t *testing.T) {
	n := newNode(t)
	now := n.docs[0]
	for i := range 2*turns + 1 {
		m, err := n.patch()
		if err != nil {
			t.Fatal(err)
		}
		var f wire.Facts
		n.open(t, m, &f)
		if len(f.Patch.Set) != 5 || f.Seq != int64(i+2) {
			t.Fatalf("patch %d sets %d leaves, and has the number %d", i, len(f.Patch.Set), f.Seq)
		}
		if now, _, err = wire.Apply(now, *f.Patch); err != nil {
			t.Fatalf("patch %d: %v", i, err)
		}
	}
}

func TestResultsGoRoundTheChecks(t *testing.T) {
	n := newNode(t)
	seen, bad := map[string]bool{}, 0
	for range 400 {
		m, err := n.report(5, map[string]int64{"c3": 7})
		if err != nil {
			t.Fatal(err)
		}
		var r wire.Results
		n.open(t, m, &r)
		for _, one := range r.Results {
			seen[one.Check] = true
			if one.Output.Code != fettle.CodeOK {
				bad++
			}
			if one.Check == "c3" && one.CheckRev != 7 {
				t.Fatal("a result has no revision")
			}
		}
	}
	if len(seen) != checks || bad == 0 || bad > 100 {
		t.Errorf("%d checks, and %d of 2000 results are bad", len(seen), bad)
	}
}

func TestPart(t *testing.T) {
	all := []time.Duration{5, 1, 4, 2, 3}
	if a, b, c := part(all, 50), part(all, 99), part(nil, 50); a != 3 || b != 4 || c != 0 {
		t.Errorf("got %d, %d, %d", a, b, c)
	}
}
