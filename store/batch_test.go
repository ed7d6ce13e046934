package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fettle-dev/fettle"
)

func testDeadLetters(t *testing.T, s *Store) {
	for i := range 5 {
		commit(t, s, Batch{DeadLetters: []DeadLetter{{
			At: fettle.Millis(i), Sender: "x\xff", Destination: "/queue/fettle.facts", Reason: "no JSON", Body: []byte(strings.Repeat("\xff", MaxDeadBody+1)),
		}}})
	}
	got := must(s.DeadLetters(t.Context(), LetterQuery{Limit: 2}))(t)
	rest := must(s.DeadLetters(t.Context(), LetterQuery{Before: got[1].Seq, Limit: 2}))(t)
	if len(got) != 2 || len(rest) != 1 || got[0].At != 4 || rest[0].At != 2 {
		t.Fatalf("%d and %d letters are listed, want those of 4, 3 and 2", len(got), len(rest))
	}
	if l := got[0]; l.Size != MaxDeadBody+1 || len(l.Body) != MaxDeadBody || l.Sender != "x\uFFFD" {
		t.Fatalf("letter of %d bytes from %q has %d", l.Size, l.Sender, len(l.Body))
	}
	if n := must(s.DroppedDeadLetters(t.Context()))(t); n != 2 {
		t.Fatalf("%d are counted as dropped, want 2", n)
	}
	commit(t, s, Batch{DeadLetters: make([]DeadLetter, 9)})
	if n := must(s.DroppedDeadLetters(t.Context()))(t); n != 11 {
		t.Fatalf("%d are counted as dropped, want 11", n)
	}
}

func testDeadLetterQueries(t *testing.T, s *Store) {
	commit(t, s, Batch{DeadLetters: []DeadLetter{
		{At: 1, Sender: "web1", Kind: "denied", Reason: "100% wrong_key", Body: []byte("a"), Header: map[string]string{"fettle-sig": "x:y"}},
		{At: 2, Sender: "web2", Kind: "invalid", Reason: "no JSON", Body: []byte("b"), Header: map[string]string{}},
		{At: 3, Sender: "web1", Kind: "invalid", Reason: "no JSON", Body: []byte("c")},
	}})
	for _, row := range []struct {
		query LetterQuery
		want  string
	}{
		{LetterQuery{}, "cba"},
		{LetterQuery{Sender: "web1"}, "ca"},
		{LetterQuery{Kind: "invalid"}, "cb"},
		{LetterQuery{Since: 2}, "cb"},
		{LetterQuery{Text: "0% W"}, "a"},
		{LetterQuery{Text: "wrong_"}, "a"},
		{LetterQuery{Text: "n_ JSON"}, ""},
		{LetterQuery{Sender: "web1", Kind: "invalid"}, "c"},
	} {
		var got string
		for _, l := range must(s.DeadLetters(t.Context(), row.query))(t) {
			got += string(l.Body)
		}
		if got != row.want {
			t.Errorf("%+v gives %q, want %q", row.query, got, row.want)
		}
	}
	all := must(s.DeadLetters(t.Context(), LetterQuery{}))(t)
	oldest := must(s.DeadLetter(t.Context(), all[2].Seq))(t)
	if oldest.Header["fettle-sig"] != "x:y" || !oldest.Whole() || !all[1].Whole() || all[0].Whole() {
		t.Errorf("headers are not kept: %+v", all)
	}
	if n := must(s.DeleteDeadLetters(t.Context(), []int64{all[0].Seq, all[2].Seq, 999}))(t); n != 2 {
		t.Errorf("%d were deleted, want 2", n)
	}
	if _, err := s.DeadLetter(t.Context(), all[0].Seq); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("one that is deleted gives %v", err)
	}
}

