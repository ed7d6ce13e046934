// Command compare asks PostgreSQL and MariaDB what the inventory is asked, and prints how long each takes.
//
// It makes the same nodes as the benchmarks of the inventory and loads them into what is named in the environment: FETTLE_TEST_POSTGRES_DSN, as
// documents in jsonb with a GIN index, and FETTLE_TEST_MYSQL_DSN, one row a fact with indexes over path and value. Everything it makes there is
// dropped at its end. test/services/services.sh starts both.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/test/sample"
)

// settings are what the command line says.
type settings struct {
	nodes  int
	rounds int           // how often each question is asked
	within time.Duration // for all rounds of one question; at least one is asked
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	var s settings
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	flags.IntVar(&s.nodes, "nodes", 10_000, "how many nodes")
	flags.IntVar(&s.rounds, "rounds", 25, "how often each question is asked")
	flags.DurationVar(&s.within, "within", 20*time.Second, "for how long at most")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.nodes < 1 || s.rounds < 1 {
		return fmt.Errorf("%d nodes, %d rounds: %w", s.nodes, s.rounds, fettle.ErrInvalid)
	}
	peers, err := open(ctx)
	defer func() {
		for _, p := range peers {
			err = errors.Join(err, p.close(context.WithoutCancel(ctx)))
		}
	}()
	if err != nil {
		return err
	}
	loads, err := load(ctx, peers, s.nodes)
	if err != nil {
		return err
	}
	return compare(ctx, peers, loads, s, out)
}

// peer is something that can be asked which nodes match.
type peer interface {
	name() string
	// add takes some nodes; ready is called once after the last.
	add(ctx context.Context, nodes []fettle.Node) error
	ready(ctx context.Context) error
	// size gives the bytes that the nodes take.
	size(ctx context.Context) (int64, error)
	// count gives how many nodes match a question of questions, by its name.
	count(ctx context.Context, question string) (int, error)
	// close takes away what was made.
	close(ctx context.Context) error
}

// open gives the inventory and the databases that the environment names.
func open(ctx context.Context) (peers []peer, err error) {
	peers = append(peers, newOurs())
	for _, p := range []struct {
		variable string
		open     func(context.Context, string) (peer, error)
	}{{"FETTLE_TEST_POSTGRES_DSN", openPostgres}, {"FETTLE_TEST_MYSQL_DSN", openMaria}} {
		dsn := os.Getenv(p.variable)
		if dsn == "" {
			continue
		}
		one, err := p.open(ctx, dsn)
		if err != nil {
			return peers, fmt.Errorf("%s: %w", p.variable, err)
		}
		peers = append(peers, one)
	}
	if len(peers) == 1 {
		return peers, fmt.Errorf("neither FETTLE_TEST_POSTGRES_DSN nor FETTLE_TEST_MYSQL_DSN is set; see test/services/services.sh: %w", fettle.ErrInvalid)
	}
	return peers, nil
}

// loadAtOnce is how many nodes are loaded together.
const loadAtOnce = 250

// load gives all peers the same nodes, and tells for each how long it took.
func load(ctx context.Context, peers []peer, nodes int) ([]time.Duration, error) {
	took, fleet := make([]time.Duration, len(peers)), sample.NewFleet()
	timed := func(i int, f func() error) error {
		begun := time.Now()
		defer func() { took[i] += time.Since(begun) }()
		if err := f(); err != nil {
			return fmt.Errorf("load %s: %w", peers[i].name(), err)
		}
		return nil
	}
	for from := 0; from < nodes; from += loadAtOnce {
		var list []fettle.Node
		for i := from; i < min(from+loadAtOnce, nodes); i++ {
			list = append(list, fleet.Node(i, 0))
		}
		for i, p := range peers {
			if err := timed(i, func() error { return p.add(ctx, list) }); err != nil {
				return nil, err
			}
		}
	}
	for i, p := range peers {
		if err := timed(i, func() error { return p.ready(ctx) }); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// ask asks one question again and again, and gives the answer and the median of the times.
func ask(ctx context.Context, p peer, question string, s settings) (matched int, median time.Duration, err error) {
	var took []time.Duration
	for end := time.Now().Add(s.within); len(took) == 0 || len(took) < s.rounds && time.Now().Before(end); {
		begun := time.Now()
		if matched, err = p.count(ctx, question); err != nil {
			return 0, 0, fmt.Errorf("ask %s for %s: %w", p.name(), question, err)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	return matched, took[len(took)/2], nil
}
