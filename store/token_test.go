package store

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"github.com/fettle-dev/fettle"
)

func testTokens(t *testing.T, s *Store) {
	k := Token{ID: "t1", Hash: "h1", Kind: TokenAPI, Name: "ann's", Role: "admin", Scopes: []string{"read"}, Created: 1, Expires: 100, Uses: -1}
	for _, k := range []Token{k, {ID: "t2", Hash: "h2", Kind: TokenLogin, Uses: 1}} {
		if err := s.SaveToken(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	k.Rev = 1
	wantSame(t, k, must(s.TokenByHash(t.Context(), TokenAPI, "h1", 99))(t))
	wantSame(t, k, must(s.UseToken(t.Context(), TokenAPI, "h1", 99))(t))
	for _, c := range []struct {
		kind TokenKind
		hash string
		now  fettle.Millis
	}{{TokenAPI, "h1", 100}, {TokenAPI, "h9", 1}, {TokenLogin, "h1", 1}} {
		_, err := s.TokenByHash(t.Context(), c.kind, c.hash, c.now)
		wantKind(t, err, fettle.ErrNotFound)
	}
	must(s.UseToken(t.Context(), TokenLogin, "h2", 1))(t)
	_, err := s.UseToken(t.Context(), TokenLogin, "h2", 1)
	wantKind(t, err, fettle.ErrNotFound)
	wantKind(t, s.SaveToken(t.Context(), Token{ID: "t3", Hash: "h1"}), fettle.ErrConflict)
	wantSame(t, []Token{k}, must(s.Tokens(t.Context(), TokenAPI, "", 0))(t))
	if got := must(s.Tokens(t.Context(), "", "t1", 0))(t); len(got) != 1 || got[0].ID != "t2" {
		t.Fatalf("tokens after t1: %v", got)
	}
	if err := s.DeleteToken(t.Context(), "t1"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.DeleteToken(t.Context(), "t1"), fettle.ErrNotFound)
}

func testLoginRace(t *testing.T, s *Store) {
	if err := s.SaveToken(t.Context(), Token{ID: "l", Hash: "h", Kind: TokenLogin, Uses: 1}); err != nil {
		t.Fatal(err)
	}
	in := make(chan bool, 8)
	var wg sync.WaitGroup
	for range cap(in) {
		wg.Go(func() {
			_, err := s.UseToken(t.Context(), TokenLogin, "h", 1)
			if err != nil && !errors.Is(err, fettle.ErrNotFound) {
				t.Error(err)
			}
			in <- err == nil
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
	if n != 1 {
		t.Fatalf("%d got in by one link", n)
	}
}

func testSettings(t *testing.T, s *Store) {
	_, _, err := s.Setting(t.Context(), "instance")
	wantKind(t, err, fettle.ErrNotFound)
	if rev := must(s.SetSetting(t.Context(), "instance", "one", 0))(t); rev != 1 {
		t.Fatalf("rev is %d", rev)
	}
	_, err = s.SetSetting(t.Context(), "instance", "two", 0)
	wantKind(t, err, fettle.ErrConflict)
	must(s.SetSetting(t.Context(), "instance", "two", 1))(t)
	_, err = s.SetSetting(t.Context(), "instance", "three", 1)
	wantKind(t, err, fettle.ErrConflict)
	v, rev, err := s.Setting(t.Context(), "instance")
	if v != "two" || rev != 2 || err != nil {
		t.Fatalf("setting is %q rev %d, error %v", v, rev, err)
	}
}

func testSavedFilters(t *testing.T, s *Store) {
	f := SavedFilter{Name: "prod", Filter: `facts.env == "prod"`, Description: "all of it", Owner: "ann", Updated: 4}
	f.Rev = must(s.SaveFilter(t.Context(), f))(t)
	_, err := s.SaveFilter(t.Context(), SavedFilter{Name: "prod"})
	wantKind(t, err, fettle.ErrConflict)
	f.Filter = "true"
	stale := f
	f.Rev = must(s.SaveFilter(t.Context(), f))(t)
	_, err = s.SaveFilter(t.Context(), stale)
	wantKind(t, err, fettle.ErrConflict)
	must(s.SaveFilter(t.Context(), SavedFilter{Name: "test"}))(t)
	wantSame(t, []SavedFilter{f}, must(s.SavedFilters(t.Context(), "", 1))(t))
	wantSame(t, []SavedFilter{{Name: "test", Rev: 1}}, must(s.SavedFilters(t.Context(), "prod", 0))(t))
	if err := s.DeleteFilter(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.DeleteFilter(t.Context(), "test"), fettle.ErrNotFound)
}

func testAudit(t *testing.T, s *Store) {
	list := []AuditEntry{{At: 1, Caller: "ann", Action: "run", Subject: "r1", Body: json.RawMessage(`{"a":1}`)}, {At: 2, Caller: "bob", Action: "login"}}
	if err := s.AppendAudit(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	newest := must(s.Audit(t.Context(), AuditQuery{Limit: 1}))(t)
	rest := must(s.Audit(t.Context(), AuditQuery{Before: newest[0].Seq, Limit: 1}))(t)
	list[1].Seq, list[0].Seq = newest[0].Seq, rest[0].Seq
	wantSame(t, []AuditEntry{list[1], list[0]}, append(newest, rest...))
}
