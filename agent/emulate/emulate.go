package emulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/agent"
	"github.com/fettle-dev/fettle/wire/trust"
)

// Config says how large a fleet is and how it behaves. Shares are in percent of Nodes, rounded to whole nodes; no node is of two kinds.
type Config struct {
	Nodes  int
	Prefix string // of the identities: emu gives emu00001.example.net
	Seed   uint64

	Fail    float64       // of the nodes: every action fails, every check is critical
	Silent  float64       // of the nodes: tasks get no answer
	SlowPct float64       // of the nodes: tasks are answered after SlowBy
	SlowBy  time.Duration //
	Checks  bool          // the nodes offer check commands
	States  States        // of the check commands of nodes that do not fail; zero: all are ok
	Record  io.Writer     // gets a line for each check that is executed, in one Write, and there is the check command "count"; nil: neither

	// Agent is what every agent has. Its Identity is not looked at; its State is the folder of all state folders, empty for a new one that is
	// removed at the end.
	Agent agent.Config
	Ready func(nodes int) // called once, when the server has answered the hello of every node; nil: nobody is told
}

// Default gives a fleet of a hundred nodes that are all well. Servers and Join are to be added.
func Default() Config {
	cfg := Config{Nodes: 100, Prefix: "emu", Agent: agent.DefaultConfig()}
	cfg.Agent.Version = "emulated"
	cfg.Agent.StopTimeout = 0 // what a silent node does never ends by itself
	return cfg
}

// MaxNodes is the size of the largest fleet: the numbers in identities have five digits.
const MaxNodes = 99_999

// Validate reports all faults at once.
func (c Config) Validate() error {
	var faults []error
	bad := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format+": %w", append(args, fettle.ErrInvalid)...))
	}
	if c.Nodes < 1 || c.Nodes > MaxNodes {
		bad("nodes: %d is not between 1 and %d", c.Nodes, MaxNodes)
	}
	for key, pct := range map[string]float64{"fail": c.Fail, "silent": c.Silent, "slow": c.SlowPct} {
		if !(pct >= 0 && pct <= 100) {
			bad("%s: %v is not between 0 and 100", key, pct)
		}
	}
	if c.Fail+c.Silent+c.SlowPct > 100 {
		bad("fail, silent and slow: together they are more than 100")
	}
	faults = append(faults, c.States.validate()...)
	if c.SlowBy < 0 || c.SlowBy > time.Hour {
		bad("slow: %v is not between 0s and 1h", c.SlowBy)
	}
	probe := c.Agent
	if probe.Identity = c.Identity(1); probe.State == "" {
		probe.State = os.TempDir()
	}
	return errors.Join(append(faults, probe.Validate())...)
}

// Identity gives the name of node i, which counts from 1.
func (c Config) Identity(i int) fettle.NodeID {
	return fettle.NodeID(fmt.Sprintf("%s%05d.example.net", c.Prefix, i))
}

// Run runs the fleet until ctx ends, and gives nil then.
func Run(ctx context.Context, cfg Config, log *slog.Logger) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("emulate: %w", err)
	}
	if cfg.Agent.State == "" {
		dir, err := os.MkdirTemp(memoryDir(), "fettle-emulate-")
		if err != nil {
			return fmt.Errorf("emulate: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		cfg.Agent.State = dir
	}
	quiet := log
	if !log.Enabled(ctx, slog.LevelDebug) {
		quiet = slog.New(newSparse(log.Handler())) // a server that restarts is one line here, not one for each node
	}
	f := fleet{Config: cfg, log: quiet, places: make(chan struct{}, atOnce), commands: commandNames(cfg.Checks, cfg.Record)}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return f.start(ctx, g) })
	return g.Wait()
}

// memoryDir gives a folder in memory, or none: one disk does not flush for thousands of machines as their own disks do.
func memoryDir() string {
	const dir = "/dev/shm"
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// atOnce is how many agents wait for their welcome at the same time: a fleet that starts in one moment tells how long a backlog is, and nothing
// of the fleet.
const atOnce = 500

// patience is how long one agent may keep another from starting.
const patience = 2 * time.Second

// fleet is what the agents share.
type fleet struct {
	Config
	log      *slog.Logger
	places   chan struct{}
	commands []string
	welcomed atomic.Int64
}

// start starts the agents, as many at once as there are places.
func (f *fleet) start(ctx context.Context, g *errgroup.Group) error {
	for i := 1; i <= f.Nodes; i++ {
		select {
		case f.places <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		n, err := f.node(i)
		if err != nil {
			return fmt.Errorf("emulate %s: %w", f.Identity(i), err)
		}
		g.Go(func() error { return n.Run(ctx) })
	}
	return nil
}

// node makes one agent, which gives its place back when it is welcome, or has waited for too long.
func (f *fleet) node(i int) (*agent.Agent, error) {
	cfg := f.Agent
	cfg.Identity = f.Identity(i)
	cfg.State = filepath.Join(f.Agent.State, string(cfg.Identity))
	var gone atomic.Bool
	leave := func() {
		if gone.CompareAndSwap(false, true) {
			<-f.places
		}
	}
	late := time.AfterFunc(patience, leave)
	cfg.Welcomed = func() {
		late.Stop()
		leave()
		if f.welcomed.Add(1) == int64(f.Nodes) && f.Ready != nil {
			f.Ready(f.Nodes)
		}
	}
	if !cfg.Join.None() {
		var err error
		if cfg.Keys, err = trust.DeriveNodeKeys(cfg.Join.Secret, cfg.Identity); err != nil {
			return nil, err
		}
	}
	m := &machine{seed: f.Seed, number: i, identity: cfg.Identity, begun: time.Now()}
	t := &table{machine: m, kind: f.kind(i), slow: f.SlowBy, commands: f.commands, states: f.States, version: cfg.Version, record: f.Record}
	a, err := agent.New(cfg, m, t, f.log)
	t.refresh = func(ctx context.Context) (map[string]any, error) { return a.Refresh(ctx) }
	return a, err
}

// kind is how a node behaves.
type kind int

const (
	well kind = iota
	failing
	silent
	slow
)

// kind spreads the kinds over the fleet, each with exactly its share.
func (f *fleet) kind(i int) kind {
	place := (i*step(f.Nodes) + int(f.Seed%uint64(f.Nodes))) % f.Nodes
	for _, k := range []struct {
		kind
		share float64
	}{{silent, f.Silent}, {failing, f.Fail}, {slow, f.SlowPct}} {
		n := int(math.Round(k.share * float64(f.Nodes) / 100))
		if place < n {
			return k.kind
		}
		place -= n
	}
	return well
}

// step gives a number without a common factor with n, near its golden section: multiples of it fill n places evenly.
func step(n int) int {
	for s := max(1, int(float64(n)*0.618)); ; s++ {
		a, b := s, n
		for b != 0 {
			a, b = b, a%b
		}
		if a == 1 {
			return s
		}
	}
}
