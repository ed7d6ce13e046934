package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server/api/client"
	"github.com/fettle-dev/fettle/wire/gauge"
)

// brokerOrder is what check_fettle broker asks for.
type brokerOrder struct {
	queue, of         string
	warning, critical string
	timeout           wait
	foreign           foreignBroker
	cacti             bool
}

// brokerPlugin is check_fettle broker. Like plugin, it prints one status whatever happens.
func (a *app) brokerPlugin(ctx context.Context, args []string) (code int) {
	var o brokerOrder
	var where clientContext
	unknown := func(text string) int {
		fmt.Fprintf(a.stdout, "broker: UNKNOWN: %s\n", plainLine(text, maxReason))
		return int(fettle.CodeUnknown)
	}
	defer func() {
		if fault := recover(); fault != nil {
			code = unknown(fmt.Sprintf("internal error: %v", fault))
		}
	}()
	cmd := a.brokerPluginCommand(&o, &where)
	cmd.SetArgs(args)
	code = int(fettle.CodeUnknown) // --help exits so
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if o.foreign.url != "" {
			code, err = a.brokerAnswer(cmd.Context(), &o, func(ctx context.Context) (string, []fettle.Perf, error) { return o.foreign.read(ctx, o.queue, where) })
			return err
		}
		if where.URL == "" {
			if where, err = findContext(a.context); err != nil {
				return err
			}
		}
		c, err := client.New(where.URL, where.Token, where.CA)
		if err != nil {
			return err
		}
		code, err = a.brokerAnswer(cmd.Context(), &o, func(ctx context.Context) (string, []fettle.Perf, error) { return o.read(ctx, c) })
		return err
	}
	if err := cmd.ExecuteContext(ctx); err != nil {
		return unknown(reason(err))
	}
	return code
}

func (a *app) brokerPluginCommand(o *brokerOrder, where *clientContext) *cobra.Command {
	cmd := &cobra.Command{
		Use: pluginName + " broker", Short: "a broker or one of its queues, for Nagios", Args: takes(), SilenceErrors: true, SilenceUsage: true,
		Long: `Tells what a broker holds and who is connected, or what stands in one queue: of the server's own broker, or with --broker of RabbitMQ
(its management API) and ActiveMQ (its statistics plugin, over STOMP). The ranges are over the depth of the queue, and of the own broker over its
connections; --of names another of the values behind the '|'. Prints it as a Nagios plugin does and exits so: 0 ok, 1 warning, 2 critical, 3
unknown. Every fault is UNKNOWN with its reason, also a queue that nobody uses. --cacti prints the values as key:value, and exits so too.`,
		Example: `  check_fettle broker --warning 9000 --critical 10000
  check_fettle broker --of nodes --critical 180:
  check_fettle broker --queue fettle.results --warning 1000 --critical 10000
  check_fettle broker --queue /queue/orders --of consumers --critical 1:
  check_fettle broker --broker https://mq.acme.net:15671/shop --secret-file /etc/fettle/mq.secret --queue orders --warning 1000 --critical 2000
  check_fettle broker --broker stomps://amq.acme.net:61614 --secret-file /etc/fettle/amq.secret --of memory_percent --critical 80
  check_fettle broker --queue orders --cacti`,
	}
	cmd.SetOut(a.stdout)
	cmd.SetErr(a.stdout)
	f := cmd.Flags()
	f.StringVar(&o.queue, "queue", "", "`NAME` of a destination; one without a slash is a queue")
	f.StringVar(&o.of, "of", "", "`VALUE` that the ranges are over: depth, consumers, oldest (in seconds), connections, nodes, memory or another of those printed")
	f.StringVar(&o.foreign.url, "broker", "", "`URL` of another broker: https://host:15671/virtual-host of RabbitMQ's management, stomps://host:61614 of ActiveMQ")
	f.StringVar(&o.foreign.secret, "secret-file", "", "`FILE` with login:passcode for --broker")
	f.BoolVar(&o.cacti, "cacti", false, "print key:value for Cacti")
	f.StringVarP(&o.warning, "warning", "w", "", "Nagios `RANGE`")
	f.StringVarP(&o.critical, "critical", "c", "", "Nagios `RANGE`")
	o.timeout = wait(10 * time.Second)
	f.VarP(&o.timeout, "timeout", "t", "after which the answer is UNKNOWN")
	f.StringVar(&where.URL, "url", "", "`URL` of the server; default: the context's")
	f.StringVar(&where.Token, "token", "", "API `TOKEN`; better: a context file that only Nagios can read")
	f.StringVar(&where.CA, "ca", "", "`FILE` of certificates to trust")
	f.StringVar(&a.context, "context", "", "`FILE` that says where the server is")
	return cmd
}

