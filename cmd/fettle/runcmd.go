package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server/api/client"
)

// order is what run and ping ask for.
type order struct {
	action  string
	inputs  map[string]any
	aim     aim
	timeout wait
	view    view
	pace    paceFlags

	yes      bool // nobody is asked whether it is meant
	askAbove int  // nodes; a person is asked about more
	detach   bool // the run is begun, and not watched

	again string // the flags that say how, as they were typed: a preview's roster takes them
}

func (a *app) runCommand() *cobra.Command {
	var o order
	var preview bool
	cmd := &cobra.Command{
		Use: "run ACTION [INPUT=VALUE ...]", Short: "ask an action of the nodes that a filter matches", GroupID: groupRun,
		Long: `Sends one task to each node of the roster and prints what comes back: failures first and in full, equal outputs
gathered under folded names, summaries of outputs, and a tally that always adds up to the roster.

Positionals after the action are inputs only, INPUT@=FILE for what a file holds; nodes are chosen by -S -W -F -C -I, --roster or --all.
A person at a terminal is shown who is meant, and asked, when they are many. The run belongs to the server: Ctrl-C ends the watching only, and a
second Ctrl-C cancels the run.
Exit codes: 0 all well, 1 some failed, 3 some did not answer and none failed, 4 nobody matched.`,
		Example: `  fettle run agent.ping --all
  fettle run nrpe.check command=check_load -W environment=production
  fettle run nrpe.check command=check_disk -C mysql::master --preview
  fettle run package.update name=openssl -W role=web --canary 1 --batch 10% --max-failed 2 --spread-by facts.rack
  fettle run service.restart name=nginx -S @web --batch 5 --while 'verdict("check_http", "@web") == "ok"'
  fettle run package.checkupdates --all --table
  fettle run shell.run command='apt-get -q update' -I web1.example.net --follow
  fettle run puppet.runonce --concurrency 4 --loop 30m -W environment=production --name puppet`,
		Args:              takes("ACTION", "INPUT=VALUE..."),
		ValidArgsFunction: a.completeRun,
	}
	a.aimFlags(cmd, &o.aim)
	o.pace.flags(a, cmd)
	f := cmd.Flags()
	f.StringVar(&o.aim.roster, "roster", "", "exactly the nodes of a preview, by its `ID`")
	f.Var(&o.timeout, "timeout", "for the action, on each node (default the action's own)")
	f.BoolVar(&preview, "preview", false, "only say which nodes, and fix them as a roster")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask whether it is meant")
	f.IntVar(&o.askAbove, "ask-above", askAboveDefault, "a person at a terminal is asked first when more than `NUMBER` of nodes match, $FETTLE_ASK_ABOVE")
	f.BoolVar(&o.detach, "detach", false, "print the run's id and end; the run goes on")
	f.BoolVar(&o.view.follow, "follow", false, "show what programs print on the nodes while they run, each line behind its node")
	a.viewFlags(cmd, &o.view)
	inSections(cmd, runSections...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.action = args[0]
		var err error
		if o.askAbove, err = askAbove(cmd); err != nil {
			return usage(err)
		}
		if err := a.followable(o.view); err != nil {
			return err
		}
		if o.inputs, err = a.readInputs(cmd.Context(), o.action, args[1:]); err != nil {
			return usage(err)
		}
		if preview {
			o.again = flagsAgain(cmd, slices.Concat([]string{"limit", "limit-random", "seed"}, runSections[1].names, runSections[2].names, runSections[3].names))
			return a.preview(cmd.Context(), o)
		}
		return a.run(cmd.Context(), o)
	}
	return cmd
}

// flagsAgain writes those of some flags that were given as they are typed, each with a blank before it.
func flagsAgain(cmd *cobra.Command, names []string) string {
	var b strings.Builder
	for _, name := range names {
		f := cmd.Flags().Lookup(name)
		if !f.Changed {
			continue
		}
		values := []string{f.Value.String()}
		if list, is := f.Value.(pflag.SliceValue); is {
			values = list.GetSlice()
		}
		for _, v := range values {
			b.WriteString(" " + plugins.ShellWord("--"+name+"="+v))
		}
	}
	return b.String()
}

