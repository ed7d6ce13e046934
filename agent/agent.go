package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// Agent is one node. New makes it, Run is its life.
type Agent struct {
	cfg     Config
	dest    wire.Destinations
	source  Source
	actions Actions
	log     *slog.Logger
	session string
	ids     *idSeries
	self    *self
	link    *wire.Link
	spool   *wire.Spool
	ledger  *ledger
	checks  *checkSet
	inbox   *inbox
	meters  *meters
	sparse  sparse
	ready   chan struct{} // closed at the first welcome
	about   atomic.Pointer[Known]
	told    atomic.Pointer[clock] // as it was set last; nil: not yet

	refusals atomic.Int64 // logins that were refused, one after the other
	rejoin   atomic.Bool  // it is to be enrolled again
	stopLink atomic.Pointer[context.CancelFunc]

	// What follows belongs to the loop.
	clock        clock
	connected    bool
	greeted      time.Time // when hello was last sent on this connection; zero: not yet
	hellos       int       // that were not answered in time on this connection
	said         []string  // ids of the last ones on this connection
	welcomed     bool      // hello was answered on this connection
	beatEvery    time.Duration
	nextBeat     *time.Timer
	held         []*wire.Delivery // came before the time was known
	replays      *trust.Replays
	facts        publisher
	tasks        taskTable
	sent         int64 // messages of results in this session
	flying       int   // messages of results that wait for their receipt
	checksFlying bool  // one of them has results of checks
	workers      sync.WaitGroup
	stopping     bool
	questions    int                  // filters that are being answered
	checking     bool                 // checks.Run is running
	fetches      map[string]*fetching // by digest
	plugins      map[string]string    // that hello told of
	keepChecks   func()               // runs it when there is something to check
}

// New opens the state folder and makes an agent; nothing else happens before Run, which has to be called, because it closes what New opened.
func New(cfg Config, source Source, actions Actions, log *slog.Logger) (*Agent, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.State, 0o700); err != nil {
		return nil, fmt.Errorf("agent: state folder: %w", err)
	}
	linkCfg, err := cfg.link()
	if err != nil {
		return nil, err
	}
	a := &Agent{
		cfg: cfg, dest: wire.Destinations{Collective: cfg.Collective}, source: source, actions: actions, log: log,
		inbox: newInbox(), beatEvery: cfg.BeatInterval, meters: newMeters(cfg.Metrics),
		ready: make(chan struct{}), replays: trust.NewReplays(maxReplays), fetches: map[string]*fetching{},
	}
	if a.self, err = openSelf(cfg, log, a.serverTime); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	if a.ids, err = openIDs(filepath.Join(cfg.State, idsName), log); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	a.session = a.ids.next()
	linkCfg.Identify, linkCfg.Refused = a.identify, a.refused
	a.tasks = newTaskTable(cfg)
	a.link = wire.NewLink(linkCfg, listener{a}, log)
	spool := wire.DefaultSpool(filepath.Join(cfg.State, spoolName))
	spool.MaxBytes, spool.Headroom = cfg.SpoolBytes, min(spool.Headroom, cfg.SpoolBytes/4)
	spool.Open = cfg.open
	if a.spool, err = wire.OpenSpool(spool); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	if a.ledger, err = openLedger(filepath.Join(cfg.State, ledgerName), cfg.LedgerTasks, cfg.open); err != nil {
		return nil, errors.Join(fmt.Errorf("agent: %w", err), a.spool.Close())
	}
	if a.checks, err = openChecks(filepath.Join(cfg.State, checksName)); err != nil {
		return nil, errors.Join(fmt.Errorf("agent: %w", err), a.spool.Close(), a.ledger.close())
	}
	if lost := a.spool.Stats().LostAtOpening + a.ledger.journal.Lost(); lost > 0 {
		log.Warn("the end of a state file was torn and is cut off", "bytes", lost)
	}
	return a, nil
}

// Ready is closed when a server has welcomed the agent for the first time.
func (a *Agent) Ready() <-chan struct{} { return a.ready }

// Known gives what the agent knows of its node now: nothing before the first collection of facts. It is safe for concurrent use.
func (a *Agent) Known() Known {
	if known := a.about.Load(); known != nil {
		return *known
	}
	return Known{Agent: a.info()}
}

// Run lives until ctx ends. Then it takes no more tasks, gives what is running StopTimeout to end, and returns within five seconds, with nil.
func (a *Agent) Run(ctx context.Context) error {
	defer a.close()
	a.recover(ctx)
	linked, hangUp := context.WithCancel(context.WithoutCancel(ctx)) // it outlives ctx by what is still to be sent
	defer hangUp()
	// A broker that takes nothing blocks the loop until the link is cut: not for longer than this when the agent is to stop.
	stopping := context.AfterFunc(ctx, func() { time.AfterFunc(lastResort, hangUp) })
	defer stopping()
	g, ctx := errgroup.WithContext(ctx)
	a.keepChecks = func() {
		if a.checking || a.cfg.Trial || len(a.checks.get()) == 0 {
			return // most of what runs thousands of agents in one process runs no checks
		}
		a.checking = true
		g.Go(func() error {
			return checks.Run(ctx, checks.Source{Node: a.cfg.Identity, Checks: a.checks.get, Changed: a.checks.changed, Limit: a.cfg.CheckSlots, Ahead: a.ahead}, a.check)
		})
	}
	a.keepChecks()
	g.Go(func() error { return a.stay(linked) })
	err := a.loop(ctx)
	hangUp()
	return errors.Join(err, g.Wait())
}