// brokerAnswer prints what read gives within the time that there is, and gives the code.
func (a *app) brokerAnswer(ctx context.Context, o *brokerOrder, read func(context.Context) (string, []fettle.Perf, error)) (int, error) {
	limit := time.Duration(o.timeout)
	if limit <= 0 {
		return int(fettle.CodeUnknown), fmt.Errorf("--timeout %s is not above zero: %w", spell(limit), fettle.ErrInvalid)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	what, values, err := read(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("there was no answer within %s: %w", spell(limit), fettle.ErrUnavailable)
	}
	if err != nil {
		return int(fettle.CodeUnknown), err
	}
	line, status, err := o.judge(what, values)
	if err != nil {
		return int(fettle.CodeUnknown), err
	}
	if o.cacti {
		line = cactiLine(values)
	}
	_, err = fmt.Fprintln(a.stdout, line)
	return int(status.Code()), err
}

// cactiLine writes values as Cacti reads them.
func cactiLine(values []fettle.Perf) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = v.Label + ":" + strconv.FormatFloat(*v.Value, 'f', -1, 64)
	}
	return strings.Join(words, " ")
}

// read asks the server for its own broker.
func (o *brokerOrder) read(ctx context.Context, c *client.API) (string, []fettle.Perf, error) {
	if o.queue != "" {
		return o.askQueue(ctx, c)
	}
	return o.askBroker(ctx, c)
}

// foreignBroker is a broker that is not the server's own.
type foreignBroker struct{ url, secret string }

// read asks it, by the scheme of its address.
func (f foreignBroker) read(ctx context.Context, queue string, where clientContext) (string, []fettle.Perf, error) {
	u, err := url.Parse(f.url)
	if err != nil || u.Host == "" {
		return "", nil, fmt.Errorf("--broker %q is no address such as https://mq:15671 or stomps://amq:61614: %w", f.url, fettle.ErrInvalid)
	}
	if u.User != nil {
		return "", nil, fmt.Errorf("--broker has an account in it, which everybody on this machine could read: put login:passcode into a --secret-file: %w", fettle.ErrInvalid)
	}
	b := gauge.Broker{URL: f.url}
	if f.secret != "" {
		s, err := readSecret(f.secret)
		if err != nil {
			return "", nil, err
		}
		b.Login, b.Passcode = s.login, s.passcode
	}
	if b.TLS, err = clientTLS(where.CA, "", ""); err != nil {
		return "", nil, err
	}
	ask := gauge.RabbitMQ
	switch u.Scheme {
	case "http", "https":
	case "stomp", "stomps":
		ask = gauge.ActiveMQ
	default:
		return "", nil, fmt.Errorf("--broker %s: https is RabbitMQ's management, stomps is ActiveMQ: %w", f.url, fettle.ErrInvalid)
	}
	if (u.Scheme == "http" || u.Scheme == "stomp") && f.secret != "" && !isLoopback(u.Host) {
		return "", nil, fmt.Errorf("--broker %s would send the passcode without TLS: write %ss://: %w", f.url, u.Scheme, fettle.ErrInvalid)
	}
	r, err := ask(ctx, b, queue)
	return r.Text, r.Values, err
}

