package server

import (
	"errors"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

func TestFactsAsOf(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	versions := []string{
		`{"os":{"minor":"7"},"disk":{"sda":{"size":1}}}`,
		`{"os":{"minor":"8"},"disk":"none"}`,
		`{"os":{"minor":"9"},"disk":{"sdb":{"size":2}}}`,
	}
	doc := f.join("n1", versions[0])
	moments := []fettle.Millis{fettle.MillisOf(f.clock.Now())}
	for _, text := range versions[1:] {
		f.clock.add(time.Hour)
		next, err := wire.Canonical([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		patch := wire.Diff(doc, next)
		f.say("n1", wire.TypeFacts, wire.Facts{Session: session, Seq: f.next("n1"), Patch: &patch})
		doc, moments = next, append(moments, fettle.MillisOf(f.clock.Now()))
	}
	f.clock.add(time.Hour)
	f.join("n2", `{"os":{"minor":"9"}}`)

	for i, at := range moments {
		n, err := f.NodeAt(t.Context(), "n1", at.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		want, err := wire.Canonical([]byte(versions[i]))
		if err != nil {
			t.Fatal(err)
		}
		if string(n.Facts) != string(want.Raw) {
			t.Errorf("as of version %d: %s, want %s", i, n.Facts, want.Raw)
		}
	}
	find := func(where fettle.Filter, at fettle.Millis) (int, error) {
		a, err := f.Find(t.Context(), FindQuery{Selection: Selection{Where: where, AsOf: at}})
		return a.Matched, err
	}
	if n, err := find(`facts.os.minor == "8"`, moments[1].Add(time.Minute)); n != 1 || err != nil {
		t.Errorf("found %d, %v", n, err)
	}
	if n, err := find(`facts.os.minor == "9"`, moments[2].Add(time.Minute)); n != 1 || err != nil {
		t.Errorf("a node that was not there yet is found: %d, %v", n, err)
	}
	if _, err := find(`liveness == "alive"`, moments[1]); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("liveness of the past: %v", err)
	}
	if _, err := find(`facts.os.minor == "9"`, fettle.MillisOf(f.clock.Now()).Add(time.Hour)); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("the future: %v", err)
	}
	history, err := f.History(t.Context(), HistoryQuery{Node: "n1", Path: fettle.Path{"os"}})
	if err != nil || len(history) != 2 || history[0].Path != "os.minor" || string(history[0].New) != `"9"` || string(history[1].Old) != `"7"` {
		t.Errorf("history: %+v, %v", history, err)
	}
}
