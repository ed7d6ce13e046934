package remedy

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/store"
)

// Fleet is the server; *server.Server is one. Its methods are safe for concurrent use.
type Fleet interface {
	CheckDefinition(ctx context.Context, name string) (fettle.KeptCheck, error)          // ErrNotFound
	CheckSaid(check string, node fettle.NodeID) (server.Said, error)                     // ErrNotFound
	CheckSize(ctx context.Context, check string) (nodes int, fresh fettle.Span, _ error) // how many it has, and for how long a state of it counts
	// CheckOwner gives by whose rights a remedy runs. ErrDenied: there are none any more.
	CheckOwner(ctx context.Context, kept fettle.KeptCheck) (server.Asker, error)
	// FillRemedy gives inputs with the values of their expressions. ErrInvalid: one of them is undefined.
	FillRemedy(ctx context.Context, r fettle.Remedy, node fettle.NodeID, state map[string]any) (map[string]any, error)
	// Refusals gives why nodes would not be asked; none: they would.
	Refusals(ctx context.Context, req server.RunRequest, nodes []fettle.NodeID) ([]fettle.Refusal, error)
	// StartRun starts the run of req.ID once: ErrConflict if there is one.
	StartRun(ctx context.Context, req server.RunRequest) (fettle.Run, error)
	RunByID(ctx context.Context, id fettle.RunID) (fettle.Run, error) // ErrNotFound
	RunResults(ctx context.Context, id fettle.RunID, limit int, cursor string) ([]fettle.Result, string, error)
	Settling() bool
	Changes(ctx context.Context) <-chan struct{}
}

// Store keeps what was judged; *store.Store is one.
type Store interface {
	JudgedTransitions(ctx context.Context) (seq int64, known bool, err error)
	// JudgeTransitions moves the cursor and keeps what was called for, both or nothing. ErrConflict: another has moved it.
	JudgeTransitions(ctx context.Context, from, to int64, called []store.Remedy) error
	TransitionsAfter(ctx context.Context, seq int64, limit int) ([]store.Transition, error)
	LastTransition(ctx context.Context) (int64, error)
	Remedies(ctx context.Context, q store.RemedyQuery) ([]store.Remedy, error)
	UpdateRemedy(ctx context.Context, r store.Remedy, was fettle.RemedyPhase) error // ErrConflict: it is in another phase
	Setting(ctx context.Context, name string) (value string, rev int64, err error)
	SetSetting(ctx context.Context, name, value string, rev int64) (int64, error)
}

// Parts is what remedies work with. Fleet, Store and Log must be there.
type Parts struct {
	Fleet   Fleet
	Store   Store
	Log     *slog.Logger
	Audit   *audit.Log       // nil: nothing is put down
	Now     func() time.Time // nil: time.Now
	Metrics *metrics.Set     // nil: nothing is registered
}

// Times of the work.
const (
	lookEvery = time.Second      // where something goes on, or has changed
	idleLook  = 10 * time.Second // where nothing has
)

// Remedies follows what changes, and runs what is to be run. Its methods are safe for concurrent use.
type Remedies struct {
	Parts
	meters *meters

	turn   sync.Mutex // held by whoever looks; it guards what stands up to mu
	cursor int64      // up to which transitions are judged
	saved  int64      // up to which the store knows that
	book   book
	behind behind
	fault  string // why the last look failed; empty: it did not

	mu     sync.Mutex
	pauses pauses                     // guarded by mu
	open   map[fettle.RemedyPhase]int // guarded by mu; how many go on, as of the last look
}

// New makes remedies, and loads what was judged before. What changed before there were any remedies at all is left alone.
func New(ctx context.Context, parts Parts) (*Remedies, error) {
	if parts.Now == nil {
		parts.Now = time.Now
	}
	r := &Remedies{Parts: parts, book: newBook(), behind: behind{}}
	r.meters = newMeters(parts.Metrics, r)
	if err := r.loadPauses(ctx); err != nil {
		return nil, err
	}
	var known bool
	var err error
	if r.cursor, known, err = r.Store.JudgedTransitions(ctx); err != nil {
		return nil, err
	}
	if !known {
		if r.cursor, err = r.Store.LastTransition(ctx); err != nil {
			return nil, err
		}
		if err = r.Store.JudgeTransitions(ctx, 0, r.cursor, nil); err != nil {
			return nil, err
		}
	}
	r.saved = r.cursor
	return r, r.load(ctx)
}

// Run works until ctx ends, and returns when all that it started has ended.
func (r *Remedies) Run(ctx context.Context) error {
	changes := r.Fleet.Changes(ctx)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	changed := true
	var last time.Time
	for {
		if changed || time.Since(last) >= idleLook || r.goesOn() {
			changed, last = false, time.Now()
			r.Look(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changes:
			changed = true
		case <-tick.C:
		}
		select { // changes come by the hundred a second, and a look is worth a statement
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (r *Remedies) goesOn() bool {
	r.turn.Lock()
	defer r.turn.Unlock()
	return len(r.book.open) > 0
}

// Look judges what has changed, starts what is to be started, and sees what has become of the others.
func (r *Remedies) Look(ctx context.Context) {
	r.turn.Lock()
	defer r.turn.Unlock()
	err := r.follow(ctx)
	err = errors.Join(err, r.attend(ctx))
	r.count()
	if ctx.Err() != nil {
		return
	}
	if err != nil && r.fault == "" { // once, and not every second
		r.Log.Error("remedies are not up to date", "err", err)
	}
	if err == nil && r.fault != "" {
		r.Log.Info("remedies are up to date again")
	}
	if r.fault = ""; err != nil {
		r.fault = err.Error()
		r.meters.faults.Inc()
	}
}

func (r *Remedies) count() {
	open := map[fettle.RemedyPhase]int{}
	for _, one := range r.book.open {
		open[one.Phase]++
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = open
}