func (o *brokerOrder) askBroker(ctx context.Context, c *client.API) (string, []fettle.Perf, error) {
	b, err := c.Broker(ctx)
	if err != nil {
		return "", nil, err
	}
	what := fmt.Sprintf("%d connections, %d nodes, %s messages a second in and %s out", b.Connections, b.NodesConnected, rate(b.InPerSecond), rate(b.OutPerSecond))
	return what, []fettle.Perf{
		perf("connections", "", float64(b.Connections)), perf("nodes", "", float64(b.NodesConnected)), perf("depth", "", float64(b.HeldMessages)),
		perf("queued", "B", float64(b.QueuedBytes)), perf("in", "c", float64(b.In)), perf("out", "c", float64(b.Out)),
		perf("logins", "c", float64(b.Logins)), perf("slow", "c", float64(b.Slow)),
		perf("in_per_second", "", b.InPerSecond), perf("out_per_second", "", b.OutPerSecond), perf("memory", "B", float64(b.HeldBytes+b.QueuedBytes+b.InflightBytes)),
	}, nil
}

func (o *brokerOrder) askQueue(ctx context.Context, c *client.API) (string, []fettle.Perf, error) {
	name := o.queue
	if !strings.HasPrefix(name, "/") {
		name = "/queue/" + name
	}
	list, err := c.Destinations(ctx, &client.ListDestinationsParams{Name: &name})
	if err != nil {
		return "", nil, err
	}
	if len(list.Destinations) != 1 {
		return "", nil, fmt.Errorf("%s is not one destination: %w", name, fettle.ErrNotFound)
	}
	d := list.Destinations[0]
	oldest := float64(d.OldestMs) / 1000
	what := fmt.Sprintf("%s holds %s, the oldest for %gs, and has %s", d.Name, plural(int(d.Depth), "message"), oldest, plural(int(d.Consumers), "consumer"))
	return what, []fettle.Perf{
		perf("depth", "", float64(d.Depth)), perf("consumers", "", float64(d.Consumers)), perf("oldest", "s", oldest),
		perf("bytes", "B", float64(d.Bytes)), perf("in", "c", float64(d.In)), perf("out", "c", float64(d.Out)),
		perf("in_per_second", "", d.InPerSecond), perf("out_per_second", "", d.OutPerSecond),
	}, nil
}

func perf(label, unit string, value float64) fettle.Perf {
	least := 0.0
	value = math.Round(value*1000) / 1000 // a rate is a quotient, and nobody wants seventeen digits of it
	return fettle.Perf{Label: label, Unit: unit, Value: &value, Min: &least}
}

// judge compares the value that is meant with the ranges, and writes the line.
func (o *brokerOrder) judge(what string, values []fettle.Perf) (string, fettle.CheckStatus, error) {
	of := o.of
	if of == "" && len(values) > 0 {
		of = values[0].Label
	}
	known := make([]string, len(values))
	for i, v := range values {
		known[i] = v.Label
	}
	status := fettle.CheckOK
	for i := range values {
		v := &values[i]
		if v.Label != of {
			continue
		}
		for _, limit := range []struct {
			flag, text string
			status     fettle.CheckStatus
			perf       *string
		}{{"--warning", o.warning, fettle.CheckWarning, &v.Warn}, {"--critical", o.critical, fettle.CheckCritical, &v.Crit}} {
			if limit.text == "" {
				continue
			}
			r, err := nagios.ParseRange(limit.text)
			if err == nil && r.Percent {
				err = fmt.Errorf("range %q: there is nothing that it is a percentage of: %w", limit.text, fettle.ErrInvalid)
			}
			if err != nil {
				return "", "", fmt.Errorf("%s: %w", limit.flag, err)
			}
			if *limit.perf = limit.text; r.Alert(*v.Value) {
				status = limit.status
			}
		}
		return fmt.Sprintf("broker: %s: %s|%s", strings.ToUpper(string(status)), plainLine(what, maxReason), nagios.FormatPerfdata(values)), status, nil
	}
	return "", "", fmt.Errorf("--of %s: one of %s: %w", o.of, strings.Join(known, ", "), fettle.ErrInvalid)
}
