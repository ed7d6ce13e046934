package alerts

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/store/storetest"
)

// bench is alerts over verdicts that a test sets, at moments that it says, with a receiver that notes what it is told.
type bench struct {
	t     *testing.T
	cfg   Config
	store *store.Store
	world *world
	now   time.Time
	*Alerts
}

// world is a Source.
type world struct {
	mu       sync.Mutex
	verdicts map[string]fettle.Verdict
	about    map[string]About
	flapping map[fettle.NodeID]bool
	fault    error
}

func (w *world) Verdicts(context.Context) (out []fettle.Verdict, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range w.verdicts {
		out = append(out, v)
	}
	return out, w.fault
}

func (w *world) About(_ context.Context, name string) About { return w.about[name] }
func (w *world) Flaps(_ string, node fettle.NodeID) bool    { return w.flapping[node] }
func (w *world) set(name string, status fettle.CheckStatus) { w.put(verdict(name, status)) }
func (w *world) drop(name string)                           { w.mu.Lock(); defer w.mu.Unlock(); delete(w.verdicts, name) }

func (w *world) put(v fettle.Verdict) { w.mu.Lock(); defer w.mu.Unlock(); w.verdicts[v.Check] = v }

// verdict is of three nodes, one of which is as the verdict is.
func verdict(name string, status fettle.CheckStatus) fettle.Verdict {
	v := fettle.Verdict{Check: name, Kind: fettle.KindCheck, Status: status, Tally: fettle.CheckTally{Total: 3, OK: 3}, Nodes: map[fettle.CheckStatus][]fettle.NodeID{}}
	if status == fettle.CheckOK {
		return v
	}
	v.Tally.OK = 2
	switch status {
	case fettle.CheckCritical:
		v.Tally.Critical = 1
	case fettle.CheckWarning:
		v.Tally.Warning = 1
	default:
		v.Tally.Unknown = 1
	}
	v.Nodes[status] = []fettle.NodeID{"db1.acme.net"}
	v.Output = map[fettle.NodeID]string{"db1.acme.net": "load is 31"}
	return v
}

// newBench has one receiver, told, that is a webhook in name only, and one route to it.
func newBench(t *testing.T, route Route) *bench {
	t.Helper()
	s := storetest.Open(t)
	route.Receivers = []string{"hook"}
	b := &bench{
		t: t, store: s, now: time.UnixMilli(1_700_000_000_000).UTC(), world: &world{verdicts: map[string]fettle.Verdict{}, about: map[string]About{}, flapping: map[fettle.NodeID]bool{}},
		cfg: Config{
			URL: "https://fettle.acme.net", Routes: []Route{route}, ResolveAfter: time.Minute,
			Receivers: []Receiver{{Name: "hook", Webhook: &Webhook{URL: "http://127.0.0.1:1/"}}},
		},
	}
	b.restart()
	return b
}

// restart is what a kill -9 and a new start are: only the store is left.
func (b *bench) restart() {
	b.t.Helper()
	var err error
	b.Alerts, err = New(b.t.Context(), b.cfg, Parts{Source: b.world, Store: b.store, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return b.now }})
	if err != nil {
		b.t.Fatal(err)
	}
}

// after lets time pass, looks, and gives what the receiver is told, in one line each.
func (b *bench) after(d time.Duration) (told []string) {
	b.t.Helper()
	b.now = b.now.Add(d)
	b.Look(b.t.Context())
	return b.serveAll(nil)
}

// serveAll has the receiver take all that is due, or refuse it with err.
func (b *bench) serveAll(err error) (told []string) {
	r := b.receivers[0]
	r.tell = func(_ context.Context, m message) error {
		if err != nil {
			return err
		}
		for _, a := range notificationOf(m).Alerts {
			line := a.State + " " + a.Name + " " + string(a.Status)
			if a.Was != "" {
				line += " was " + string(a.Was)
			}
			if a.Repeat {
				line += " again"
			}
			told = append(told, line)
		}
		return nil
	}
	for {
		m, _ := b.take(r)
		if len(m.Items) == 0 {
			return told
		}
		b.deliver(b.t.Context(), r, m)
	}
}
