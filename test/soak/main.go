//go:build unix

// Command soak runs a server and a fleet of emulated agents for a long time, asks all of them again and again, and fails when one does not
// answer, when an answer is not right, when memory grows, or when a process does not end in time. With -checks the fleet keeps checks instead,
// while the server is restarted, killed and away: no state may be lost or stuck, and every tally is that of the inventory.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/fettle-dev/fettle/test/proc"
)

// settings are what the command line says.
type settings struct {
	program    string        // the fettle to run
	nodes      int           // how many agents
	span       time.Duration // how long
	every      time.Duration // from one round of questions to the next
	startLimit time.Duration // until server and fleet are ready
	checks     int           // how many checks are kept; zero: none, and the nodes are asked
	interval   time.Duration // of the checks
	away       time.Duration // how long the server is away
	states     string        // what the checks give, as emulate has it; empty: by the interval
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	var s settings
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.StringVar(&s.program, "program", "bin/fettle", "the fettle to run")
	flags.IntVar(&s.nodes, "nodes", 500, "how many agents")
	flags.DurationVar(&s.span, "for", 10*time.Minute, "how long")
	flags.DurationVar(&s.every, "every", 5*time.Second, "from one round of questions to the next")
	flags.DurationVar(&s.startLimit, "start", 2*time.Minute, "until server and fleet must be ready")
	flags.IntVar(&s.checks, "checks", 0, "how many checks the nodes keep; with it, the server is restarted, killed and away")
	flags.DurationVar(&s.interval, "interval", 30*time.Second, "with -checks: of each of them")
	flags.DurationVar(&s.away, "away", 5*time.Minute, "with -checks: how long the server is away once")
	flags.StringVar(&s.states, "states", "", "with -checks: percent of warning, critical and unknown, and how long a state lasts; default: 6,4,2 and four intervals")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.states == "" {
		s.states = fmt.Sprintf("6,4,2,%s", 4*s.interval)
	}
	if s.checks > 0 {
		return s.soakChecks(ctx, out)
	}
	state, err := os.MkdirTemp("", "fettle-soak-")
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(state)
		} else {
			err = fmt.Errorf("%w (state and logs are kept in %s)", err, state)
		}
	}()
	server, err := s.start(ctx, state, "server", "server", "--state", filepath.Join(state, "server"), "--http", "127.0.0.1:0", "--stomp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.End()) }()
	fleet, err := s.start(ctx, state, "emulator", "emulate", "--nodes", strconv.Itoa(s.nodes), "--server", server.Said("stomp"),
		"--secret-file", filepath.Join(state, "server", "broker.secret"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.End()) }()
	return s.soak(ctx, out, server, fleet)
}

// start runs the program until it says that it is ready. Its diagnostics go to a file in state.
func (s settings) start(ctx context.Context, state, name string, args ...string) (*proc.Process, error) {
	log := filepath.Join(state, name+".log")
	p, err := proc.Start(proc.Command{Name: name, Program: s.program, Args: args, Log: log})
	if err != nil {
		return nil, err
	}
	if err := p.MustReady(ctx, s.startLimit); err != nil {
		return nil, fmt.Errorf("%w; its log is %s", err, log)
	}
	return p, nil
}

// soak asks until the time is over, and then looks at how memory went.
func (s settings) soak(ctx context.Context, out io.Writer, server, fleet *proc.Process) error {
	ctx, cancel := context.WithTimeout(ctx, s.span)
	defer cancel()
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	var took []time.Duration
	var memory [2][]int // MiB, of server and fleet
	for round := 1; ; round++ {
		t, err := s.ask(ctx, server.Said("context"))
		if ctx.Err() == context.DeadlineExceeded {
			break
		}
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		took = append(took, t)
		for i, p := range []*proc.Process{server, fleet} {
			mib, err := p.Resident()
			if err != nil {
				return fmt.Errorf("round %d: the %s is gone: %w", round, p.Name(), err)
			}
			memory[i] = append(memory[i], mib)
		}
		fmt.Fprintf(out, "round %d: %d answers in %v, server %d MiB, fleet %d MiB\n", round, s.nodes, t.Round(time.Millisecond), memory[0][round-1], memory[1][round-1])
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
	}
	if len(took) == 0 {
		return errors.New("not one round of questions was answered in the whole time")
	}
	fmt.Fprintf(out, "%d nodes, %d rounds in %v: median %v, longest %v\n", s.nodes, len(took), s.span, middle(took).Round(time.Millisecond), longest(took).Round(time.Millisecond))
	return errors.Join(growth("server", memory[0]), growth("fleet", memory[1]))
}

// ask pings every node by the command line, and wants an answer from each.
func (s settings) ask(ctx context.Context, contextFile string) (time.Duration, error) {
	began := time.Now()
	cmd := exec.CommandContext(ctx, s.program, "run", "agent.ping", "--all", "--timeout", "30s", "-o", "json", "--context", contextFile)
	said, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return 0, fmt.Errorf("%v: %w: %s%s", cmd.Args, err, exit.Stderr, said)
	} else if err != nil {
		return 0, err
	}
	var answer struct {
		Tally struct{ Roster, OK int }
	}
	if err := json.Unmarshal(said, &answer); err != nil {
		return 0, fmt.Errorf("%v: %w", cmd.Args, err)
	}
	if t := answer.Tally; t.Roster != s.nodes || t.OK != s.nodes {
		return 0, fmt.Errorf("%d nodes were asked and %d answered, want %d: %s", t.Roster, t.OK, s.nodes, said)
	}
	return time.Since(began), nil
}
