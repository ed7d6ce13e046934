package store

import (
	"encoding/json"
	"testing"

	"github.com/fettle-dev/fettle"
)

func testUsers(t *testing.T, s *Store) {
	_, err := s.User(t.Context(), "ann")
	wantKind(t, err, fettle.ErrNotFound)
	ann := User{Name: "ann", Hash: "$argon2id$…", Role: "operator", Groups: []string{"dba", "release"}, Source: "local", Created: 1, Changed: 2}
	if rev := must(s.SaveUser(t.Context(), ann))(t); rev != 1 {
		t.Fatalf("rev is %d", rev)
	}
	_, err = s.SaveUser(t.Context(), ann)
	wantKind(t, err, fettle.ErrConflict)
	ann.Rev = 1
	wantSame(t, ann, must(s.User(t.Context(), "ann"))(t))

	ann.Role, ann.Seen, ann.Disabled, ann.Groups = "viewer", 3, 4, nil
	if rev := must(s.SaveUser(t.Context(), ann))(t); rev != 2 {
		t.Fatalf("rev is %d", rev)
	}
	_, err = s.SaveUser(t.Context(), ann)
	wantKind(t, err, fettle.ErrConflict)
	_, err = s.SaveUser(t.Context(), User{Name: "bob", Rev: 1})
	wantKind(t, err, fettle.ErrNotFound)
	ann.Rev = 2
	must(s.SaveUser(t.Context(), User{Name: "bob", Role: "viewer", Source: "ldap"}))(t)
	wantSame(t, []User{ann, {Name: "bob", Role: "viewer", Source: "ldap", Rev: 1}}, must(s.Users(t.Context(), "", 0))(t))
	if page := must(s.Users(t.Context(), "ann", 1))(t); len(page) != 1 || page[0].Name != "bob" {
		t.Fatalf("after ann: %v", page)
	}
}

func testUserTokens(t *testing.T, s *Store) {
	must(s.SaveUser(t.Context(), User{Name: "ann", Role: "admin", Source: "local"}))(t)
	for _, k := range []Token{
		{ID: "t1", Hash: "h1", Kind: TokenAPI, Owner: "ann", Account: "ann", Uses: -1},
		{ID: "t2", Hash: "h2", Kind: TokenSession, Account: "ann", Uses: -1},
		{ID: "t3", Hash: "h3", Kind: TokenSession, Account: "ann", Uses: -1},
		{ID: "t4", Hash: "h4", Kind: TokenSession, Owner: "ann", Uses: -1},
	} {
		if err := s.SaveToken(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	if k := must(s.TokenByHash(t.Context(), TokenAPI, "h1", 1))(t); k.Owner != "ann" || k.Account != "ann" {
		t.Fatalf("kept is %+v", k)
	}
	if err := s.DeleteTokensOf(t.Context(), "ann", TokenSession); err != nil {
		t.Fatal(err)
	}
	if ids := tokenIDs(t, s); ids != "t1 t4 " {
		t.Fatalf("after the sessions were ended there are %s", ids)
	}
	wantKind(t, s.DeleteTokensOf(t.Context(), "", TokenSession), fettle.ErrInvalid)
	if err := s.DeleteUser(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	if ids := tokenIDs(t, s); ids != "t4 " {
		t.Fatalf("after the user was deleted there are %s", ids)
	}
	wantKind(t, s.DeleteUser(t.Context(), "ann"), fettle.ErrNotFound)
}

func tokenIDs(t *testing.T, s *Store) (ids string) {
	t.Helper()
	for _, k := range must(s.Tokens(t.Context(), "", "", 0))(t) {
		ids += k.ID + " "
	}
	return ids
}

func testPolicies(t *testing.T, s *Store) {
	p := Policy{Name: "release", Body: json.RawMessage(`{"when":"true"}`), Owner: "ann", Updated: 1}
	if rev := must(s.SavePolicy(t.Context(), p))(t); rev != 1 {
		t.Fatalf("rev is %d", rev)
	}
	p.Body, p.Owner, p.Updated = json.RawMessage(`{"when":"false"}`), "bob", 2
	if rev := must(s.SavePolicy(t.Context(), p))(t); rev != 2 {
		t.Fatalf("rev is %d", rev)
	}
	p.Rev = 2
	must(s.SavePolicy(t.Context(), Policy{Name: "a", Body: json.RawMessage(`{}`)}))(t)
	wantSame(t, []Policy{{Name: "a", Body: json.RawMessage(`{}`), Rev: 1}, p}, must(s.Policies(t.Context(), "", 0))(t))
	wantSame(t, []Policy{p}, must(s.Policies(t.Context(), "a", 1))(t))
	if err := s.DeletePolicy(t.Context(), "release"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.DeletePolicy(t.Context(), "release"), fettle.ErrNotFound)
}

func testRefused(t *testing.T, s *Store) {
	run := fettle.Run{
		ID: "r1", Action: "agent.ping", State: fettle.RunGoing, Tally: fettle.Tally{Roster: 2, Never: 1, Pending: 1},
		Refused: []fettle.Refusal{{Reason: "policy freeze", Count: 1, Nodes: []fettle.NodeID{"web1"}}}, Created: 1, Deadline: 2,
	}
	if err := s.SaveRun(t.Context(), NewRun{Run: run}); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveRun(t.Context(), NewRun{Run: fettle.Run{ID: "r2", State: fettle.RunGoing}}); err != nil {
		t.Fatal(err)
	}
	run.Rev = 1
	wantSame(t, run, must(s.Run(t.Context(), "r1"))(t))
	if r := must(s.Run(t.Context(), "r2"))(t); r.Refused != nil {
		t.Fatalf("refused: %v", r.Refused)
	}
}

func testAuditQuery(t *testing.T, s *Store) {
	var list []AuditEntry
	for i, action := range []string{"token.create", "tokens", "token", "login", "token.delete"} {
		list = append(list, AuditEntry{At: fettle.Millis(i + 1), Caller: []string{"ann", "bob"}[i%2], Action: action})
	}
	if err := s.AppendAudit(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	ask := func(q AuditQuery) (actions string) {
		t.Helper()
		for _, e := range must(s.Audit(t.Context(), q))(t) {
			actions += e.Action + " "
		}
		return actions
	}
	first := must(s.Audit(t.Context(), AuditQuery{Since: 1}))(t)[4].Seq
	for want, q := range map[string]AuditQuery{
		"token.delete token token.create ": {Action: "token"},
		"token.create ":                    {Action: "token.create"},
		"login tokens ":                    {Caller: "bob"},
		"token.delete login ":              {Since: 4},
		"tokens token ":                    {After: first, Limit: 2},
		"token.delete login token tokens ": {Since: 2, Before: first + 10},
		"":                                 {Caller: "ann", Action: "login"},
		"token token.delete ":              {After: first, Caller: "ann"},
		"token.delete login token tokens token.create ": {},
	} {
		if got := ask(q); got != want {
			t.Errorf("%+v gives %q, want %q", q, got, want)
		}
	}
}
