package server

import (
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// lose puts a message among the dead letters, as an earlier version of the server would have refused it.
func (f *fleet) lose(node fettle.NodeID, kind wire.Type, body any, at time.Time) {
	f.t.Helper()
	m, err := wire.Seal(wire.Envelope{Type: kind, From: string(node), At: fettle.MillisOf(at)}, body, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	l := letter(opened{Incoming: Incoming{Destination: f.dest.Facts(), Message: m, Sender: node}, reason: refusedUnsigned, err: fettle.ErrDenied}, fettle.MillisOf(at))
	if _, err := f.Store.Commit(f.t.Context(), &store.Batch{DeadLetters: []store.DeadLetter{l}}); err != nil {
		f.t.Fatal(err)
	}
}

func TestReplayDeadLetters(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.lose("web1", wire.TypeHello, wire.Hello{Session: session}, f.clock.Now())
	f.lose("web2", wire.TypeTask, fettle.Task{}, f.clock.Now()) // no node may send that
	f.lose("web3", wire.TypeHello, wire.Hello{Session: session}, f.clock.Now())
	letters, err := f.DeadLetters(t.Context(), LetterQuery{})
	if err != nil || len(letters) != 3 {
		t.Fatalf("%d letters, %v", len(letters), err)
	}

	t.Run("by number: one is taken, one is refused and stays", func(t *testing.T) {
		sum, err := f.ReplayDeadLetters(t.Context(), LetterPick{Seqs: []int64{letters[2].Seq, letters[1].Seq, 999}}, "ann")
		if err != nil || sum.Taken != 1 || len(sum.Refused) != 2 {
			t.Fatalf("%+v, %v", sum, err)
		}
		if !strings.Contains(sum.Refused[1].Reason, "999") || sum.Refused[0].Seq != letters[1].Seq || !strings.Contains(sum.Refused[0].Reason, "not expected") {
			t.Errorf("refused are %+v", sum.Refused)
		}
		if _, known := f.Inventory.Get("web1"); !known {
			t.Error("what was taken had no effect")
		}
		left, err := f.DeadLetters(t.Context(), LetterQuery{})
		if err != nil || len(left) != 2 || left[0].Seq != letters[0].Seq || left[1].Seq != letters[1].Seq {
			t.Errorf("left are %+v, %v", left, err)
		}
	})
	t.Run("all that match", func(t *testing.T) {
		sum, err := f.ReplayDeadLetters(t.Context(), LetterPick{Match: &LetterQuery{Sender: "web3"}}, "ann")
		if err != nil || sum.Taken != 1 || len(sum.Refused) != 0 {
			t.Errorf("%+v, %v", sum, err)
		}
	})
	t.Run("delete all that match", func(t *testing.T) {
		n, err := f.DeleteDeadLetters(t.Context(), LetterPick{Match: &LetterQuery{Kind: refusedUnsigned}}, "ann")
		if err != nil || n != 1 {
			t.Errorf("%d, %v", n, err)
		}
	})
}

func TestReplayOfALetterThatIsNotWhole(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.lose("web1", wire.TypeFacts, wire.Facts{Session: session, Full: []byte(`{"a":"` + strings.Repeat("x", 70_000) + `"}`)}, f.clock.Now())
	if _, err := f.Store.Commit(t.Context(), &store.Batch{DeadLetters: []store.DeadLetter{{Body: []byte("{}"), Size: store.MaxDeadBody + 1}}}); err != nil {
		t.Fatal(err)
	}
	sum, err := f.ReplayDeadLetters(t.Context(), LetterPick{Match: &LetterQuery{}}, "ann")
	if err != nil || sum.Taken+len(sum.Refused) != 2 || len(sum.Refused) == 0 {
		t.Fatalf("%+v, %v", sum, err)
	}
	if why := sum.Refused[len(sum.Refused)-1].Reason; !strings.Contains(why, "cannot be replayed") || !strings.Contains(why, "of its 65537 bytes the first 2 are kept") {
		t.Errorf("the reason is %q", why)
	}
}

func TestAReplayedNodeDoesNotLookAlive(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.join("web1", `{"a":1}`)
	f.join("web2", `{"a":1}`)
	f.lose("web1", wire.TypeBeat, wire.Beat{Session: session}, f.clock.Now())
	heard := func() time.Time {
		f.presence.mu.Lock()
		defer f.presence.mu.Unlock()
		return f.presence.last["web1"].at
	}
	before := heard()
	f.clock.add(time.Hour)
	sum, err := f.ReplayDeadLetters(t.Context(), LetterPick{Match: &LetterQuery{}}, "ann")
	if err != nil || sum.Taken != 1 {
		t.Fatalf("%+v, %v", sum, err)
	}
	if after := heard(); after.Sub(before) > time.Minute {
		t.Errorf("it was heard at %s, and then at %s", before, after)
	}
}

func TestShowDeadLetter(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.lose("web1", wire.TypeHello, wire.Hello{Session: session}, f.clock.Now())
	if _, err := f.Store.Commit(t.Context(), &store.Batch{DeadLetters: []store.DeadLetter{{Body: []byte("\x00\xff")}}}); err != nil {
		t.Fatal(err)
	}
	list, err := f.DeadLetters(t.Context(), LetterQuery{})
	if err != nil || len(list) != 2 {
		t.Fatal(len(list), err)
	}
	if _, env, err := f.DeadLetter(t.Context(), list[1].Seq); err != nil || env.Fault != "" || env.From != "web1" || env.Type != string(wire.TypeHello) {
		t.Errorf("%+v, %v", env, err)
	}
	if _, env, err := f.DeadLetter(t.Context(), list[0].Seq); err != nil || env.Fault == "" {
		t.Errorf("%+v, %v", env, err)
	}
}
