package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) brokerCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use: "broker", Short: "what goes on in the server's own broker", GroupID: groupPeople,
		Long: `Connections, logins and messages a second, what waits, who was cut off because it did not read, and which logins were refused. Rates
are of the last few seconds. Where the server uses RabbitMQ or ActiveMQ, their own tools tell that.`,
		Example: `  fettle broker
  fettle broker connections --sort queued
  fettle broker destinations --sort depth
  fettle broker dead-letters --since 1h`,
	}, a.connectionsCommand(), a.destinationsCommand(), a.slowCommand(), a.disconnectCommand(), a.lettersCommand())
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		b, err := c.Broker(cmd.Context())
		if err != nil {
			return err
		}
		return a.printObject(b, func() error { return a.printBroker(b) })
	}
	return cmd
}

func (a *app) printBroker(b *client.BrokerInfo) error {
	refused := []string{}
	for _, why := range slices.Sorted(maps.Keys(b.RefusedLogins)) {
		if n := b.RefusedLogins[why]; n > 0 {
			refused = append(refused, fmt.Sprintf("%d %s", n, why))
		}
	}
	if b.RefusedConnections > 0 {
		refused = append(refused, fmt.Sprintf("%d too many connections", b.RefusedConnections))
	}
	if len(refused) == 0 {
		refused = []string{"none"}
	}
	for _, line := range [][2]string{
		{"broker", fmt.Sprintf("%s, for %s", b.Broker, spell(time.Since(b.Since).Round(time.Second)))},
		{"connections", fmt.Sprintf("%d, of them %d logged in, %d nodes; %d subscriptions to %d destinations", b.Connections, b.Sessions, b.NodesConnected, b.Subscriptions, b.Destinations)},
		{"logins", fmt.Sprintf("%s a second, %d in all, %d superseded", rate(b.LoginsPerSecond), b.Logins, b.Superseded)},
		{"refused", strings.Join(refused, ", ")},
		{"in", fmt.Sprintf("%s messages and %s a second; %d and %s in all, %d committed", rate(b.InPerSecond), byteText(b.BytesInPerSecond), b.In, byteText(float64(b.BytesIn)), b.Committed)},
		{"out", fmt.Sprintf("%s messages and %s a second; %d and %s in all", rate(b.OutPerSecond), byteText(b.BytesOutPerSecond), b.Out, byteText(float64(b.BytesOut)))},
		{"waiting", fmt.Sprintf("%s to be written, %d messages of %s in queues, %s not yet stored", byteText(float64(b.QueuedBytes)), b.HeldMessages, byteText(float64(b.HeldBytes)), byteText(float64(b.InflightBytes)))},
		{"trouble", fmt.Sprintf("%d slow ones cut off, %d dropped, %d redelivered, %d ERROR frames", b.Slow, b.Dropped, b.Redelivered, b.Errors)},
	} {
		if _, err := fmt.Fprintf(a.stdout, "%-12s %s\n", line[0], clean(line[1])); err != nil {
			return err
		}
	}
	return nil
}

// rate writes a number a second: small ones with a digit behind the point.
func rate(perSecond float64) string {
	if perSecond > 0 && perSecond < 10 {
		return strconv.FormatFloat(perSecond, 'f', 1, 64)
	}
	return strconv.FormatFloat(perSecond, 'f', 0, 64)
}

// byteText writes a number of bytes as people read it.
func byteText(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if n < 1024 {
			return strings.TrimSuffix(strconv.FormatFloat(n, 'f', 1, 64), ".0") + " " + unit
		}
		n /= 1024
	}
	return strconv.FormatFloat(n, 'f', 1, 64) + " GiB"
}

// text gives what a pointer leads to, and "" where it leads nowhere.
func text[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}

// whoIs names the owner of a connection: a node, or "@" and the name of who is none.
func whoIs[T ~string](node *T, name *string) string {
	if node != nil {
		return string(*node)
	}
	return "@" + text(name)
}

