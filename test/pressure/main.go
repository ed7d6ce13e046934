// Command pressure measures what a server takes and commits: facts patches and check results of many nodes, each with a key of its own, enrolled
// and signing, on connections of their own. The server is the program itself, in a process of its own, with the broker inside. A message counts
// when its RECEIPT has come: then it is verified and on disk.
//
//	make build && go run ./test/pressure -patches 3000 -for 20s
//	go run ./test/pressure -results 5000 -store 'mysql://fettle:secret@127.0.0.1:3306/pressure'
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
	"slices"
	"syscall"
	"time"
)

// settings are what the command line says.
type settings struct {
	program  string
	store    string
	nodes    int
	patches  int // a second, all nodes together
	results  int // the same
	together int // check results in one message
	span     time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pressure:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	var s settings
	flags := flag.NewFlagSet("pressure", flag.ContinueOnError)
	flags.StringVar(&s.program, "program", "./bin/fettle", "the program")
	flags.StringVar(&s.store, "store", "", "the database, as the server's --store has it; empty: SQLite in a new directory")
	flags.IntVar(&s.nodes, "nodes", 200, "nodes, with a connection each")
	flags.IntVar(&s.patches, "patches", 3000, "facts patches a second")
	flags.IntVar(&s.results, "results", 5000, "check results a second")
	flags.IntVar(&s.together, "together", 5, "check results in one message, as an agent with several checks sends them")
	flags.DurationVar(&s.span, "for", 15*time.Second, "how long each of them comes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.nodes < 1 || s.together < 1 || s.patches < 0 || s.results < 0 {
		return errors.New("-nodes and -together are at least 1, the rates at least 0")
	}
	state, err := os.MkdirTemp("", "fettle-pressure-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(state)) }()
	h, err := startHouse(ctx, s, state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.running.End()) }()
	f, err := newFleet(ctx, s, h)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	fmt.Fprintf(out, "%d nodes enrolled, connected and known after %s\n", s.nodes, time.Since(h.began).Round(time.Millisecond))
	kind := "SQLite"
	if s.store != "" {
		kind = "MariaDB"
	}
	fmt.Fprintf(out, "| %s, %d nodes | committed | receipt after, median | 99 of 100 | CPU of the server |\n|---|---|---|---|---|\n", kind, s.nodes)
	for _, load := range []struct {
		what string
		rate int // messages a second
		each int // counted of a message
		next func(n *node) (message, error)
	}{
		{"facts patches", s.patches, 1, (*node).patch},
		{"check results", s.results / s.together, s.together, func(n *node) (message, error) { return n.report(s.together, h.revs) }},
	} {
		if load.rate == 0 {
			continue
		}
		sum, err := f.press(ctx, load.rate, load.next)
		if err != nil {
			return fmt.Errorf("%s: %w", load.what, err)
		}
		fmt.Fprintf(out, "| %s, %d offered | %.0f/s | %d ms | %d ms | %.0f %% of a core, %.0f µs each |\n", load.what, load.rate*load.each,
			float64(sum.committed*load.each)/sum.took.Seconds(), part(sum.waits, 50).Milliseconds(), part(sum.waits, 99).Milliseconds(),
			100*sum.cpu.Seconds()/sum.took.Seconds(), float64(sum.cpu.Microseconds())/float64(sum.committed*load.each))
	}
	return h.clean(ctx)
}

// part gives the span below which percent of all are; they are sorted by it.
func part(all []time.Duration, percent int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[(len(all)-1)*percent/100]
}

// configuration gives the server's file with the checks whose results are sent. Nobody executes them: their interval is long.
func configuration(state string) (string, error) {
	text := "checks:\n"
	for i := range checks {
		text += fmt.Sprintf("  - name: c%d\n    command: check_load\n    interval: 12h\n", i)
	}
	file := filepath.Join(state, "server.yaml")
	return file, os.WriteFile(file, []byte(text), 0o600)
}

// checks is how many checks each node reports.
const checks = 20
