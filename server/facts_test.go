package server

import (
	"errors"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

func TestFactsOfNodes(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	doc := f.join("n1", `{"os":{"family":"Debian"},"cores":4,"system_uptime":{"seconds":10}}`)

	t.Run("a node that said hello is asked for its facts, and found by them", func(t *testing.T) {
		welcome := of[wire.Welcome](t, f.mail, "n1", wire.TypeWelcome)
		if len(welcome) != 1 || !welcome[0].NeedFacts || welcome[0].BeatMS != 30_000 {
			t.Errorf("welcome: %+v", welcome)
		}
		if f.matched(`facts.os.family == "Debian"`) != 1 {
			t.Error("not found")
		}
	})
	next, err := wire.Canonical([]byte(`{"os":{"family":"Debian"},"cores":8,"system_uptime":{"seconds":99}}`))
	if err != nil {
		t.Fatal(err)
	}
	patch := wire.Diff(doc, next)
	t.Run("a patch changes what it says, and its history is kept without what is volatile", func(t *testing.T) {
		f.say("n1", wire.TypeFacts, wire.Facts{Session: session, Seq: f.next("n1"), Patch: &patch})
		if f.matched(`facts.cores == 8`) != 1 {
			t.Error("not found")
		}
		changes, err := f.Store.FactChanges(t.Context(), store.ChangeQuery{Node: "n1"})
		if err != nil || len(changes) != 1 || changes[0].Path != "cores" || string(changes[0].Old) != "4" || string(changes[0].New) != "8" {
			t.Errorf("history: %+v, %v", changes, err)
		}
	})
	t.Run("a message that comes again changes nothing", func(t *testing.T) {
		f.say("n1", wire.TypeFacts, wire.Facts{Session: session, Seq: 1, Full: doc.Raw, Hash: doc.Hash})
		if f.matched(`facts.cores == 8`) != 1 {
			t.Error("an old document came back")
		}
	})
	t.Run("a patch that fits nothing has the full document asked for", func(t *testing.T) {
		other, err := wire.Canonical([]byte(`{"a":1}`))
		if err != nil {
			t.Fatal(err)
		}
		lost := wire.Diff(other, doc)
		f.say("n1", wire.TypeFacts, wire.Facts{Session: session, Seq: f.next("n1"), Patch: &lost})
		f.eventually("the document is asked for", func() bool { return len(of[wire.Ask](t, f.mail, "n1", wire.TypeAsk)) == 1 })
	})
	t.Run("a beat that crosses a change says nothing, because its sender could not know", func(t *testing.T) {
		f.say("n1", wire.TypeBeat, wire.Beat{Session: session, FactsHash: doc.Hash})
		f.say("n1", wire.TypeHello, wire.Hello{Session: session, FactsHash: patch.Result}) // answered after anything that the beat gave rise to
		f.eventually("hello is answered", func() bool { return len(of[wire.Welcome](t, f.mail, "n1", wire.TypeWelcome)) == 2 })
		if n := len(of[wire.Ask](t, f.mail, "n1", wire.TypeAsk)); n != 1 {
			t.Errorf("asked %d times in all, want the one of before", n)
		}
	})
	t.Run("a beat with another hash has the full document asked for", func(t *testing.T) {
		f.clock.add(f.cfg.Beat)
		f.say("n1", wire.TypeBeat, wire.Beat{Session: session, FactsHash: "other"})
		f.eventually("the document is asked for", func() bool { return len(of[wire.Ask](t, f.mail, "n1", wire.TypeAsk)) == 2 })
	})
}

func TestWhatCanNeverBeRight(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.join("n1", `{"a":1}`)
	seal := func(from string, kind wire.Type, body any) wire.Message {
		m, err := wire.Seal(wire.Envelope{Type: kind, From: from, At: fettle.MillisOf(f.clock.Now())}, body, nil)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for name, row := range map[string]struct {
		message wire.Message
		reason  string
	}{
		"garbage":               {wire.Message{Body: []byte("\x00garbage")}, "open"},
		"another's name":        {seal("n2", wire.TypeBeat, wire.Beat{Session: session}), "in the name of"},
		"a type for nodes":      {seal("n1", wire.TypeTask, fettle.Task{}), "not expected"},
		"a hash that is wrong":  {seal("n1", wire.TypeFacts, wire.Facts{Session: session, Seq: 50, Full: []byte(`{"a":2}`), Hash: "x"}), "hashes to"},
		"another node's result": {seal("n1", wire.TypeResults, wire.Results{Results: []fettle.Result{{Task: "t", Node: "n2"}}}), "n2"},
	} {
		t.Run(name+" is receipted and kept as a dead letter", func(t *testing.T) {
			if err := f.deliver("n1", row.message); err != nil {
				t.Fatalf("no receipt: %v", err)
			}
			letters, err := f.Store.DeadLetters(t.Context(), store.LetterQuery{Limit: 1})
			if err != nil || len(letters) != 1 || !strings.Contains(letters[0].Reason, row.reason) {
				t.Errorf("dead letters: %+v, %v; want %q in the reason", letters, err, row.reason)
			}
		})
	}
	if f.matched(`facts.a == 1`) != 1 {
		t.Error("the node's facts are not what they were")
	}
}

func TestAStoreThatIsAway(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.join("n1", `{"a":1}`)
	if err := f.Store.Close(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	m, err := wire.Seal(wire.Envelope{Type: wire.TypeHello, From: "n2", At: fettle.MillisOf(f.clock.Now())}, wire.Hello{Session: session}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.Collect(Incoming{Destination: f.dest.Facts(), Message: m, Done: func(err error) { done <- err }})
	f.eventually("the commit is tried", func() bool { return f.meters.commitErrors.Get() > 0 })
	select {
	case err := <-done:
		t.Fatalf("receipted, or refused, with %v", err)
	default:
	}
	f.stop()
	if err := <-done; !errors.Is(err, errStopping) {
		t.Errorf("at the end: %v", err)
	}
	if _, known := f.Inventory.Get("n2"); known {
		t.Error("what is not on disk took effect")
	}
}

func TestStoredFactsThatAreDamaged(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	doc := f.join("n1", `{"a":1}`)
	f.join("n2", `{"a":1}`)
	n, _ := f.Inventory.Get("n1")
	n.Facts = []byte(`{"a":`)
	if _, err := f.Store.Commit(t.Context(), &store.Batch{Nodes: []store.NodeWrite{{Node: n}}}); err != nil {
		t.Fatal(err)
	}
	f.stop()
	g := openFleet(t, DefaultConfig(), f.dsn, f.clock)
	if got := g.matched(`facts.a == 1`); got != 1 {
		t.Errorf("%d nodes are found, want the other one", got)
	}
	g.say("n1", wire.TypeHello, wire.Hello{Session: session, FactsHash: doc.Hash})
	g.eventually("it is asked for its facts", func() bool {
		welcome := of[wire.Welcome](t, g.mail, "n1", wire.TypeWelcome)
		return len(welcome) == 1 && welcome[0].NeedFacts
	})
}