func (a *app) connectionsCommand() *cobra.Command {
	var node, order string
	var limit int
	orders := []string{"who", "since", "in", "out", "queued"}
	cmd := &cobra.Command{
		Use: "connections", Short: "who is connected", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Example: `  fettle broker connections --sort queued --limit 20
  fettle broker connections --node 'web*' -o json`,
	}
	cmd.Flags().StringVar(&node, "node", "", "only this `NODE`, or those that a pattern matches")
	cmd.Flags().StringVar(&order, "sort", orders[0], "`KEY`: "+strings.Join(orders, ", "))
	cmd.Flags().IntVar(&limit, "limit", 0, "the first `NUMBER` of them; default: all")
	flagNames(cmd, map[string]complete{"sort": cobra.FixedCompletions(orders, cobra.ShellCompDirectiveNoFileComp), "node": a.namesOf(-1, nodeNames)})
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !slices.Contains(orders, order) {
			return usage(fmt.Errorf("--sort %s: one of %s", order, strings.Join(orders, ", ")))
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		list, err := pages(limit, func(n *int64, cursor *string) ([]client.BrokerConnection, int64, string, error) {
			sort := client.ListConnectionsParamsSort(order)
			got, err := c.Connections(cmd.Context(), &client.ListConnectionsParams{Node: pointer(node), Sort: &sort, Limit: n, Cursor: cursor})
			if err != nil {
				return nil, 0, "", err
			}
			return got.Connections, got.Total, got.Next, nil
		})
		if err != nil {
			return err
		}
		l := connectionListing(list.items)
		l.object = client.ConnectionList{Connections: list.items, Total: list.total}
		l.footer = list.footer("connection")
		return l.write(a)
	}
	return cmd
}

func connectionListing(list []client.BrokerConnection) listing {
	l := listing{columns: []string{"WHO", "ADDRESS", "TLS", "SINCE", "IN/S", "OUT/S", "QUEUED", "CREDIT", "+PENDING", "+IN", "+OUT", "+HEARD", "+SESSION"}}
	for _, c := range list {
		l.rows = append(l.rows, []string{
			whoIs(c.Node, c.Name), c.Address, orDash(text(c.Tls)), ago(c.Since), rate(c.InPerSecond), rate(c.OutPerSecond), byteText(float64(c.QueuedBytes)),
			strconv.FormatInt(c.Credit, 10), strconv.FormatInt(c.Pending, 10), strconv.FormatInt(c.In, 10), strconv.FormatInt(c.Out, 10), ago(c.Heard), c.Session,
		})
		l.lines = append(l.lines, c)
	}
	return l
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (a *app) destinationsCommand() *cobra.Command {
	var kind, order string
	var limit int
	orders, kinds := []string{"name", "depth", "oldest", "in", "out", "consumers"}, []string{"topic", "queue", "transient", "collected"}
	cmd := &cobra.Command{
		Use: "destinations", Short: "topics and queues that are in use", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Long: `A transient queue, such as a node's own, is gone with its last consumer; a collected one is read by the server itself, and its depth is
what is not stored yet. What nobody uses is not kept, and not listed.`,
		Example: `  fettle broker destinations --sort depth --limit 20
  fettle broker destinations --kind collected`,
	}
	cmd.Flags().StringVar(&kind, "kind", "", "`KIND`: "+strings.Join(kinds, ", "))
	cmd.Flags().StringVar(&order, "sort", orders[0], "`KEY`: "+strings.Join(orders, ", "))
	cmd.Flags().IntVar(&limit, "limit", 0, "the first `NUMBER` of them; default: all")
	flagNames(cmd, map[string]complete{
		"sort": cobra.FixedCompletions(orders, cobra.ShellCompDirectiveNoFileComp), "kind": cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp),
	})
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !slices.Contains(orders, order) || kind != "" && !slices.Contains(kinds, kind) {
			return usage(fmt.Errorf("--sort is one of %s, --kind one of %s", strings.Join(orders, ", "), strings.Join(kinds, ", ")))
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		list, err := pages(limit, func(n *int64, cursor *string) ([]client.BrokerDestination, int64, string, error) {
			sort, only := client.ListDestinationsParamsSort(order), client.ListDestinationsParamsKind(kind)
			got, err := c.Destinations(cmd.Context(), &client.ListDestinationsParams{Kind: pointer(only), Sort: &sort, Limit: n, Cursor: cursor})
			if err != nil {
				return nil, 0, "", err
			}
			return got.Destinations, got.Total, got.Next, nil
		})
		if err != nil {
			return err
		}
		l := listing{
			columns: []string{"NAME", "KIND", "DEPTH", "CONSUMERS", "IN/S", "OUT/S", "OLDEST", "+PENDING", "+BYTES", "+IN", "+OUT"},
			object:  client.DestinationList{Destinations: list.items, Total: list.total}, footer: list.footer("destination"),
		}
		for _, d := range list.items {
			oldest := "-"
			if d.OldestMs > 0 {
				oldest = span(d.OldestMs)
			}
			l.rows = append(l.rows, []string{
				d.Name, d.Kind, strconv.FormatInt(d.Depth, 10), strconv.FormatInt(d.Consumers, 10), rate(d.InPerSecond), rate(d.OutPerSecond), oldest,
				strconv.FormatInt(d.Pending, 10), strconv.FormatInt(d.Bytes, 10), strconv.FormatInt(d.In, 10), strconv.FormatInt(d.Out, 10),
			})
			l.lines = append(l.lines, d)
		}
		return l.write(a)
	}
	return cmd
}

