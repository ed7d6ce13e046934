package store

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/fettle-dev/fettle"
)

// testPrune puts one old and one new of everything down and prunes between them.
func testPrune(t *testing.T, s *Store) {
	const old, cutoff, fresh = fettle.Millis(1_000), fettle.Millis(5_000), fettle.Millis(10_000)
	keep := time.Duration(fresh-cutoff) * time.Millisecond
	for id, at := range map[string]fettle.Millis{"old": old, "new": fresh} {
		n := newRun(id, "a", "b")
		n.Roster = &fettle.Roster{ID: id, Nodes: []fettle.NodeID{"a", "b"}, Created: at}
		n.Run.State, n.Run.Ended = fettle.RunEnded, at
		save(t, s, n)
		if err := s.SaveRoster(t.Context(), fettle.Roster{ID: "preview-" + id, Nodes: []fettle.NodeID{"a"}, Created: at}); err != nil {
			t.Fatal(err)
		}
		single := fettle.Task{ID: fettle.TaskID("single-" + id), Node: "a", Expires: at}
		if err := s.SaveTasks(t.Context(), []fettle.Task{single}, at); err != nil {
			t.Fatal(err)
		}
		if err := s.SaveToken(t.Context(), Token{ID: id, Hash: id, Expires: at, Uses: -1}); err != nil {
			t.Fatal(err)
		}
		if err := s.AppendAudit(t.Context(), []AuditEntry{{At: at, Caller: "ann", Body: json.RawMessage(`1`)}}); err != nil {
			t.Fatal(err)
		}
		commit(t, s, Batch{
			Received: at, Results: []fettle.Result{{Task: n.Tasks[0].ID, Node: "a", Run: n.Run.ID}, {Task: single.ID, Node: "a"}},
			Nodes:       []NodeWrite{{node(id), []FactChange{{Path: "x", At: at}}}},
			Output:      []OutputChunk{{Task: "t", Stream: id, Received: at}},
			Transitions: []Transition{{Check: "c", Node: "a", At: at}},
			Events:      []fettle.Event{{Node: "a", At: at}},
			DeadLetters: []DeadLetter{{At: at}},
		})
	}
	going := newRun("going", "a")
	save(t, s, going)
	commit(t, s, Batch{Received: old, Results: []fettle.Result{{Task: "going-0", Node: "a", Run: "going"}}})

	if from := must(s.HistoryFrom(t.Context()))(t); from != 0 {
		t.Fatalf("history begins at %d before anything was pruned", from)
	}
	deleted, err := s.Prune(t.Context(), Retention{}, fresh)
	if err != nil || len(deleted) != 0 {
		t.Fatalf("without retention %v is deleted, error %v", deleted, err)
	}
	all := Retention{FactChanges: keep, Events: keep, Transitions: keep, Runs: keep, Output: keep, Rosters: keep, Audit: keep, DeadLetters: keep, Tokens: keep}
	deleted = must(s.Prune(t.Context(), all, fresh))(t)
	wantSame(t, map[string]int64{
		"fact_changes": 1, "events": 1, "transitions": 1, "audit": 1, "dead_letters": 1, "output_chunks": 1, "results": 2, "tasks": 3, "rosters": 2,
		"roster_parts": 2, "tokens": 1, "runs": 1,
	}, deleted)
	if from := must(s.HistoryFrom(t.Context()))(t); from != cutoff {
		t.Fatalf("history begins at %d, want %d", from, cutoff)
	}
	must(s.Prune(t.Context(), Retention{FactChanges: 2 * keep}, fresh))(t)
	if from := must(s.HistoryFrom(t.Context()))(t); from != cutoff {
		t.Fatalf("history begins at %d after a longer retention, want %d still", from, cutoff)
	}
	if again := must(s.Prune(t.Context(), all, fresh))(t); len(again) != 0 {
		t.Fatalf("a second time %v is deleted", again)
	}
	if _, err := s.Result(t.Context(), "going-0"); err != nil {
		t.Fatalf("an old result of a run that goes on is gone: %v", err)
	}
	if len(loadNodes(t, s)) != 2 || len(must(s.Roster(t.Context(), "new"))(t).Nodes) != 2 || len(must(s.Audit(t.Context(), AuditQuery{}))(t)) != 1 {
		t.Fatal("what is new was pruned")
	}
}

// testPruneMany needs more than one transaction.
func testPruneMany(t *testing.T, s *Store) {
	commit(t, s, Batch{Events: make([]fettle.Event, 2*pruneRows+1)})
	commit(t, s, Batch{Events: []fettle.Event{{Kind: "last", At: 1000}}})
	before := must(s.Events(t.Context(), 0, 1))(t)[0].Seq
	deleted := must(s.Prune(t.Context(), Retention{Events: time.Millisecond}, 2000))(t)
	if deleted["events"] != 2*pruneRows+2 {
		t.Fatalf("deleted are %v", deleted)
	}
	commit(t, s, Batch{Events: []fettle.Event{{Kind: "next"}}})
	if e := must(s.Events(t.Context(), before+2*pruneRows+1, 0))(t); len(e) != 1 {
		t.Fatalf("the event after those that were pruned has a number that was given before: %v", e)
	}
}
