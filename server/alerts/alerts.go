package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"golang.org/x/sync/errgroup"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

// Store keeps what was told; *store.Store is one. An error means that nothing of the changes is kept.
type Store interface {
	SaveAlerts(ctx context.Context, c store.AlertChanges) error
	Alerts(ctx context.Context) ([]store.Alert, []store.AlertNotice, error)
}

// Parts is what alerts work with. Source, Store and Log must be there.
type Parts struct {
	Source  Source
	Store   Store
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
	Metrics *metrics.Set     // nil: nothing is registered
}

// Alerts tells receivers what is wrong. Its methods are safe for concurrent use.
type Alerts struct {
	cfg Config
	Parts
	meters    *meters
	receivers []*receiver

	mu     sync.Mutex
	book   book            // guarded by mu
	dirty  map[string]bool // guarded by mu; names of alerts that have changed and are not saved
	looked fettle.Millis   // guarded by mu; when verdicts were looked at last
	fault  string          // guarded by mu; why that failed; empty: it did not
}

// New makes the receivers of cfg, with their templates and secrets read, and loads what was told before. ErrInvalid: a file is not as it has to be.
func New(ctx context.Context, cfg Config, parts Parts) (*Alerts, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.defaults()
	if parts.Now == nil {
		parts.Now = time.Now
	}
	a := &Alerts{cfg: cfg, Parts: parts, dirty: map[string]bool{}, book: book{alerts: map[string]*Alert{}, resolveAfter: cfg.ResolveAfter}}
	for _, rc := range cfg.Receivers {
		r, err := newReceiver(rc)
		if err != nil {
			return nil, fmt.Errorf("receiver %s: %w", rc.Name, err)
		}
		a.receivers = append(a.receivers, r)
	}
	a.meters = newMeters(parts.Metrics, a)
	return a, a.load(ctx)
}

// load reads what was told before. What receivers were told that are not there any more is forgotten.
func (a *Alerts) load(ctx context.Context) error {
	rows, notices, err := a.Store.Alerts(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		one := &Alert{}
		if err := json.Unmarshal(row.Body, one); err != nil || one.Name != row.Name {
			a.Log.Warn("an alert in the store cannot be read and is forgotten", "check", row.Name, "err", err)
			continue
		}
		a.book.alerts[one.Name] = one
	}
	var untold []store.AlertNotice
	for _, row := range notices {
		n := &notice{Receiver: row.Receiver, Alert: row.Alert, At: row.At}
		r, _ := a.receiver(row.Receiver)
		if r == nil || a.book.alerts[row.Alert] == nil || json.Unmarshal(row.Body, n) != nil {
			untold = append(untold, row)
			continue
		}
		r.notices[n.Alert] = n
	}
	return a.Store.SaveAlerts(ctx, store.AlertChanges{Untold: untold})
}

// receiver gives the one of that name, or ErrNotFound.
func (a *Alerts) receiver(name string) (*receiver, error) {
	for _, r := range a.receivers {
		if r.name == name {
			return r, nil
		}
	}
	return nil, fmt.Errorf("receiver %q: %w", name, fettle.ErrNotFound)
}

// Run looks and tells until ctx ends, and returns when all that it started has ended. Without receivers it does nothing.
func (a *Alerts) Run(ctx context.Context) error {
	if len(a.receivers) == 0 {
		<-ctx.Done()
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, r := range a.receivers {
		g.Go(func() error { a.serve(ctx, r); return nil })
	}
	g.Go(func() error {
		tick := time.NewTicker(a.cfg.Every)
		defer tick.Stop()
		for {
			a.Look(ctx)
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
	})
	return g.Wait()
}

// Look compares verdicts with what is known, keeps what has changed, and has the receivers look what they are to be told.
func (a *Alerts) Look(ctx context.Context) {
	verdicts, err := a.Source.Verdicts(ctx)
	if ctx.Err() != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := fettle.MillisOf(a.Now())
	a.meters.looks.Inc()
	if err == nil {
		a.looked = now
		for _, name := range a.book.look(ctx, a.Source, verdicts, now) {
			a.dirty[name] = true
		}
		err = a.save(ctx, now)
	}
	if err != nil {
		a.meters.lookErrors.Inc()
		if a.fault == "" { // once, and not every few seconds
			a.Log.Error("alerts are not up to date", "err", err)
		}
		a.fault = err.Error()
		return
	}
	if a.fault != "" {
		a.Log.Info("alerts are up to date again")
	}
	a.fault = ""
	for _, r := range a.receivers {
		r.poke()
	}
}

// save keeps what has changed, and what receivers were told, and forgets what is over. a.mu is held. On an error all of it is tried again at the
// next look.
func (a *Alerts) save(ctx context.Context, now fettle.Millis) error {
	changes := store.AlertChanges{Over: a.over(now)}
	gone := map[string]bool{}
	for _, name := range changes.Over {
		gone[name] = true
	}
	for name := range a.dirty {
		if one := a.book.alerts[name]; one != nil && !gone[name] {
			changes.Alerts = append(changes.Alerts, store.Alert{Name: name, Since: one.Since, Body: mustJSON(one)})
		}
	}
	for _, r := range a.receivers {
		for _, n := range r.unsaved {
			if !gone[n.Alert] {
				changes.Notices = append(changes.Notices, store.AlertNotice{Receiver: n.Receiver, Alert: n.Alert, At: n.At, Body: mustJSON(n)})
			}
		}
	}
	if len(changes.Alerts)+len(changes.Notices)+len(changes.Over) == 0 {
		return nil
	}
	if err := a.Store.SaveAlerts(ctx, changes); err != nil {
		return err
	}
	clear(a.dirty)
	for _, r := range a.receivers {
		clear(r.unsaved)
		for name := range gone {
			delete(r.notices, name)
		}
	}
	for name := range gone {
		delete(a.book.alerts, name)
	}
	return nil
}

// over gives the names of alerts that have ended and of which nobody is to be told any more.
func (a *Alerts) over(now fettle.Millis) (names []string) {
	for name, one := range a.book.alerts {
		done := one.Ended != 0
		for _, r := range a.receivers {
			done = done && r.over(one, r.notices[name], now)
		}
		if done {
			names = append(names, name)
		}
	}
	return names
}

// Test has a receiver be told of an alert that is none. ErrNotFound: there is no such receiver; ErrUnavailable: it did not take it.
func (a *Alerts) Test(ctx context.Context, name, caller string) error {
	r, err := a.receiver(name)
	if err != nil {
		return err
	}
	now := fettle.MillisOf(a.Now())
	one := Alert{
		Name: "test", Check: "test", Kind: fettle.KindCheck, Status: fettle.CheckWarning, Since: now, Changed: now, Episode: episode("test", now),
		Reason: "this is a test by " + caller + "; nothing is wrong", Labels: map[string]string{"test": "true"},
	}
	if err := r.tell(ctx, message{Receiver: r.name, URL: a.cfg.URL, At: now, Items: []item{{Alert: one}}, Test: true}); err != nil {
		return fmt.Errorf("receiver %s did not take it: %w: %w", name, err, fettle.ErrUnavailable)
	}
	return nil
}

func mustJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil { // a value of our own making
		return []byte(`{}`)
	}
	return raw
}
