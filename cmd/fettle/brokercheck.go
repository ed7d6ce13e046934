package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server/api/client"
)

// brokerOrder is what check_fettle broker asks for.
type brokerOrder struct {
	queue, of         string
	warning, critical string
	timeout           wait
}

// What the thresholds may be over: of a queue, and of the broker.
var (
	ofQueue  = []string{"depth", "consumers", "oldest"}
	ofBroker = []string{"connections", "nodes", "depth"}
)

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
		if where.URL == "" {
			if where, err = findContext(a.context); err != nil {
				return err
			}
		}
		c, err := client.New(where.URL, where.Token, where.CA)
		if err != nil {
			return err
		}
		line, status, err := o.ask(cmd.Context(), c)
		if err != nil {
			return err
		}
		code = int(status.Code())
		_, err = fmt.Fprintln(a.stdout, line)
		return err
	}
	if err := cmd.ExecuteContext(ctx); err != nil {
		return unknown(reason(err))
	}
	return code
}

func (a *app) brokerPluginCommand(o *brokerOrder, where *clientContext) *cobra.Command {
	cmd := &cobra.Command{
		Use: pluginName + " broker", Short: "the server's own broker, for Nagios", Args: takes(), SilenceErrors: true, SilenceUsage: true,
		Long: `Tells how many are connected, or what stands in one queue. The ranges are over the connections, or with --queue over its depth; --of
says otherwise. Prints it as a Nagios plugin does and exits so: 0 ok, 1 warning, 2 critical, 3 unknown. Every fault is UNKNOWN with its reason,
also a queue that nobody uses.`,
		Example: `  check_fettle broker --warning 9000 --critical 10000
  check_fettle broker --of nodes --critical 180:
  check_fettle broker --queue fettle.results --warning 1000 --critical 10000
  check_fettle broker --queue /queue/orders --of consumers --critical 1:`,
	}
	cmd.SetOut(a.stdout)
	cmd.SetErr(a.stdout)
	f := cmd.Flags()
	f.StringVar(&o.queue, "queue", "", "`NAME` of a destination; one without a slash is a queue")
	f.StringVar(&o.of, "of", "", "what the ranges are over: of a queue "+strings.Join(ofQueue, ", ")+" (in seconds), else "+strings.Join(ofBroker, ", "))
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

// ask gives the line and the status.
func (o *brokerOrder) ask(ctx context.Context, c *client.API) (string, fettle.CheckStatus, error) {
	if time.Duration(o.timeout) <= 0 {
		return "", "", fmt.Errorf("--timeout %s is not above zero: %w", spell(time.Duration(o.timeout)), fettle.ErrInvalid)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(o.timeout))
	defer cancel()
	ask := o.askBroker
	if o.queue != "" {
		ask = o.askQueue
	}
	what, values, err := ask(ctx, c)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%s did not answer within %s: %w", c.URL(), spell(time.Duration(o.timeout)), fettle.ErrUnavailable)
	}
	if err != nil {
		return "", "", err
	}
	return o.judge(what, values)
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
	}, nil
}

func perf(label, unit string, value float64) fettle.Perf {
	least := 0.0
	return fettle.Perf{Label: label, Unit: unit, Value: &value, Min: &least}
}

// judge compares the value that is meant with the ranges, and writes the line.
func (o *brokerOrder) judge(what string, values []fettle.Perf) (string, fettle.CheckStatus, error) {
	known := ofBroker
	if o.queue != "" {
		known = ofQueue
	}
	of := o.of
	if of == "" {
		of = known[0]
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