// paged is what was read of a list that comes in pages.
type paged[T any] struct {
	items []T
	total int64
}

// footer says how many there are besides those that are shown.
func (p paged[T]) footer(what string) string {
	if int64(len(p.items)) < p.total {
		return fmt.Sprintf("the first %d of %s", len(p.items), plural(int(p.total), what))
	}
	return plural(len(p.items), what)
}

// pages follows the cursors to the end, or to the limit where that is above zero.
func pages[T any](limit int, get func(limit *int64, cursor *string) (items []T, total int64, next string, err error)) (p paged[T], err error) {
	p.items = []T{}
	for cursor := ""; ; {
		n := int64(1000)
		if limit > 0 {
			n = min(n, int64(limit-len(p.items)))
		}
		items, total, next, err := get(&n, pointer(cursor))
		if err != nil {
			return p, err
		}
		p.items, p.total = append(p.items, items...), total
		if next == "" || limit > 0 && len(p.items) >= limit {
			return p, nil
		}
		cursor = next
	}
}

func (a *app) slowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "slow", Short: "who reads too slowly, and who was cut off for it", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Long:    "Who does not read what is sent to it is cut off when 8 MiB wait for it, so that nobody else waits. The last hundred are remembered.",
		Example: "  fettle broker slow\n  fettle broker slow -o json",
	}
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		slow, err := c.Slow(cmd.Context())
		if err != nil {
			return err
		}
		l := listing{
			columns: []string{"WHO", "ADDRESS", "STATE", "WHEN", "QUEUED", "REASON", "+SESSION"}, object: slow,
			footer: fmt.Sprintf("%d lag now; %d were cut off since the server's start", len(slow.Lagging), slow.Total),
		}
		for _, s := range slow.Lagging {
			l.rows = append(l.rows, []string{whoIs(s.Node, s.Name), s.Address, "lagging", "now", byteText(float64(s.QueuedBytes)), "-", s.Session})
			l.lines = append(l.lines, s)
		}
		for _, s := range slow.Cut {
			l.rows = append(l.rows, []string{whoIs(s.Node, s.Name), s.Address, "cut off", ago(s.At), byteText(float64(s.QueuedBytes)), s.Reason, s.Session})
			l.lines = append(l.lines, s)
		}
		return l.write(a)
	}
	return cmd
}

func (a *app) disconnectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "disconnect NODE", Short: "end a node's connection", Args: takes("NODE"), ValidArgsFunction: a.namesOf(0, nodeNames),
		Long: `Ends the connection of a node, or of the client with the session that "fettle broker connections -o wide" shows. It may connect again, and
an agent does; to keep a node out, revoke its key. The server's log says who did this. Wants an admin's token.`,
		Example: "  fettle broker disconnect web1.acme.net",
	}
	a.outputFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		done, err := c.Disconnect(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if a.output == "json" {
			return printJSON(a.stdout, done)
		}
		_, err = fmt.Fprintf(a.stdout, "%s ended\n", plural(len(done.Sessions), "connection"))
		return err
	}
	return cmd
}
