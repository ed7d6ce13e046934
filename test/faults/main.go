//go:build unix

// Command faults has a fleet count while server, agents, database, network, disks and messages are broken at random moments, and then looks
// whether every number is in the store, once. A promise that was broken ends it with what shows it, and with the seed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

// settings are what the command line says.
type settings struct {
	program  string        // the fettle to run
	nodes    int           // how many agents
	groups   int           // processes that they are divided among
	span     time.Duration // how long faults are made
	settle   time.Duration // until everything has to be well again
	every    time.Duration // from one run to the next
	longest  time.Duration // that a fault lasts
	away     time.Duration // how long the store is away once, before the other faults; zero: it is not
	seed     uint64
	database string // sqlite or mariadb
	memory   int    // MiB that the server may have
	clock    string // folder of the program, which is built with a clock that can be set; empty: it is not
	restart  bool   // the server alone is killed, once, and the way back is measured
	down     time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("faults", flag.ContinueOnError)
	flags.StringVar(&s.program, "program", "bin/fettle", "the fettle to run")
	flags.IntVar(&s.nodes, "nodes", 200, "how many agents")
	flags.IntVar(&s.groups, "groups", 4, "processes that the agents are divided among")
	flags.DurationVar(&s.span, "for", 10*time.Minute, "how long faults are made")
	flags.DurationVar(&s.settle, "settle", 3*time.Minute, "until everything has to be well again afterwards")
	flags.DurationVar(&s.every, "every", 500*time.Millisecond, "from one numbered run to the next")
	flags.DurationVar(&s.longest, "longest", 6*time.Second, "the longest that a fault lasts")
	flags.DurationVar(&s.away, "away", 0, "how long the store is away at first, with all agents writing; wants -database mariadb")
	flags.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixNano()), "of the order of faults")
	flags.StringVar(&s.database, "database", "sqlite", "sqlite or mariadb, of which one is started")
	flags.IntVar(&s.memory, "memory", 512, "MiB that the server may have")
	flags.StringVar(&s.clock, "clock", "", "build the program of this folder with a wall clock that can be set, and set those of server and agents: cmd/fettle")
	flags.BoolVar(&s.restart, "restart", false, "instead of faults: kill the server once, and measure how the agents come back")
	flags.DurationVar(&s.down, "down", 2*time.Second, "with -restart, until the server is started again")
	zerolog.SetGlobalLevel(zerolog.Disabled) // toxiproxy's disturbances talk to a logger that nobody hands them
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.groups < 1 || s.nodes < s.groups || s.database != "sqlite" && s.database != "mariadb" || s.away > 0 && s.database != "mariadb" {
		return errors.New("these settings do not fit together; see -h")
	}
	dir, err := os.MkdirTemp("", "fettle-faults-")
	if err != nil {
		return err
	}
	err = s.test(ctx, dir, out)
	if err == nil {
		return os.RemoveAll(dir)
	}
	return fmt.Errorf("seed %d: %w (state and logs are kept in %s)", s.seed, err, dir)
}

// test is the whole story: start, break, heal, count.
func (s settings) test(ctx context.Context, dir string, out io.Writer) (err error) {
	h, err := build(ctx, s, dir)
	if h != nil {
		defer func() { err = errors.Join(err, h.close()) }()
	}
	if err != nil {
		return err
	}
	if s.restart {
		return h.measureReturn(ctx, out)
	}
	w := &work{house: h}
	load, stopLoad := context.WithCancel(ctx)
	defer stopLoad()
	loaded := make(chan struct{})
	go func() { defer close(loaded); w.run(load) }()
	breaking := &breaker{house: h, out: out}
	err = breaking.run(ctx)
	stopLoad()
	<-loaded
	if err != nil {
		return err
	}
	healed := time.Now()
	fmt.Fprintf(out, "healed after %d faults; waiting until all is well\n", breaking.total())
	if err := h.becomeWell(ctx, out); err != nil {
		return err
	}
	fmt.Fprintf(out, "well after %v; counting\n", time.Since(healed).Round(time.Second))
	found, err := h.account(ctx, w)
	breaking.print(out)
	h.print(out, found)
	return err
}

// record is the file in which a group puts down what it executes.
func record(dir string, group int) string {
	return filepath.Join(dir, fmt.Sprintf("group%d.record", group))
}