func testPoison(t *testing.T, s *Store) {
	long := strings.Repeat("x", 300)
	for name, b := range map[string]Batch{
		"identity": {Nodes: writes(fettle.Node{Identity: fettle.NodeID(long)})},
		"none":     {Nodes: writes(fettle.Node{})},
		"task":     {Results: []fettle.Result{{Task: fettle.TaskID(long), Node: "a"}}},
		"run":      {Results: []fettle.Result{{Task: "t", Node: "a", Run: fettle.RunID(long)}}},
		"check":    {States: []fettle.CheckState{{Check: long, Node: "a"}}},
		"utf8":     {States: []fettle.CheckState{{Check: "\xff", Node: "a"}}},
		"stream":   {Output: []OutputChunk{{Task: "t", Stream: long}}},
		"data":     {Results: []fettle.Result{{Task: "t", Node: "a", Data: map[string]any{"f": func() {}}}}},
	} {
		b.Seen = []Seen{{"good", fettle.Alive, 1}}
		b.Nodes = append(writes(node("good")), b.Nodes...)
		if _, err := s.Commit(t.Context(), &b); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if n := loadNodes(t, s); len(n) != 0 {
		t.Fatalf("nodes of a refused batch are there: %v", n)
	}
}

func testForeignText(t *testing.T, s *Store) {
	r := result("t")
	r.Message, r.Action = "a\xffb\x00c", "x\xc3"
	n := node("a")
	n.Session = "\xed\xa0\x80"
	commit(t, s, Batch{
		Nodes: []NodeWrite{{n, []FactChange{{Path: "\xff", At: 1}}}}, Results: []fettle.Result{r},
		States: []fettle.CheckState{{Check: "c", Node: "a", Output: "\xff"}}, Output: []OutputChunk{{Task: "t", Stream: "o", Body: "\xff"}},
	})
	if got := must(s.Result(t.Context(), "t"))(t); got.Message != "a\uFFFDb\x00c" || got.Action != "x\uFFFD" {
		t.Fatalf("message is %q, action %q", got.Message, got.Action)
	}
}

func testKeys(t *testing.T, s *Store) {
	for _, name := range []string{"load", "Load", "loàd", "load\u0300"} {
		must(s.SetSetting(t.Context(), name, name, 0))(t)
	}
	for _, name := range []string{"load", "Load", "loàd", "load\u0300"} {
		if v, _, err := s.Setting(t.Context(), name); v != name || err != nil {
			t.Fatalf("setting %q is %q, %v", name, v, err)
		}
	}
}

func testCancel(t *testing.T, s *Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Commit(ctx, &Batch{Nodes: writes(node("a"))})
	wantKind(t, err, context.Canceled)
	if errors.Is(err, fettle.ErrUnavailable) {
		t.Fatalf("the caller's own wish is told as a fault of the store: %v", err)
	}
	commit(t, s, Batch{Nodes: writes(node("a"))})
	ctx, cancel = context.WithCancel(t.Context())
	err = s.LoadNodes(ctx, func(fettle.Node) error { cancel(); return ctx.Err() })
	wantKind(t, err, context.Canceled)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func testDeadline(t *testing.T, s *Store) {
	b := Batch{Events: make([]fettle.Event, 500)}
	for i := range 500 {
		b.Nodes = append(b.Nodes, NodeWrite{Node: bigNode(i)})
	}
	cut := 0
	for limit := 200 * time.Microsecond; ; limit = limit * 3 / 2 {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		_, err := s.Commit(ctx, &b)
		cancel()
		events := len(must(s.Events(t.Context(), 0, 0))(t))
		if err == nil {
			if events != 500 || len(loadNodes(t, s)) != 500 || cut == 0 {
				t.Fatalf("%d events are there after %d cuts and a whole commit, want 500", events, cut)
			}
			return
		}
		wantKind(t, err, fettle.ErrUnavailable)
		if cut++; events != 0 || len(loadNodes(t, s)) != 0 {
			t.Fatalf("%d events and %d nodes of a commit that was cut after %v are there", events, len(loadNodes(t, s)), limit)
		}
	}
}

func testClosed(t *testing.T, s *Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Commit(t.Context(), &Batch{Nodes: writes(node("a"))})
	wantKind(t, err, fettle.ErrUnavailable)
	wantKind(t, s.LoadNodes(t.Context(), func(fettle.Node) error { return nil }), fettle.ErrUnavailable)
	wantKind(t, s.Ping(t.Context()), fettle.ErrUnavailable)
	if !strings.Contains(s.Ping(t.Context()).Error(), s.String()) {
		t.Fatalf("the error does not say where: %v", s.Ping(t.Context()))
	}
}

func testLarge(t *testing.T, s *Store) {
	n := node("a")
	n.Facts = json.RawMessage(`{"x":"` + strings.Repeat(`\"é`, 1<<18) + `"}`)
	var ns []fettle.Node
	for i := range 6 {
		n.Identity = fettle.NodeID(fmt.Sprintf("n%d", i))
		ns = append(ns, n)
	}
	commit(t, s, Batch{Nodes: writes(ns...)})
	for id, got := range loadNodes(t, s) {
		if string(got.Facts) != string(n.Facts) {
			t.Fatalf("facts of %s have %d bytes, want %d", id, len(got.Facts), len(n.Facts))
		}
	}
}

func testConcurrent(t *testing.T, s *Store) {
	const writers, commits = 6, 15
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range commits {
				b := Batch{
					Nodes:  writes(node("shared"), node(fmt.Sprintf("own%d", w)), node(fmt.Sprintf("n%d", (w+i)%writers))),
					Events: []fettle.Event{{Kind: fettle.EventChanged, Node: "shared"}},
					States: []fettle.CheckState{{Check: "c", Node: "shared"}, {Check: "c", Node: fettle.NodeID(fmt.Sprintf("n%d", (w*i)%writers))}},
				}
				if _, err := s.Commit(t.Context(), &b); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range commits {
				if err := s.LoadNodes(t.Context(), func(fettle.Node) error { return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := loadNodes(t, s)["shared"]; n.Rev != writers*commits {
		t.Fatalf("the shared node has rev %d after %d writes", n.Rev, writers*commits)
	}
	if n := len(must(s.Events(t.Context(), 0, 0))(t)); n != writers*commits {
		t.Fatalf("%d events, want %d", n, writers*commits)
	}
}
