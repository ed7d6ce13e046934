package store

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/fettle-dev/fettle"
)

func testJoinTokens(t *testing.T, s *Store) {
	k := JoinToken{ID: "j1", Name: "racks 1-4", Uses: 2, Expires: 9, Pool: "linux", Labels: map[string]string{"dc": "fra"}, Approval: "manual", Created: 1, CreatedBy: "ann"}
	for _, k := range []JoinToken{k, {ID: "j2", Uses: -1}} {
		if err := s.SaveJoinToken(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, s.SaveJoinToken(t.Context(), JoinToken{ID: "j1"}), fettle.ErrConflict)
	if err := s.Enrol(t.Context(), Enrolment{Uses: map[string]int64{"j1": 2, "j2": 1000}}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.Enrol(t.Context(), Enrolment{Uses: map[string]int64{"j1": 1}, Keys: []NodeKey{{ID: "k", Node: "a"}}}), fettle.ErrConflict)
	if keys := loadKeys(t, s); len(keys) != 0 {
		t.Fatalf("a spent token let in %v", keys)
	}
	k.Used, k.Rev = 2, 2
	wantSame(t, []JoinToken{k, {ID: "j2", Uses: -1, Used: 1000, Rev: 2}}, must(s.JoinTokens(t.Context(), "", 0))(t))
	wantSame(t, "j2", must(s.JoinTokens(t.Context(), "j1", 1))(t)[0].ID)
	if err := s.DeleteJoinToken(t.Context(), "j1"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.DeleteJoinToken(t.Context(), "j1"), fettle.ErrNotFound)
	wantKind(t, s.Enrol(t.Context(), Enrolment{Uses: map[string]int64{"j1": 1}}), fettle.ErrConflict)
}

// testSpendRace has many take the last uses of a token at the same time.
func testSpendRace(t *testing.T, s *Store) {
	if err := s.SaveJoinToken(t.Context(), JoinToken{ID: "j", Uses: 3}); err != nil {
		t.Fatal(err)
	}
	in := make(chan bool, 8)
	var wg sync.WaitGroup
	for range cap(in) {
		wg.Go(func() {
			in <- s.Enrol(context.WithoutCancel(t.Context()), Enrolment{Uses: map[string]int64{"j": 1}}) == nil
		})
	}
	wg.Wait()
	close(in)
	n := 0
	for ok := range in {
		if ok {
			n++
		}
	}
	if n != 3 {
		t.Fatalf("%d used a token for three", n)
	}
}

func loadKeys(t *testing.T, s *Store) map[string]NodeKey {
	t.Helper()
	out := map[string]NodeKey{}
	if err := s.LoadNodeKeys(t.Context(), func(k NodeKey) error { out[k.ID] = k; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func testNodeKeys(t *testing.T, s *Store) {
	a := NodeKey{
		ID: "k1", Node: "web1.acme.net", Sign: "c2ln", Seal: "c2VhbA", State: KeyPending, Token: "j1", Machine: "{}", Agent: "1.2", Pool: "linux",
		Labels: map[string]string{"dc": "fra"}, Created: 1,
	}
	b := NodeKey{ID: "k2", Node: "web2.acme.net", Sign: "x", Seal: "y", State: KeyActive, Approved: 3, ApprovedBy: "ann", Rotate: true}
	if err := s.Enrol(t.Context(), Enrolment{Keys: []NodeKey{a, b}}); err != nil {
		t.Fatal(err)
	}
	a.Rev, b.Rev = 1, 1
	wantSame(t, map[string]NodeKey{"k1": a, "k2": b}, loadKeys(t, s))
	a.State, a.Approved = KeyActive, 5
	if err := s.Enrol(t.Context(), Enrolment{Keys: []NodeKey{a}, DropKeys: []string{"k2"}}); err != nil {
		t.Fatal(err)
	}
	a.Rev = 2
	wantSame(t, map[string]NodeKey{"k1": a}, loadKeys(t, s))
	wantKind(t, s.Enrol(t.Context(), Enrolment{Keys: []NodeKey{{ID: "k3"}}}), fettle.ErrInvalid)
}

func testContested(t *testing.T, s *Store) {
	claims := []Contested{
		{Node: "a", Claim: "k9", Machine: "m", Reason: "it is bound to another key", Tries: 1, First: 5, Last: 5},
		{Node: "a", Claim: ContestedSessions, Reason: "two agents", Tries: 3, First: 6, Last: 6},
		{Node: "b", Claim: "k9", Tries: 1, First: 7, Last: 7},
	}
	for range 2 { // a claim stands once
		if err := s.Enrol(t.Context(), Enrolment{Contested: claims}); err != nil {
			t.Fatal(err)
		}
		claims[0].Tries, claims[0].Last = 2, 9
	}
	wantSame(t, claims, must(s.LoadContested(t.Context()))(t))
	if err := s.Enrol(t.Context(), Enrolment{Clear: []fettle.NodeID{"a"}}); err != nil {
		t.Fatal(err)
	}
	wantSame(t, claims[2:], must(s.LoadContested(t.Context()))(t))
}

// testContestedBound has one more claim than are kept.
func testContestedBound(t *testing.T, s *Store) {
	claims := make([]Contested, MaxContested+1)
	for i := range claims {
		claims[i] = Contested{Node: "a", Claim: fmt.Sprint("k", i), Tries: 1, First: 1, Last: fettle.Millis(i + 1)}
	}
	for _, part := range [][]Contested{claims[:5000], claims[5000:]} {
		if err := s.Enrol(t.Context(), Enrolment{Contested: part}); err != nil {
			t.Fatal(err)
		}
	}
	kept := must(s.LoadContested(t.Context()))(t)
	if len(kept) != MaxContested {
		t.Fatalf("%d claims are kept", len(kept))
	}
	for _, c := range kept {
		if c.Last == 1 {
			t.Fatal("the oldest claim is still there")
		}
	}
}