// runSections are the flags of run, as its --help shows them.
var runSections = []section{
	{"Which nodes", []string{"with", "select", "with-fact", "with-class", "with-identity", "all", "roster", "limit", "limit-random", "seed"}},
	{"Order and pace", []string{"order", "spread-by", "canary", "batch", "batch-sleep", "concurrency", "lock", "timeout"}},
	{"What stops it, and what it waits for", []string{"max-failed", "max-silent", "while", "while-timeout"}},
	{"Again and again", []string{"loop", "every", "cron", "zone", "name"}},
	{"Before and while it goes", []string{"preview", "yes", "ask-above", "detach", "follow"}},
	{"What is shown", []string{"display", "summary-only", "filter-results", "table", "jsonl", "output"}},
}

func (a *app) pingCommand() *cobra.Command {
	o := order{action: "agent.ping", timeout: wait(10 * time.Second), yes: true}
	cmd := &cobra.Command{
		Use: "ping [FILTER]", Short: "ask nodes whether they are there", GroupID: groupRun,
		Long:              "Asks agent.ping of the nodes that match; without a filter, of all nodes.",
		Example:           "  fettle ping\n  fettle ping -W environment=production\n  fettle ping 'facts.os.family == \"Debian\"' --timeout 3s",
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	a.aimFlags(cmd, &o.aim)
	cmd.Flags().Var(&o.timeout, "timeout", "how long to wait for the last node")
	a.viewFlags(cmd, &o.view)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		where, err := o.aim.filter(cmd.Context(), args, false)
		if err != nil {
			return err
		}
		o.aim = aim{all: where == ""}
		if where != "" {
			o.aim.cel = []string{string(where)}
		}
		return a.run(cmd.Context(), o)
	}
	return cmd
}

// target says which nodes an order means.
func (o *order) target(ctx context.Context) (client.PreviewOrder, error) {
	where, err := o.aim.filter(ctx, nil, true)
	if err != nil {
		return client.PreviewOrder{}, err
	}
	return client.PreviewOrder{Where: pointer(string(where)), All: pointer(o.aim.all), Roster: pointer(o.aim.roster)}, nil
}

func (a *app) preview(ctx context.Context, o order) error {
	target, err := o.target(ctx)
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	target.Action, target.Inputs = pointer(o.action), o.inputs
	r, err := c.Preview(ctx, target)
	if err != nil {
		return err
	}
	switch a.output {
	case "json", "jsonl":
		err = printJSON(a.stdout, r)
	case "yaml":
		err = printYAML(a.stdout, r)
	default:
		fmt.Fprintf(a.stdout, "roster %s: %s", r.Roster, plural(int(r.Count), "node"))
		if r.Undefined > 0 {
			fmt.Fprintf(a.stdout, ", %d undefined", r.Undefined)
		}
		fmt.Fprintln(a.stdout)
		for _, id := range r.Sample {
			fmt.Fprintf(a.stdout, "  %s\n", id)
		}
		if more := int(r.Count) - len(r.Sample); more > 0 {
			fmt.Fprintf(a.stdout, "  … and %d more\n", more)
		}
		for _, one := range r.Refused {
			fmt.Fprintf(a.stdout, "refused: %s: %s\n", plural(int(one.Count), "node"), clean(one.Reason))
		}
		if r.Count > 0 {
			fmt.Fprintf(a.stderr, "run it: fettle run %s%s --roster %s%s\n", o.action, inputsText(o.inputs), r.Roster, o.again)
		}
	}
	if err == nil && r.Count == 0 {
		return &codeError{code: exitNobody}
	}
	return err
}

