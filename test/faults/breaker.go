//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// breaker makes faults: at most one at a time of server, database and each group of agents, and two at a time in all.
type breaker struct {
	*house
	out io.Writer

	mu    sync.Mutex
	count map[string]int // guarded by mu; by the name of the fault
}

// fault breaks something and heals it. lasts is how long it may stay broken.
type fault struct {
	target, name string
	do           func(ctx context.Context, lasts time.Duration, random *rand.Rand) error
}

// hands is how many faults are made at the same time.
const hands = 2

// run makes faults until the time is over, and returns when all are healed.
func (b *breaker) run(ctx context.Context) error {
	b.count = map[string]int{}
	for _, g := range b.groups {
		g.repeater.on.Store(true)
		defer g.repeater.on.Store(false)
	}
	if b.away > 0 {
		if err := b.storeAway(ctx); err != nil {
			return err
		}
	}
	faults := b.faults()
	var busy sync.Map // of targets
	until := time.Now().Add(b.span)
	g, making := errgroup.WithContext(ctx)
	for hand := range hands {
		random := rand.New(rand.NewPCG(b.seed, uint64(hand)))
		g.Go(func() error {
			for time.Now().Before(until) && making.Err() == nil {
				f := faults[random.IntN(len(faults))]
				lasts := 200*time.Millisecond + time.Duration(random.Float64()*float64(b.longest))
				if _, taken := busy.LoadOrStore(f.target, true); taken {
					continue
				}
				b.note(f)
				err := f.do(making, lasts, random)
				busy.Delete(f.target)
				if err != nil && making.Err() == nil {
					return fmt.Errorf("%s %s: %w", f.target, f.name, err)
				}
				pause(making, time.Duration(random.Int64N(int64(b.longest/3))))
			}
			return nil
		})
	}
	return errors.Join(g.Wait(), ctx.Err())
}

func (b *breaker) note(f fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	kind := f.target
	if kind != "server" && kind != "database" {
		kind = "agents"
	}
	b.count[kind+": "+f.name]++
}

func (b *breaker) total() (n int) {
	for _, c := range b.count {
		n += c
	}
	return n
}

