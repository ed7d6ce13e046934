package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store/storetest"
	"github.com/fettle-dev/fettle/wire"
)

// TestMemoryFollowsTheStore sends what turns one document into another, as a patch and as a whole, and looks at the node in both places: leaves are
// put into memory by themselves, all else as a whole.
func TestMemoryFollowsTheStore(t *testing.T) {
	documents := []string{
		`{"a":1,"l":[1],"o":{"k":"x"}}`,
		`{"a":2,"l":[1],"o":{"k":"y"}}`,                    // leaves
		`{"a":"2","l":[],"o":{"k":null}}`,                  // of other types
		`{"a":1.50,"l":[{"k":1}],"o":{"k":true}}`,          // of odd spellings
		`{"a":1.50,"b":1,"l":[{"k":1}],"o":{"k":1}}`,       // a new one
		`{"a":1.50,"l":[{"k":1}],"o":{"k":2}}`,             // one less
		`{"a":1.50,"l":{},"o":{"k":2}}`,                    // a list becomes an empty object
		`{"a":1.50,"l":{"m":1},"o":{"k":2}}`,               // which gets members
		`{"a":1.50,"l":"m","o":{}}`,                        // and an object becomes a leaf
		`{}`,                                               // nothing is left
		`{"a":1,"l":[1],"o":{"k":"x"},"é":"\ud83d\ude00"}`, // all comes back
	}
	for name, say := range map[string]func(old, next wire.Document, seq int64) wire.Facts{
		"patches": func(old, next wire.Document, seq int64) wire.Facts {
			p := wire.Diff(old, next)
			p.Seq = seq
			return wire.Facts{Patch: &p}
		},
		"documents": func(_, next wire.Document, _ int64) wire.Facts { return wire.Facts{Full: next.Raw, Hash: next.Hash} },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, DefaultConfig())
			now := f.join("n1", documents[0], "check_load")
			for _, text := range documents[1:] {
				next, err := wire.Canonical([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				seq := f.next("n1")
				body := say(now, next, seq)
				body.Session, body.Seq = session, seq
				f.say("n1", wire.TypeFacts, body)
				now = next
				f.sameInBoth("n1", now)
			}
		})
	}
	t.Run("several in one batch", func(t *testing.T) {
		f := idleFleet(t, DefaultConfig(), storetest.SQLite(t), newClock())
		f.take("n1", wire.TypeHello, wire.Hello{Session: session})
		var now wire.Document
		for _, text := range documents {
			next, err := wire.Canonical([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			f.take("n1", wire.TypeFacts, wire.Facts{Session: session, Seq: f.next("n1"), Full: next.Raw, Hash: next.Hash})
			now = next
		}
		f.start()
		f.say("n1", wire.TypeBeat, wire.Beat{Session: session, FactsHash: now.Hash})
		f.sameInBoth("n1", now)
	})
}

// take has a message of a node wait in the inbox.
func (f *fleet) take(node fettle.NodeID, kind wire.Type, body any) {
	f.t.Helper()
	m, err := wire.Seal(wire.Envelope{Type: kind, From: string(node), At: fettle.MillisOf(f.clock.Now())}, body, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	f.Collect(Incoming{Destination: f.dest.Facts(), Message: m, Sender: node, Done: func(error) {}})
}

// sameInBoth shows that a node is in memory as it is on disk, with a document.
func (f *fleet) sameInBoth(id fettle.NodeID, doc wire.Document) {
	f.t.Helper()
	memory, _ := f.Inventory.Get(id)
	disk, err := f.Store.Node(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	if d := cmp.Diff(disk, memory, cmpopts.EquateEmpty()); d != "" {
		f.t.Errorf("with %s, memory is not what the store has:\n%s", doc.Raw, d)
	}
	if string(disk.Facts) != string(doc.Raw) || disk.Hash != doc.Hash {
		f.t.Errorf("the store has %s, want %s", disk.Facts, doc.Raw)
	}
}
