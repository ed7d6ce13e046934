package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) prometheusCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "prometheus", Short: "the nodes that Prometheus is told to scrape", GroupID: groupBridge,
		Long: `Prometheus finds nodes by http_sd: it asks the server for those of a filter. A list that suddenly becomes much shorter is held for a while, so that a
fault does not take the targets away, and their alerts with them; whoever knows that it is meant releases it.`,
		Example: "  fettle prometheus targets -W environment=production --port 9100\n  fettle prometheus lists\n  fettle prometheus release --all",
	}, a.targetsCommand(), a.targetListsCommand(), a.releaseCommand())
}

func (a *app) targetsCommand() *cobra.Command {
	var (
		m    aim
		p    client.PrometheusTargetsParams
		port string
		cmd  = &cobra.Command{
			Use: "targets FILTER", Short: "what Prometheus would be given of a filter", Args: takes("FILTER?"), ValidArgsFunction: a.namesOf(0, savedNames),
			Long: "With -o json it is a file for file_sd, too.",
			Example: `  fettle prometheus targets 'facts.kernel == "Linux"'
  fettle prometheus targets @web --port facts.exporter.port --label site=facts.dc,os.family -o json > targets.json`,
		}
		address, label string
	)
	a.aimFlags(cmd, &m)
	f := cmd.Flags()
	f.StringVar(&port, "port", "9100", "`PORT` of every target, or a fact that has it; nodes without that fact are left out")
	f.StringVar(&address, "address", "", "a fact `PATH` that has the address; default: the identity")
	f.StringVar(&label, "label", "", "`FACTS` that become labels, with commas between; name=fact is a label of that name")
	flagNames(cmd, map[string]complete{"port": a.namesOf(-1, pathNames), "address": a.namesOf(-1, pathNames), "label": a.namesOf(-1, pathNames)})
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		where, err := m.filter(cmd.Context(), args, true)
		if err != nil {
			return err
		}
		if where != "" {
			p.Where = pointer(string(where))
		}
		p.Port, p.Address, p.Label = pointer(port), pointer(address), pointer(label)
		p.ShrinkTo = pointer("0") // what there is now, held or not
		c, err := a.client()
		if err != nil {
			return err
		}
		list, err := c.ScrapeTargets(cmd.Context(), &p)
		if err != nil {
			return err
		}
		l := listing{columns: []string{"TARGET", "LABELS"}, object: list}
		for _, one := range list {
			l.rows = append(l.rows, []string{strings.Join(one.Targets, " "), labelsText(one.Labels)})
			l.lines = append(l.lines, one)
		}
		return l.write(a)
	}
	return cmd
}

// labelsText writes labels in order of their names, without the prefix that all of Prometheus's own have.
func labelsText(labels map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if labels[name] != "" {
			out = append(out, strings.TrimPrefix(name, "__meta_fettle_")+"="+labels[name])
		}
	}
	return strings.Join(out, " ")
}

func (a *app) targetListsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "lists", Short: "the lists that are asked for, and which are held", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Long: `One for each question that some Prometheus has asked since the server's start; those that are held come first. TARGETS are given out, NOW is how many
there would be.`,
		Example: "  fettle prometheus lists\n  fettle prometheus lists -o json",
	}
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		all, err := c.ScrapeLists(cmd.Context())
		if err != nil {
			return err
		}
		l := listing{columns: []string{"FILTER", "PORT", "TARGETS", "NOW", "HELD UNTIL", "ASKED", "+LABELS", "+ADDRESS", "+SINCE"}, object: all}
		for _, one := range all.Lists {
			filter := word(one.Where)
			if filter == "" {
				filter = "(all nodes)"
			}
			l.rows = append(l.rows, []string{
				filter, one.Port, strconv.FormatInt(one.Targets, 10), strconv.FormatInt(one.Now, 10), orDash(stamp(one.Until)), one.Asked.UTC().Format(time.RFC3339),
				word(one.Labels), word(one.Address), stamp(one.Since),
			})
			l.lines = append(l.lines, one)
		}
		return l.write(a)
	}
	return cmd
}

func (a *app) releaseCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "release FILTER", Short: "give out lists that are held as they are", Args: takes("FILTER?"), ValidArgsFunction: a.namesOf(0, heldFilters),
		Long: `The filter is written as "fettle prometheus lists" shows it. Left alone, a list is given out as it is when its time is over. Wants an operator's
token, and is put into the audit log.`,
		Example: "  fettle prometheus release @web\n  fettle prometheus release --all",
	}
	cmd.Flags().BoolVar(&all, "all", false, "every list that is held")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		where := strings.Join(args, "")
		if all == (where != "") {
			return usage(fmt.Errorf("a filter as \"%s prometheus lists\" shows it, or --all: %w", programName, fettle.ErrInvalid))
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		done, err := c.ReleaseTargets(cmd.Context(), where)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "%d released\n", done.Lists)
		return err
	}
	return cmd
}

// heldFilters are the filters of lists that are held.
func heldFilters(ctx context.Context, c *client.API, _ string) (filters []string, err error) {
	all, err := c.ScrapeLists(ctx)
	if err != nil {
		return nil, err
	}
	for _, one := range all.Lists {
		if one.Held && one.Where != nil {
			filters = append(filters, fmt.Sprintf("%s\t%d of %d are left", *one.Where, one.Now, one.Targets))
		}
	}
	return filters, nil
}