// run starts a run, follows it and prints it.
func (a *app) run(ctx context.Context, o order) error {
	target, err := o.target(ctx)
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	pace, err := o.pace.read()
	if err != nil {
		return usage(err)
	}
	shown, err := a.agreed(ctx, c, &o, target)
	if err != nil {
		return err
	}
	if o.pace.standing() {
		return a.stand(ctx, c, o, target, pace)
	}
	if shown != "" {
		target = client.PreviewOrder{Roster: &shown}
	}
	started, err := c.StartRun(ctx, client.RunOrder{
		Action: o.action, Inputs: o.inputs, Where: target.Where, All: target.All, Roster: target.Roster, Timeout: o.timeout.given(), Pace: pace,
	})
	if err != nil {
		return a.unknownAction(ctx, c, o.action, err)
	}
	a.tellMisspelt(ctx, c, started)
	unknown, err := unknownNames(ctx, c, o.aim.named(), started.Tally.Roster)
	if err != nil {
		return err
	}
	if len(unknown) > 0 && !strings.HasPrefix(a.output, "json") {
		fmt.Fprintf(a.stderr, "%s: no node has that name\n", nagios.Fold(unknown))
	}
	if o.detach {
		return a.detached(started)
	}
	if err := a.watch(ctx, c, started, o.view); err != nil || len(unknown) == 0 {
		return err
	}
	return &codeError{code: exitSilent} // who was named and is not there has not been asked
}

// detached prints what a script needs of a run that goes on: its id.
func (a *app) detached(r *client.RunSummary) error {
	err := a.printObject(r, func() error {
		if a.output == "jsonl" {
			return printLine(a.stdout, r)
		}
		_, err := fmt.Fprintln(a.stdout, r.Run)
		return err
	})
	if err == nil && terminal(a.stderr) && a.output == runFormats[0] {
		fmt.Fprintf(a.stderr, "watch it:   %s runs watch %s\ncancel it:  %s runs cancel %s\n", a.self(), shortRun(r.Run), a.self(), shortRun(r.Run))
	}
	if err == nil && r.Tally.Roster == 0 {
		a.tellEmpty(r)
		return &codeError{code: exitNobody}
	}
	return err
}

// watch follows a run to its end and prints it. Ctrl-C ends the watching only.
func (a *app) watch(ctx context.Context, c *client.API, r *client.RunSummary, v view) error {
	seen, err := a.follow(ctx, c, r, v)
	switch {
	case err != nil && ctx.Err() != nil:
		return a.left(ctx, c, seen, err)
	case err != nil:
		return fmt.Errorf("%w\nthe run goes on: %s runs watch %s", err, a.self(), shortRun(r.Run))
	}
	if err := a.printRun(ctx, c, seen, v); err != nil {
		return err
	}
	a.tellLinks(&seen.run)
	return runExit(seen.run.Tally)
}

// tellLinks tells a person where the run can be seen again.
func (a *app) tellLinks(r *client.RunSummary) {
	if terminal(a.stderr) && !strings.HasPrefix(a.output, "json") && r.Tally.Roster > 0 {
		fmt.Fprintln(a.stderr, a.paint(faint, fmt.Sprintf("%s runs show %s\n%s/runs/%s", a.self(), shortRun(r.Run), a.where.URL, r.Run)))
	}
}

// unknownAction suggests, where the server does not know an action, the nearest that it knows.
func (a *app) unknownAction(ctx context.Context, c *client.API, action string, err error) error {
	if !errors.Is(err, fettle.ErrNotFound) {
		return err
	}
	list, listErr := c.Actions(ctx)
	if listErr != nil {
		return err
	}
	names := make([]string, len(list))
	for i, one := range list {
		names[i] = one.Name
	}
	if slices.Contains(names, action) {
		return err // it is the roster that is not there
	}
	meant := didYouMean(action, names)
	if meant == "" { // all of them say less than the nearest one
		meant = "; there are: " + strings.Join(names, " ")
	}
	return fmt.Errorf("there is no action %s%s: %w", action, meant, fettle.ErrNotFound)
}

// tellMisspelt says which facts no node has, where a run had nobody to ask because its filter is undefined.
func (a *app) tellMisspelt(ctx context.Context, c *client.API, r *client.RunSummary) {
	where := valueOf(r.Filter)
	if r.Tally.Roster > 0 || r.Undefined == 0 || where == "" {
		return
	}
	found, err := find(ctx, c, question{where: fettle.Filter(where), count: true})
	if err != nil {
		return // the run itself went well
	}
	for _, hint := range found.Hints {
		a.hint(hint)
	}
}

// runExit gives the exit code of a tally.
func runExit(t fettle.Tally) error {
	switch {
	case t.Roster == 0:
		return &codeError{code: exitNobody}
	case t.Failed > 0:
		return &codeError{code: exitFault}
	case t.Silent+t.Never > 0:
		return &codeError{code: exitSilent}
	}
	return nil
}