// lastResort is when the link is cut after the agent was told to stop, whatever is still to be said.
const lastResort = 4500 * time.Millisecond

func (a *Agent) close() {
	a.inbox.close()
	if err := errors.Join(a.spool.Close(), a.ledger.close(), a.ids.close()); err != nil {
		a.log.Warn("closing the state files", "err", err)
	}
}

// loop does what the inbox says and what is due, one thing at a time.
func (a *Agent) loop(ctx context.Context) error {
	a.nextBeat = time.NewTimer(a.splay(a.beatEvery))
	defer a.nextBeat.Stop()
	collect := time.NewTimer(a.cfg.FactsInterval + a.splay(a.cfg.FactsInterval))
	defer collect.Stop()
	late := time.NewTimer(a.cfg.WaitForFacts)
	defer late.Stop()
	a.collect(ctx)
	for {
		select {
		case <-ctx.Done():
			a.stop(ctx)
			return nil
		case <-a.inbox.wake:
			a.handle(ctx)
			a.advance(ctx)
		case <-a.source.Changed():
			a.collect(ctx)
		case <-late.C:
			a.facts.overdue = true
			a.advance(ctx)
		case <-collect.C:
			collect.Reset(a.cfg.FactsInterval)
			a.collect(ctx)
		case <-a.nextBeat.C:
			a.nextBeat.Reset(a.beatEvery)
			a.beat(ctx)
			a.advance(ctx)
		}
	}
}

// handle does what the inbox says.
func (a *Agent) handle(ctx context.Context) {
	for _, f := range a.inbox.take() {
		f(ctx)
	}
}

// advance does all that can be done now.
func (a *Agent) advance(ctx context.Context) {
	a.greet()
	a.publish()
	a.startTasks(ctx)
	a.sendResults()
}

// splay spreads nodes over d.
func (a *Agent) splay(d time.Duration) time.Duration { return rand.N(d) }

// lastPatience is for actions that do not end when they are told to: the ledger knows that they had begun.
const lastPatience = time.Second

// stop gives what is running its time to end, ends it then, and sends what there is.
func (a *Agent) stop(ctx context.Context) {
	a.stopping = true
	patience := time.NewTimer(a.cfg.StopTimeout)
	defer patience.Stop()
	ended := make(chan struct{})
	go func() { // ends with the last worker, and is waited for as long as that is
		a.workers.Wait()
		close(ended)
	}()
	for told := false; ; {
		select {
		case <-ended:
			a.flush(ctx)
			return
		case <-a.inbox.wake:
			a.handle(ctx)
		case <-patience.C:
			if told {
				a.log.Warn("an action does not end, and is left behind")
				a.flush(ctx)
				return
			}
			told = true
			a.tasks.interrupt()
			patience.Reset(lastPatience)
		}
	}
}

// flushTimeout is how long an agent that stops waits for the receipts of its last results: what has none stays in the spool.
const flushTimeout = time.Second

// flush sends what is in the spool, as far as that goes quickly.
func (a *Agent) flush(ctx context.Context) {
	a.settle(ctx)
	enough := time.NewTimer(flushTimeout)
	defer enough.Stop()
	for {
		a.handle(ctx)
		a.sendResults()
		if a.flying == 0 {
			return
		}
		select {
		case <-a.inbox.wake:
		case <-enough.C:
			return
		}
	}
}

// listener hands what happens on the link to the loop.
type listener struct{ *Agent }

// Connected implements wire.Listener.
func (l listener) Connected(string) { l.inbox.put(func(context.Context) { l.onConnected() }) }

// Lost implements wire.Listener.
func (l listener) Lost(error) { l.inbox.put(func(context.Context) { l.onLost() }) }

// Received implements wire.Listener. What comes on the node's own queue is bounded by its prefetch, what is broadcast is not.
func (l listener) Received(d *wire.Delivery) {
	put := l.inbox.tryPut
	if d.Destination != l.dest.All() {
		put = func(f func(context.Context)) bool { l.inbox.put(f); return true }
	}
	if !put(func(ctx context.Context) { l.receive(ctx, d) }) {
		l.meters.dropped.Inc()
	}
}

func (a *Agent) onConnected() {
	a.connected, a.welcomed, a.greeted, a.hellos, a.said = true, false, time.Time{}, 0, nil
}

func (a *Agent) onLost() {
	a.connected, a.welcomed, a.held = false, false, nil // what was held comes again
}

// serverTime gives the server's time, and whether it is known.
func (a *Agent) serverTime() (fettle.Millis, bool) { now := a.clock.now(); return now, now != 0 }
