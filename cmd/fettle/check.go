package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server/api/client"
)

// verdictOrder is what check and check_fettle ask for.
type verdictOrder struct {
	check, warning, critical string
	minOK, by                string
	live                     bool
	timeout                  wait
	aim                      aim
}

func (o *verdictOrder) flags(f *pflag.FlagSet) {
	f.BoolVar(&o.live, "live", false, "ask the nodes now, also where states are kept")
	f.StringVarP(&o.warning, "warning", "w", "", "Nagios `RANGE` over the nodes that are not ok, their number or 10%, or CEL over the tally")
	f.StringVarP(&o.critical, "critical", "c", "", "`RANGE` or CEL, likewise")
	f.StringVar(&o.minOK, "min-ok", "", "`NUMBER` of nodes that have to be ok, or 60%: fewer is critical")
	f.StringVar(&o.by, "by", "", "`PATH` of a fact: one verdict for each of its values, too, and the worst of them is that of the whole")
	o.timeout = wait(10 * time.Second)
	f.VarP(&o.timeout, "timeout", "t", "after which there is an answer, whatever it is")
}

// answerSlack is what of a timeout is kept, at most, for the way to the server and back; the rest is the nodes'.
const answerSlack = 2 * time.Second

func (o *verdictOrder) ask(ctx context.Context, c *client.API, bare []string) (*fettle.Verdict, error) {
	whole := time.Duration(o.timeout)
	if whole <= 0 {
		return nil, usage(fmt.Errorf("--timeout %s is not above zero: %w", whole, fettle.ErrInvalid))
	}
	where, err := o.aim.filter(ctx, bare, false)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, whole)
	defer cancel()
	nodes := max(whole-answerSlack, whole*2/5)
	p := client.AskVerdictParams{
		Where: pointer(string(where)), Live: pointer(o.live), Warning: pointer(o.warning), Critical: pointer(o.critical), Timeout: pointer(nodes.String()),
		MinOk: pointer(o.minOK), By: pointer(o.by),
	}
	if o.aim.all {
		p.Where = pointer("true")
	}
	v, err := c.Verdict(ctx, o.check, &p)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("%s did not answer within %s: %w", c.URL(), spell(whole), fettle.ErrUnavailable)
	}
	return v, err
}

func (a *app) checkCommand() *cobra.Command {
	var o verdictOrder
	cmd := &cobra.Command{
		Use: "check NAME [FILTER]", Short: "one verdict over all nodes that have a check", GroupID: groupChecks,
		Long: `Folds a check over nodes, or a group of verdicts, into one verdict, as Nagios reads it. A check with a definition is read from
the states that are kept; a check command without one is asked live. Without a filter: the nodes that have it.

A node that does not answer is UNKNOWN, never absent. Exits as a Nagios plugin: 0 ok, 1 warning, 2 critical, 3 unknown.`,
		Example: `  fettle check check_load
  fettle check check_disk -W environment=production --warning 1 --critical 10%
  fettle check check_http 'facts.role == "web"' --critical 'critical > 0.1 * total || silent > 3'
  fettle check check_http -C cluster --min-ok 3
  fettle check check_disk --by facts.customer`,
		Args: takes("NAME", "FILTER?"), ValidArgsFunction: a.namesOf(0, checkNames),
	}
	a.aimFlags(cmd, &o.aim)
	o.flags(cmd.Flags())
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.check = args[0]
		err := a.check(cmd.Context(), &o, args[1:])
		var coded *codeError
		if err != nil && !(errors.As(err, &coded) && coded.err == nil) {
			return &codeError{int(fettle.CodeUnknown), err} // a fault must not look like WARNING, nor a bad filter like CRITICAL
		}
		return err
	}
	return cmd
}

// check asks for a verdict and prints it; the error has the verdict's code.
func (a *app) check(ctx context.Context, o *verdictOrder, bare []string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	began := time.Now()
	over := a.waitsFor("an answer", time.Duration(o.timeout))
	v, err := o.ask(ctx, c, bare)
	over()
	if errors.Is(err, fettle.ErrNotFound) && a.output == "table" {
		fmt.Fprintf(a.stdout, "%s: UNKNOWN: %s\n", clean(o.check), clean(reason(err)))
		if names, err := c.Commands(ctx); err == nil {
			a.hint(didYouMean(o.check, names))
		}
		return &codeError{code: int(fettle.CodeUnknown)}
	}
	if err != nil {
		return err
	}
	switch a.output {
	case "json":
		err = printJSON(a.stdout, v)
	case "yaml":
		err = printYAML(a.stdout, v)
	default:
		text, _ := nagios.FormatVerdict(*v, time.Since(began))
		_, err = fmt.Fprintln(a.stdout, strings.TrimRight(text, "\n"))
	}
	if err == nil && v.Status != fettle.CheckOK {
		err = &codeError{code: int(v.Status.Code())}
	}
	return err
}
