package server

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/catalogue"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/facts"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// Sender puts a message on the broker. It is called by the server for tasks, welcomes and check sets, from many goroutines. It must not wait
// for a reader. It gives the number of subscribers that the message went to, or -1 where the broker does not tell.
type Sender interface {
	Send(ctx context.Context, destination string, m wire.Message) (delivered int, err error)
}

// Parts is what a server works with. Store, Inventory, Board and Send must be there; a server that is on a network has Signer, Verifier and
// Enroller too.
type Parts struct {
	Store     *store.Store
	Inventory *inventory.Inventory
	Board     *checks.Board
	Send      Sender
	Log       *slog.Logger
	Audit     *audit.Log       // nil: nothing is put down
	Now       func() time.Time // nil: time.Now
	Signer    wire.Signer      // of all that is sent. Nil: nothing is signed, and no agent takes it
	Verifier  wire.Verifier    // of all that is received but enrolments. Nil: nothing is verified
	Enroller  Enroller         // nil: nobody can enrol
	// Heard goes over the nodes of which the broker has received bytes, with the moment of the last one. Nil: messages alone count.
	Heard func(func(fettle.NodeID, time.Time))
	// Away tells why a broker that is not ours cannot be reached, nil when it can. Nil: the broker is where the server is.
	Away func() error
	// Catalogue has the plugins that were pushed. Nil: there are those that came with the agents, and no others.
	Catalogue *catalogue.Catalogue
}

// Server is the middle. Its methods are safe for concurrent use; those that answer questions want Load to have returned.
type Server struct {
	cfg Config
	Parts
	dest     wire.Destinations
	volatile facts.Volatile
	meters   *meters
	inbox    inbox
	presence presence
	runs     runBook
	standing standingBook
	printing printing
	defs     definitions
	changes  signal
	past     past
	saved    savedFilters
	policies policyBook
	groups   groupBook
	silences silenceBook
	cuts     cutBook
	live     liveBook
	loaded   atomic.Bool
	gatherer prometheus.Gatherer
	counter  counter
	lookUp   func(action string) (plugins.Action, error) // action, but for tests
	back     chan struct{}                               // holds a token when a broker that is not ours can be reached again
}

// New makes a server of its parts. It does no work before Load and Run.
func New(cfg Config, parts Parts) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	volatile, err := facts.NewVolatile(cfg.Volatile)
	if err != nil {
		return nil, err
	}
	if parts.Now == nil {
		parts.Now = time.Now
	}
	if parts.Log == nil {
		parts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, Parts: parts, dest: wire.Destinations{Collective: cfg.Collective}, volatile: volatile, meters: newMeters(), back: make(chan struct{}, 1)}
	s.lookUp = s.action
	s.inbox.init()
	s.presence.init()
	s.runs.init()
	s.standing.init()
	s.counter.init()
	s.changes.init()
	s.groups.init()
	s.silences.init()
	s.cuts.init()
	s.gatherer = s.newGatherer()
	return s, nil
}

// Load fills the inventory, the board and the going runs from the store. It comes before Run and before any listener opens.
func (s *Server) Load(ctx context.Context) error {
	began := time.Now()
	if err := s.loadNodes(ctx); err != nil {
		return err
	}
	if err := s.loadFilters(ctx); err != nil {
		return fmt.Errorf("load saved filters: %w", err)
	}
	if err := s.loadPolicies(ctx); err != nil {
		return fmt.Errorf("load policies: %w", err)
	}
	if err := s.loadChecks(ctx); err != nil {
		return fmt.Errorf("load checks: %w", err)
	}
	if err := s.loadStanding(ctx); err != nil {
		return fmt.Errorf("load standing runs: %w", err)
	}
	if err := s.loadRuns(ctx); err != nil {
		return fmt.Errorf("load runs: %w", err)
	}
	s.presence.listen(s.Now())
	s.loaded.Store(true)
	s.Log.Info("inventory loaded", "nodes", s.Inventory.Len(), "took", time.Since(began))
	return nil
}

// Run works until ctx ends, and returns when all that it started has ended. What was received by then and is not committed has had no receipt.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.collect(ctx) })
	g.Go(func() error { return s.watchLiveness(ctx) })
	g.Go(func() error { return s.handOut(ctx) })
	g.Go(func() error { return s.followRuns(ctx) })
	g.Go(func() error { return s.driveRuns(ctx) })
	g.Go(func() error { return s.standRuns(ctx) })
	g.Go(func() error { return s.spreadChecks(ctx) })
	g.Go(func() error { return s.watchSilences(ctx) })
	g.Go(func() error { return s.prune(ctx) })
	g.Go(func() error { return s.catchUp(ctx) })
	return g.Wait()
}

// Version is that of the program.
func (s *Server) Version() string { return s.cfg.Version }

// Health tells whether the process works; it asks nothing of others.
func (s *Server) Health(context.Context) error { return nil }

// Ready tells whether questions can be answered and messages taken: ErrUnavailable with the reason otherwise.
func (s *Server) Ready(ctx context.Context) error {
	if !s.loaded.Load() {
		return fmt.Errorf("the inventory is being loaded: %w", fettle.ErrUnavailable)
	}
	if s.Away != nil {
		if err := s.Away(); err != nil {
			return err
		}
	}
	return s.Store.Ping(ctx)
}

// Changes gives a channel that receives, coalesced, when something in the inventory has changed. It is closed when ctx ends.
func (s *Server) Changes(ctx context.Context) <-chan struct{} { return s.changes.subscribe(ctx) }

// signal tells any number of listeners that something happened; who is busy hears of many as one.
type signal struct {
	mu        sync.Mutex
	listeners map[chan struct{}]struct{} // guarded by mu
}

func (s *signal) init() { s.listeners = map[chan struct{}]struct{}{} }

func (s *signal) subscribe(ctx context.Context) <-chan struct{} {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	s.listeners[c] = struct{}{}
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		delete(s.listeners, c)
		close(c)
		s.mu.Unlock()
	})
	return c
}

func (s *signal) notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.listeners {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
