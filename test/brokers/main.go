// Command brokers measures what a fleet asks of a broker, for the one that the server carries inside and for RabbitMQ and ActiveMQ, by the same
// clients, which live in another process than the broker. It prints a row for the table of docs/benchmarks.md.
//
//	go run ./test/brokers -broker embedded -nodes 1000,5000,9900
//	eval "$(test/services/services.sh env rabbitmq activemq)"; go run ./test/brokers -broker rabbitmq -nodes 1000,5000
//
// Connections are counted on both ends of loopback: more than some 28,000 want more local ports than there are.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fettle-dev/fettle/wire"
)

// settings are what the command line says.
type settings struct {
	broker string
	nodes  []int
	span   time.Duration // of the measures that go on for a while
	idle   int           // destinations that are made and left
	only   string
	settle time.Duration // before memory is looked at
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "brokers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	s := settings{}
	nodes, isBroker := "", false
	flags := flag.NewFlagSet("brokers", flag.ContinueOnError)
	flags.StringVar(&s.broker, "broker", "embedded", "embedded, rabbitmq or activemq; the address of the last two is in FETTLE_TEST_RABBITMQ and FETTLE_TEST_ACTIVEMQ")
	flags.StringVar(&nodes, "nodes", "1000", "numbers of connections, with commas between")
	flags.DurationVar(&s.span, "for", 5*time.Second, "how long messages go through one queue")
	flags.IntVar(&s.idle, "idle", 100_000, "destinations that are made and left idle")
	flags.StringVar(&s.only, "only", "", "one of nodes, queue, slow, idle; empty: all")
	flags.DurationVar(&s.settle, "settle", 3*time.Second, "how long nothing happens before memory is looked at")
	flags.BoolVar(&isBroker, "serve", false, "be the embedded broker, until standard input ends")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if isBroker {
		return serve(ctx, in, out)
	}
	for text := range strings.SplitSeq(nodes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-nodes %s: numbers with commas between", nodes)
		}
		s.nodes = append(s.nodes, n)
	}
	b, err := open(ctx, s.broker)
	if err != nil {
		return err
	}
	return errors.Join(b.measure(ctx, s, out), b.stop())
}

// subject is a broker that is measured.
type subject struct {
	target
	secure string // its address with TLS; empty: it is not measured
	process
	stop func() error
	ours bool // its process is ours, and can be had anew
}

// renew gives a broker that is ours a new process.
func (s *subject) renew(ctx context.Context) error {
	if !s.ours {
		return nil
	}
	if err := s.stop(); err != nil {
		return err
	}
	next, err := open(ctx, s.name)
	if err != nil {
		s.stop = func() error { return nil }
		return err
	}
	*s = *next
	return nil
}

// open starts the embedded broker, or finds the one that services.sh has started.
func open(ctx context.Context, name string) (*subject, error) {
	d, err := wire.DialectOf(name)
	if err != nil {
		return nil, err
	}
	s := &subject{target: target{name: name, login: "bench", passcode: "bench", prefetch: d.Prefetch, anonymous: d.Anonymous}, stop: func() error { return nil }}
	for _, h := range d.NodeQueue {
		s.own += h.Name + ":" + h.Value + "\n"
	}
	if name == "embedded" {
		s.ours = true
		s.addr, s.secure, s.stop, err = start(ctx)
	} else {
		err = s.find("FETTLE_TEST_" + strings.ToUpper(name))
	}
	if err != nil {
		return nil, err
	}
	if s.process, err = listening(s.addr); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// find reads stomp://login:passcode@host:port.
func (s *subject) find(variable string) error {
	u, err := url.Parse(os.Getenv(variable))
	if err != nil || u.Host == "" {
		return fmt.Errorf("%s is not set: start the broker with test/services/services.sh", variable)
	}
	s.addr, s.login = u.Host, u.User.Username()
	s.passcode, _ = u.User.Password()
	return nil
}

// measure does all measures, and prints each as a row.
func (s *subject) measure(ctx context.Context, cfg settings, out io.Writer) error {
	fmt.Fprintf(out, "| %s | |\n|---|---|\n", s.name)
	row := func(what, format string, args ...any) {
		fmt.Fprintf(out, "| %s | %s |\n", what, fmt.Sprintf(format, args...))
	}
	wanted := func(part string) bool { return cfg.only == "" || cfg.only == part }
	for _, n := range cfg.nodes {
		if !wanted("nodes") {
			break
		}
		for _, secure := range []bool{false, true} {
			if secure && s.secure == "" {
				continue
			}
			if err := s.renew(ctx); err != nil { // the memory of the crowd before is not this one's
				return err
			}
			if err := s.crowd(ctx, n, secure, cfg.settle, row); err != nil {
				return fmt.Errorf("%d connections: %w", n, err)
			}
		}
	}
	for _, part := range []struct {
		name string
		do   func(context.Context, settings, printer) error
	}{{"queue", s.throughQueue}, {"slow", s.slowReader}, {"idle", s.idleDestinations}} {
		if !wanted(part.name) {
			continue
		}
		if err := part.do(ctx, cfg, row); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// printer prints a row.
type printer func(what, format string, args ...any)
