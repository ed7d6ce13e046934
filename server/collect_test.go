package server

import (
	"fmt"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/store/storetest"
	"github.com/fettle-dev/fettle/wire"
)

// collect has a node send a message to a server that does not run yet; its receipt comes on the channel.
func (f *fleet) collect(node fettle.NodeID, kind wire.Type, body any) <-chan error {
	f.t.Helper()
	m, err := wire.Seal(wire.Envelope{Type: kind, From: string(node), At: fettle.MillisOf(f.clock.Now())}, body, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	done := make(chan error, 2) // twice would be a fault, not a hang
	f.Collect(Incoming{Destination: f.dest.Facts(), Message: m, Sender: node, Done: func(err error) { done <- err }})
	return done
}

func TestOneMessageThatCannotBeStored(t *testing.T) {
	f := idleFleet(t, DefaultConfig(), storetest.SQLite(t), newClock())
	const good = 300
	var receipts []<-chan error
	for i := range good {
		receipts = append(receipts, f.collect(fettle.NodeID(fmt.Sprintf("n%d", i)), wire.TypeHello, wire.Hello{Session: session}))
		if i == 100 {
			receipts = append(receipts, f.collect("n1", wire.TypeResults, wire.Results{Session: session, Seq: 1, Results: []fettle.Result{
				{Task: fettle.TaskID(strings.Repeat("x", 100)), Node: "n1"},
			}}))
			receipts = append(receipts, f.collect("n2", wire.TypeTask, fettle.Task{}))
		}
	}
	f.start()
	for i, r := range receipts {
		if err := <-r; err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if n := f.Inventory.Len(); n != good {
		t.Errorf("%d nodes are there, want %d", n, good)
	}
	letters, err := f.Store.DeadLetters(t.Context(), store.LetterQuery{})
	if err != nil || len(letters) != 2 {
		t.Errorf("dead letters: %d, %v", len(letters), err)
	}
	if n := f.meters.deadLetters.Get(); n != 2 {
		t.Errorf("%d dead letters are counted", n)
	}
	if n := f.meters.batches.Get(); n > 30 {
		t.Errorf("it took %d commits to find the one", n)
	}
}

func TestAMessageOnWhichTheServerTrips(t *testing.T) {
	f := idleFleet(t, DefaultConfig(), storetest.SQLite(t), newClock())
	f.Inventory = nil // so that any hello panics
	receipt := f.collect("n1", wire.TypeHello, wire.Hello{Session: session})
	f.start()
	if err := <-receipt; err != nil {
		t.Fatal(err)
	}
	letters, err := f.Store.DeadLetters(t.Context(), store.LetterQuery{})
	if err != nil || len(letters) != 1 || !strings.Contains(letters[0].Reason, "panicked") {
		t.Errorf("dead letters: %+v, %v", letters, err)
	}
}

func TestReceiptsWhenTheServerStops(t *testing.T) {
	f := idleFleet(t, DefaultConfig(), storetest.SQLite(t), newClock())
	receipt := f.collect("n1", wire.TypeHello, wire.Hello{Session: session})
	f.stop()
	if err := <-receipt; err == nil {
		t.Error("receipted, and nothing was stored")
	}
	if err := <-f.collect("n1", wire.TypeHello, wire.Hello{Session: session}); err == nil {
		t.Error("receipted after the end")
	}
}
