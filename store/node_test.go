package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/fettle-dev/fettle"
)

func node(id string) fettle.Node {
	return fettle.Node{
		Identity: fettle.NodeID(id), Facts: json.RawMessage(`{"n":12345678901234567890,"os":{"name":"Debian <12>"}}`), Hash: "abc", FactsAt: 11,
		Classes: []string{"base", "mysql::master"}, Commands: []string{"check_load"}, Pools: []string{"linux"}, Labels: map[string]string{"rack": "r1"},
		Agent:    fettle.AgentInfo{Version: "1.0", OS: "linux", Arch: "amd64", Plugins: map[string]string{"agent": "1"}},
		Liveness: fettle.Alive, Seen: 12, Enrolled: 10, Session: "s1", Seq: 7,
	}
}

func loadNodes(t *testing.T, s *Store) map[fettle.NodeID]fettle.Node {
	t.Helper()
	all := map[fettle.NodeID]fettle.Node{}
	if err := s.LoadNodes(t.Context(), func(n fettle.Node) error { all[n.Identity] = n; return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func testNodes(t *testing.T, s *Store) {
	a, b := node("a.acme.net"), fettle.Node{Identity: "b", Enrolled: 5}
	commit(t, s, Batch{Nodes: writes(a, b)})
	a.Rev, b.Rev = 1, 1
	wantSame(t, map[fettle.NodeID]fettle.Node{"a.acme.net": a, "b": b}, loadNodes(t, s))

	a.Facts, a.Hash, a.Seq, a.Enrolled = json.RawMessage(`{}`), "def", 8, 99
	commit(t, s, Batch{Nodes: writes(a)})
	a.Rev, a.Enrolled = 2, 10
	wantSame(t, a, must(s.Node(t.Context(), "a.acme.net"))(t))

	a.Seq = 9
	last := a
	last.Seq = 10
	commit(t, s, Batch{Nodes: writes(a, b, last)})
	last.Rev = 4
	wantSame(t, last, must(s.Node(t.Context(), "a.acme.net"))(t))

	_, err := s.Node(t.Context(), "nobody")
	wantKind(t, err, fettle.ErrNotFound)
	stop := errors.New("stop")
	if err := s.LoadNodes(t.Context(), func(fettle.Node) error { return stop }); !errors.Is(err, stop) {
		t.Fatalf("the callback's error was lost: %v", err)
	}
}

func testSeen(t *testing.T, s *Store) {
	a := node("a")
	commit(t, s, Batch{Nodes: writes(a), Seen: []Seen{{"a", fettle.Late, 20}}})
	commit(t, s, Batch{Seen: []Seen{{"a", fettle.Silent, 30}, {"ghost", fettle.Alive, 30}}})
	a.Rev, a.Liveness, a.Seen = 1, fettle.Silent, 30
	wantSame(t, map[fettle.NodeID]fettle.Node{"a": a}, loadNodes(t, s))
}

func testForget(t *testing.T, s *Store) {
	change := []FactChange{{Path: "x", At: 1, New: json.RawMessage("1")}}
	commit(t, s, Batch{
		Nodes:  []NodeWrite{{node("a"), change}, {node("b"), change}},
		States: []fettle.CheckState{{Check: "c", Node: "a"}, {Check: "c", Node: "b"}},
	})
	commit(t, s, Batch{Forget: []fettle.NodeID{"a"}})
	if n := loadNodes(t, s); len(n) != 1 || n["b"].Identity != "b" {
		t.Fatalf("nodes left: %v", n)
	}
	if c := must(s.FactChanges(t.Context(), ChangeQuery{}))(t); len(c) != 1 || c[0].Node != "b" {
		t.Fatalf("changes left: %v", c)
	}
	var left []fettle.NodeID
	_ = s.LoadStates(t.Context(), func(c fettle.CheckState) error { left = append(left, c.Node); return nil })
	wantSame(t, []fettle.NodeID{"b"}, left)
}

func testRename(t *testing.T, s *Store) {
	v := func(text string) json.RawMessage { return json.RawMessage(text) }
	commit(t, s, Batch{
		Nodes: []NodeWrite{
			{node("new"), []FactChange{{Path: "v", At: 30, Old: v("3"), New: v("4")}}},
			{node("old"), []FactChange{{Path: "v", At: 10, Old: v("1"), New: v("2")}}},
			{node("other"), []FactChange{{Path: "v", At: 10, New: v("9")}}},
		},
		States:      []fettle.CheckState{{Check: "both", Node: "old", Output: "old"}, {Check: "both", Node: "new", Output: "new"}, {Check: "one", Node: "old", Output: "old"}},
		Transitions: []Transition{{Check: "one", Node: "old", At: 10, To: fettle.CheckOK}},
	})
	to := node("new")
	to.Enrolled = 5
	err := s.RenameNode(t.Context(), Rename{
		From: "old", To: "new", Node: to, Bridge: []FactChange{{Path: "v", At: 20, Old: v("2"), New: v("3")}},
		Events: []fettle.Event{{Kind: fettle.EventForgotten, Node: "old", At: 40}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var undone []string
	if err := s.UndoFacts(t.Context(), ChangeQuery{Node: "new"}, func(c FactChange) error {
		undone = append(undone, fmt.Sprintf("%d %s→%s", c.At, c.Old, c.New))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	wantSame(t, []string{"30 3→4", "20 2→3", "10 1→2"}, undone)
	if c := must(s.FactChanges(t.Context(), ChangeQuery{}))(t); len(c) != 4 {
		t.Errorf("changes: %v", c)
	}
	if nodes := loadNodes(t, s); len(nodes) != 2 || nodes["new"].Enrolled != 5 || nodes["new"].Rev != 2 {
		t.Errorf("nodes: %v", nodes)
	}
	states := map[string]string{}
	_ = s.LoadStates(t.Context(), func(c fettle.CheckState) error { states[c.Check+" "+string(c.Node)] = c.Output; return nil })
	wantSame(t, map[string]string{"both new": "new", "one new": "old"}, states)
	if tr := must(s.Transitions(t.Context(), TransitionQuery{Node: "new"}))(t); len(tr) != 1 || tr[0].Check != "one" {
		t.Errorf("transitions: %v", tr)
	}
	if err := s.RenameNode(t.Context(), Rename{From: "new", To: "newer", Node: node("newer")}); err != nil {
		t.Fatal(err)
	}
	if c := must(s.FactChanges(t.Context(), ChangeQuery{Node: "newer"}))(t); len(c) != 3 {
		t.Errorf("changes under a name that was not known: %v", c)
	}
}

func testChanges(t *testing.T, s *Store) {
	one, two := json.RawMessage(`1`), json.RawMessage(`"zwei"`)
	commit(t, s, Batch{Nodes: []NodeWrite{
		{node("a"), []FactChange{{Path: "os.release.major", At: 10, New: one}, {Path: "osx", At: 10, New: one}}},
		{node("b"), []FactChange{{Path: "os", At: 10, New: one}}},
	}})
	commit(t, s, Batch{Nodes: []NodeWrite{{node("a"), []FactChange{{Path: "os.release.major", At: 20, Old: one, New: two}, {Path: "osx", At: 20, Old: one}}}}})
	got := must(s.FactChanges(t.Context(), ChangeQuery{Node: "a", Path: "os"}))(t)
	wantSame(t, []FactChange{
		{Node: "a", Path: "os.release.major", At: 20, Old: one, New: two}, {Node: "a", Path: "os.release.major", At: 10, New: one},
	}, unnumbered(got))
	if got[0].Seq <= got[1].Seq {
		t.Fatalf("the newest is not first: %v", got)
	}
	page := must(s.FactChanges(t.Context(), ChangeQuery{Node: "a", Limit: 3}))(t)
	rest := must(s.FactChanges(t.Context(), ChangeQuery{Node: "a", Before: page[2].Seq, Limit: 3}))(t)
	if len(page) != 3 || len(rest) != 1 {
		t.Fatalf("pages of %d and %d changes, want 3 and 1", len(page), len(rest))
	}
	var undone []string
	if ids := must(s.ChangedNodes(t.Context(), 10))(t); len(ids) != 1 || ids[0] != "a" {
		t.Errorf("changed after 10: %v", ids)
	}
	err := s.UndoFacts(t.Context(), ChangeQuery{Since: 10}, func(c FactChange) error {
		undone = append(undone, fmt.Sprintf("%s %s=%s", c.Node, c.Path, c.Old))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, []string{"a osx=1", "a os.release.major=1"}, undone)
}

func unnumbered(cs []FactChange) []FactChange {
	list := append([]FactChange(nil), cs...)
	for i := range list {
		list[i].Seq = 0
	}
	return list
}

func testEvents(t *testing.T, s *Store) {
	body := json.RawMessage(`{"why":"x"}`)
	commit(t, s, Batch{Events: []fettle.Event{{Kind: fettle.EventEnrolled, Node: "a", At: 1}, {Kind: fettle.EventChanged, Node: "b", At: 2, Body: body}}})
	if err := s.AppendEvents(t.Context(), []fettle.Event{{Kind: fettle.EventSilent, Node: "a", At: 3}}); err != nil {
		t.Fatal(err)
	}
	first := must(s.Events(t.Context(), 0, 2))(t)
	rest := must(s.Events(t.Context(), first[1].Seq, 2))(t)
	all := append(first, rest...)
	for i := range all {
		if i > 0 && all[i].Seq <= all[i-1].Seq {
			t.Fatalf("events are out of order: %v", all)
		}
	}
	ofA := must(s.NodeEvents(t.Context(), "a", 0, 0))(t)
	wantSame(t, []fettle.Event{all[2], all[0]}, ofA)
	for i := range all {
		all[i].Seq = 0
	}
	wantSame(t, []fettle.Event{
		{Kind: fettle.EventEnrolled, Node: "a", At: 1}, {Kind: fettle.EventChanged, Node: "b", At: 2, Body: body}, {Kind: fettle.EventSilent, Node: "a", At: 3},
	}, all)
}
