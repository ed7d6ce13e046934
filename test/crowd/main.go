// Command crowd asks a large inventory many things at once while it changes, for a long time: ten askers, mixed filters, patches all the
// while. It fails when indexed questions are slow, when a residual one neither keeps to its budget nor is refused, or when memory grows.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/test/sample"
)

// settings are what the command line says.
type settings struct {
	nodes   int
	askers  int
	patches int           // a second
	span    time.Duration // how long
	budget  time.Duration // of a question that no index answers
	limit   time.Duration // that 99 of 100 indexed questions have to keep
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "crowd:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("crowd", flag.ContinueOnError)
	flags.IntVar(&s.nodes, "nodes", 100_000, "nodes in the inventory")
	flags.IntVar(&s.askers, "askers", 10, "askers at once")
	flags.IntVar(&s.patches, "patches", 2000, "patches a second")
	flags.DurationVar(&s.span, "for", 10*time.Minute, "how long")
	flags.DurationVar(&s.budget, "budget", 200*time.Millisecond, "of a question that no index answers")
	flags.DurationVar(&s.limit, "limit", 50*time.Millisecond, "that 99 of 100 indexed questions have to keep")
	if err := flags.Parse(args); err != nil {
		return err
	}
	inv, fleet := inventory.New(), sample.NewFleet()
	began := time.Now()
	for i := range s.nodes {
		if err := inv.Put(fleet.Node(i, 0)); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d nodes loaded in %s\n", s.nodes, time.Since(began).Round(time.Millisecond))
	c := &crowd{settings: s, inv: inv, fleet: fleet, out: out}
	if err := c.compile(); err != nil {
		return err
	}
	return c.run(ctx)
}

// crowd is the askers, the one who patches, and what they measured.
type crowd struct {
	settings
	inv      *inventory.Inventory
	fleet    *sample.Fleet
	out      io.Writer
	indexed  []*filter.Program
	residual []*filter.Program
	took     spans // of indexed questions
	slow     spans // of residual ones that were answered
	refused  counter
}

// questions that an index answers, and such as are decided node by node.
var (
	indexed = []fettle.Filter{
		`facts.os.family == "Debian"`, `facts.country in ["us", "ca"]`, `facts.role.startsWith("web")`, `facts.processors.count >= 16`,
		`facts.os.family == "Debian" && facts.processors.count >= 8 && facts.country in ["us", "de"] && facts.environment == "production"`,
		`!(facts.environment == "production") || facts.nosuch == 1`, `has(facts.puppet_enabled)`, `"mysql::master" in classes`,
		`identity.matches("^web")`,
	}
	residual = []fettle.Filter{
		`facts.memory.system.used_bytes > facts.memory.swap.used_bytes && facts.country == "mt"`,
		`facts.networking.hostname + "." + facts.country == identity`,
	}
)

func (c *crowd) compile() error {
	for _, one := range []struct {
		texts []fettle.Filter
		into  *[]*filter.Program
	}{{indexed, &c.indexed}, {residual, &c.residual}} {
		for _, text := range one.texts {
			p, err := filter.Compile(filter.Node, text)
			if err != nil {
				return err
			}
			*one.into = append(*one.into, p)
		}
	}
	return nil
}

func (c *crowd) run(ctx context.Context) error {
	for _, p := range append(c.indexed, c.residual...) { // the first time is another figure: docs/benchmarks.md has it
		if _, err := c.inv.Query(ctx, inventory.Query{Program: p}); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.span)
	defer cancel()
	memory := &watch{}
	g, ctx := errgroup.WithContext(ctx)
	for i := range c.askers {
		g.Go(func() error { return c.ask(ctx, i) })
	}
	g.Go(func() error { return c.change(ctx) })
	g.Go(func() error { return memory.run(ctx, c.out) })
	if err := g.Wait(); err != nil {
		return err
	}
	return c.judge(memory)
}

// ask asks one thing after another; every tenth is one that no index answers.
func (c *crowd) ask(ctx context.Context, first int) error {
	for i := first; ctx.Err() == nil; i++ {
		p, into, budget := c.indexed[i%len(c.indexed)], &c.took, time.Duration(0)
		if i%10 == 9 {
			p, into, budget = c.residual[i/10%len(c.residual)], &c.slow, c.budget
		}
		began := time.Now()
		_, err := c.inv.Query(ctx, inventory.Query{Program: p, Limit: 100 * (i % 2), Budget: budget})
		took := time.Since(began)
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, fettle.ErrUnavailable) && budget > 0:
			c.refused.add()
		case err != nil:
			return err
		default:
			into.add(took)
		}
		select { // a person, not a loop: ten of them ask a hundred things a second
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// change replaces documents by their next revision, in which what is volatile differs, at a steady rate.
func (c *crowd) change(ctx context.Context) error {
	const steps = 50 // a second
	tick := time.NewTicker(time.Second / steps)
	defer tick.Stop()
	for i := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for range c.patches / steps {
			if err := c.inv.Put(c.fleet.Node(i%c.nodes, 1+i/c.nodes)); err != nil {
				return err
			}
			i++
		}
	}
}

func (c *crowd) judge(memory *watch) error {
	fmt.Fprintf(c.out, "indexed   %d asked, p50 %s, p99 %s\n", c.took.count(), c.took.quantile(0.5), c.took.quantile(0.99))
	fmt.Fprintf(c.out, "residual  %d answered, p99 %s; %d refused over their budget of %s\n", c.slow.count(), c.slow.quantile(0.99), c.refused.count(), c.budget)
	fmt.Fprintf(c.out, "memory    %d MiB after the first tenth, %d MiB at the end\n", memory.first>>20, memory.last>>20)
	var faults []error
	if p99 := c.took.quantile(0.99); p99 > c.limit {
		faults = append(faults, fmt.Errorf("p99 of indexed questions is %s, above %s", p99, c.limit))
	}
	if memory.last > memory.first+memory.first/5 {
		faults = append(faults, fmt.Errorf("memory grew from %d to %d MiB", memory.first>>20, memory.last>>20))
	}
	return errors.Join(faults...)
}