// print prints the table of faults.
func (b *breaker) print(out io.Writer) {
	for _, name := range slices.Sorted(maps.Keys(b.count)) {
		fmt.Fprintf(out, "%-28s %6d\n", name, b.count[name])
	}
	fmt.Fprintf(out, "%-28s %6d\n", "faults in all", b.total())
	if !b.disks {
		fmt.Fprintln(out, "no disk was full: only root may make small ones")
	}
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// often is by how much more likely a fault of the server or the database is than one of a group of agents: there are several of those.
const often = 4

// faults are all that can be made here.
func (b *breaker) faults() (list []fault) {
	for range often {
		list = append(list, fault{"server", "kill -9", b.restartServer})
		if b.disks && b.db == nil {
			list = append(list, fault{"server", "disk full", diskFull(b.serverDir)})
		}
		if b.clock != "" {
			list = append(list, fault{"server", "clock set", b.stepClock("server")})
		}
		if b.db != nil {
			list = append(list, fault{"database", "kill -9", b.restartDatabase})
			list = append(list, b.networkFaults("database", b.dbNet)...)
		}
	}
	for _, g := range b.groups {
		list = append(list, fault{g.prefix, "kill -9", b.restartGroup(g)})
		if b.disks {
			list = append(list, fault{g.prefix, "disk full", diskFull(g.dir)})
		}
		if b.clock != "" {
			list = append(list, fault{g.prefix, "clock set", b.stepClock(g.name())})
			list = append(list, fault{g.prefix, "clock set over a kill -9", b.restartStepped(g)})
		}
		list = append(list, b.networkFaults(g.prefix, g.net)...)
	}
	return list
}

func (b *breaker) networkFaults(target string, n *network) (list []fault) {
	for _, t := range toxics() {
		list = append(list, fault{target, t.name, func(ctx context.Context, lasts time.Duration, random *rand.Rand) error {
			if err := n.disturb(t.toxic, random); err != nil {
				return err
			}
			pause(ctx, lasts)
			return n.heal(context.WithoutCancel(ctx))
		}})
	}
	return append(list, fault{target, "away", func(ctx context.Context, lasts time.Duration, _ *rand.Rand) error {
		n.proxy.Stop()
		pause(ctx, lasts)
		return n.proxy.Start()
	}})
}

func (b *breaker) restartServer(ctx context.Context, lasts time.Duration, _ *rand.Rand) error {
	if err := b.killServer(); err != nil {
		return err
	}
	pause(ctx, lasts/2)
	return b.startServer(context.WithoutCancel(ctx))
}

func (b *breaker) restartGroup(g *group) func(context.Context, time.Duration, *rand.Rand) error {
	return func(ctx context.Context, lasts time.Duration, _ *rand.Rand) error {
		if g.running.Gone() {
			return fmt.Errorf("the agents ended by themselves: %w", g.running.Err())
		}
		g.running.Kill()
		pause(ctx, lasts/2)
		return b.startGroup(g)
	}
}

// restartStepped sets the clock of a group, and kills it with one clock and starts it with another.
func (b *breaker) restartStepped(g *group) func(context.Context, time.Duration, *rand.Rand) error {
	restart := b.restartGroup(g)
	return func(ctx context.Context, lasts time.Duration, random *rand.Rand) error {
		first, second := random.Int64N(7200)-3600, int64(0)
		if random.IntN(2) == 0 {
			first, second = second, first
		}
		err := b.setClock(g.name(), first)
		if err == nil {
			pause(ctx, lasts/2)
			err = restart(ctx, lasts/2, random)
		}
		if err == nil {
			err = b.setClock(g.name(), second)
		}
		if err == nil {
			pause(ctx, lasts/2)
			err = restart(ctx, lasts/2, random)
		}
		return errors.Join(err, b.setClock(g.name(), 0))
	}
}

func (b *breaker) restartDatabase(ctx context.Context, lasts time.Duration, _ *rand.Rand) error {
	if b.db.running.Gone() {
		return fmt.Errorf("the database ended by itself: %w", b.db.running.Err())
	}
	b.db.running.Kill()
	pause(ctx, lasts/2)
	return b.db.start(context.WithoutCancel(ctx))
}

func diskFull(dir string) func(context.Context, time.Duration, *rand.Rand) error {
	return func(ctx context.Context, lasts time.Duration, _ *rand.Rand) error {
		filler := filepath.Join(dir, "filler")
		err := fill(filler)
		if err == nil {
			pause(ctx, lasts)
		}
		err = errors.Join(err, os.Remove(filler))
		pause(ctx, afterFull)
		return err
	}
}

// afterFull is for agents to write what was in memory only: with their next check. Who is killed before has lost what no disk had.
const afterFull = 3 * time.Second

// storeAway takes the store away for long, while every agent has something to say. Nothing may get its receipt meanwhile, what the broker holds
// is bounded, and nobody is taken for silent who only is not listened to.
func (b *breaker) storeAway(ctx context.Context) error {
	b.note(fault{"database", fmt.Sprintf("away for %v", b.away), nil})
	if _, err := b.silent(ctx); err != nil { // who asks later has asked before: the server knows him
		return err
	}
	b.dbNet.proxy.Stop()
	pause(ctx, b.away/4) // what was being committed has its answer
	early, err := b.meters(ctx)
	if err != nil {
		return err
	}
	pause(ctx, b.away*3/4)
	late, err := b.meters(ctx)
	if err != nil {
		return err
	}
	silent, err := b.silent(ctx)
	if err != nil {
		return err
	}
	const committed, inflight = "fettle_broker_committed_messages_total", "fettle_broker_inflight_bytes"
	fmt.Fprintf(b.out, "the store was away for %v: %.0f messages had their receipt, %.0f KiB were held without, %d nodes were taken for silent\n",
		b.away, late[committed]-early[committed], late[inflight]/1024, silent)
	switch {
	case late[committed] != early[committed]:
		return errors.New("messages got receipts while no store was there")
	case late[inflight] > maxInflight:
		return errors.New("the broker holds more than it may")
	case late[inflight] == 0:
		return errors.New("nothing was held: nobody has sent anything")
	case silent > 0:
		return errors.New("nodes are silent because the server was busy with itself")
	}
	return b.dbNet.proxy.Start()
}

// maxInflight is what the broker may hold of messages that are not committed, in bytes.
const maxInflight = 256 << 20

// silent counts the nodes that are taken for silent.
func (h *house) silent(ctx context.Context) (n int, err error) {
	var page struct{ Nodes []struct{ Liveness string } }
	if err := h.call(ctx, http.MethodGet, "/nodes?limit=10000", nil, &page); err != nil {
		return 0, err
	}
	for _, node := range page.Nodes {
		if node.Liveness == "silent" {
			n++
		}
	}
	return n, nil
}
