package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

// Bounds of what waits for a store that does not answer, and how long it may take to.
const (
	maxPending = 10_000
	retryEvery = 5 * time.Second
	storeWait  = 5 * time.Second
	batch      = 500
)

// Store keeps entries; *store.Store is one. It is called from many goroutines and may wait for a disk.
type Store interface {
	AppendAudit(ctx context.Context, es []store.AuditEntry) error
	Audit(ctx context.Context, q store.AuditQuery) ([]store.AuditEntry, error)
}

// Log puts entries down. It is safe for concurrent use. A nil Log puts nothing down, and has nothing.
type Log struct {
	store Store
	book  *book
	log   *slog.Logger
	now   func() time.Time
	every time.Duration // between two tries to give the store what waits

	broken                                 atomic.Bool // the last entry is neither in the store nor in the file
	written, storeFaults, fileFaults, lost atomic.Int64
	strangers                              strangers

	feed    sync.Mutex // held by whoever gives the store what waits
	mu      sync.Mutex
	pending []Entry // that the store did not take, the oldest first; guarded by mu
	dropped int     // of them, for want of room, since the store last took something; guarded by mu
}

// Open makes a log over a store and the file at name, which is made where it is not there. A nil log says nothing; a nil now is time.Now. The caller
// closes it.
func Open(name string, s Store, log *slog.Logger, now func() time.Time) (*Log, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	b, err := openBook(name)
	if err != nil {
		return nil, err
	}
	return &Log{store: s, book: b, log: log, now: now, every: retryEvery}, nil
}

// Record puts down that caller did action to subject. It goes on where ctx has ended: what was done was done. ErrUnavailable: neither the store nor
// the file took it, and who can leave it undone does.
func (l *Log) Record(ctx context.Context, caller, action, subject string, d Details) error {
	if l == nil {
		return nil
	}
	e := newEntry(originOf(ctx), fettle.MillisOf(l.now()), caller, action, subject, d)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWait)
	defer cancel()
	storeErr := l.keep(ctx, e)
	fileErr := l.book.write(storeErr != nil, e)
	l.written.Add(1)
	if fileErr != nil {
		l.fileFaults.Add(1)
		l.log.Error("audit log cannot be written", "action", action, "user", caller, "err", fileErr)
	}
	l.broken.Store(storeErr != nil && fileErr != nil)
	if storeErr == nil {
		return nil
	}
	l.log.Error("audit entry is not in the store yet", "action", action, "user", caller, "err", storeErr)
	l.wait(e)
	if fileErr != nil {
		return fmt.Errorf("this cannot be put down in the audit log, and is not done: %w: %w", errors.Join(storeErr, fileErr), fettle.ErrUnavailable)
	}
	return nil
}

// Ready tells whether what is done now can be put down: ErrUnavailable while neither the store nor the file takes anything. Who changes something and
// puts it down afterwards asks first.
func (l *Log) Ready(ctx context.Context) error {
	if l == nil || !l.broken.Load() {
		return nil
	}
	return l.Record(ctx, "", "audit.tried", "", nil)
}

// Note is Record for what has happened already, so that nothing can be left undone: a fault is in the server's log and in its meters.
func (l *Log) Note(ctx context.Context, caller, action, subject string, d Details) {
	if err := l.Record(ctx, caller, action, subject, d); err != nil {
		l.log.Error("audit entry may be lost", "action", action, "user", caller, "err", err)
	}
}

// Stranger is Note for what anybody can cause as often as they like, such as a login that fails: beyond so many a minute they are only counted,
// and the count is an entry of its own.
func (l *Log) Stranger(ctx context.Context, caller, action, subject string, d Details) {
	if l == nil {
		return
	}
	keep, missed := l.strangers.take(l.now())
	if missed > 0 {
		l.Note(context.WithoutCancel(ctx), "", "audit.omitted", "", Details{"entries": missed})
	}
	if keep {
		l.Note(ctx, caller, action, subject, d)
	}
}

// keep gives entries to the store, those that wait before them.
func (l *Log) keep(ctx context.Context, e Entry) error {
	if err := l.catchUp(ctx); err != nil {
		l.storeFaults.Add(1)
		return err
	}
	if err := l.store.AppendAudit(ctx, []store.AuditEntry{stored(e)}); err != nil {
		l.storeFaults.Add(1)
		return err
	}
	return nil
}

// wait keeps e until the store takes entries again.
func (l *Log) wait(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) >= maxPending {
		l.dropped++
		l.lost.Add(1)
		return
	}
	l.pending = append(l.pending, e)
}

// catchUp gives the store what waits.
func (l *Log) catchUp(ctx context.Context) error {
	l.feed.Lock()
	defer l.feed.Unlock()
	for {
		list, dropped := l.waiting()
		if len(list) == 0 && dropped == 0 {
			return nil
		}
		n := len(list)
		if n == 0 {
			gap := newEntry(Origin{}, fettle.MillisOf(l.now()), "", "audit.lost", "", Details{"entries": dropped, "see": "audit.log"})
			list = []store.AuditEntry{stored(gap)}
		}
		if err := l.store.AppendAudit(ctx, list); err != nil {
			return err
		}
		l.mu.Lock()
		if l.pending = l.pending[n:]; n == 0 {
			l.dropped -= dropped
		}
		l.mu.Unlock()
	}
}

// waiting gives the oldest entries that wait, and how many were dropped.
func (l *Log) waiting() ([]store.AuditEntry, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]store.AuditEntry, min(len(l.pending), batch))
	for i := range list {
		list[i] = stored(l.pending[i])
	}
	return list, l.dropped
}

// Run gives the store what it did not take before, until ctx ends, and then once more.
func (l *Log) Run(ctx context.Context) error {
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWait)
		defer cancel()
		_ = l.catchUp(last) // what it does not take is in the file, and was told as it came
	}()
	tick := time.NewTicker(l.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := l.catchUp(ctx); err != nil && ctx.Err() == nil {
			l.storeFaults.Add(1)
			l.log.Warn("audit entries wait for the store", "err", err)
		}
	}
}

// Query says which entries are wanted; zero fields want all.
type Query = store.AuditQuery

// Entries lists entries of the store, the newest first unless q says After. Those that wait for the store are not among them.
func (l *Log) Entries(ctx context.Context, q Query) ([]Entry, error) {
	if l == nil {
		return nil, nil
	}
	list, err := l.store.Audit(ctx, q)
	out := make([]Entry, len(list))
	for i, e := range list {
		out[i] = Entry{Seq: e.Seq, At: e.At, Caller: e.Caller, Action: e.Action, Subject: e.Subject, Details: e.Body}
	}
	return out, err
}

// WriteMetrics writes the log's meters in the Prometheus text format.
func (l *Log) WriteMetrics(w io.Writer) {
	if l == nil {
		return
	}
	l.mu.Lock()
	pending := len(l.pending)
	l.mu.Unlock()
	fmt.Fprintf(w, "fettle_audit_entries_total %d\nfettle_audit_faults_total{part=\"store\"} %d\nfettle_audit_faults_total{part=\"file\"} %d\n",
		l.written.Load(), l.storeFaults.Load(), l.fileFaults.Load())
	fmt.Fprintf(w, "fettle_audit_pending_entries %d\nfettle_audit_lost_total %d\n", pending, l.lost.Load())
}

// Close closes the file. What waits for the store is in it.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	return l.book.close()
}

func stored(e Entry) store.AuditEntry {
	return store.AuditEntry{At: e.At, Caller: e.Caller, Action: e.Action, Subject: e.Subject, Body: e.Details}
}
