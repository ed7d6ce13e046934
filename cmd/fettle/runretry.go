package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) runsRetryCommand() *cobra.Command {
	var v view
	var detach bool
	cmd := &cobra.Command{
		Use: "retry RUN", Short: "ask again the nodes that failed, were silent or were never asked",
		Long: `Begins a new run of the nodes that did not do well, with the same action, inputs, timeout and pace, and follows it. Inputs that are secret are kept
nowhere: a run that had some is begun anew by "run".`,
		Example: "  fettle runs retry last\n  fettle runs retry 0199f0c2-4a1b --detach",
	}
	cmd.Flags().BoolVar(&detach, "detach", false, "print the new run's id and end; the run goes on")
	cmd.Flags().BoolVar(&v.follow, "follow", false, "show what programs print on the nodes while they run, each line behind its node")
	a.viewFlags(cmd, &v)
	return a.aboutRun(cmd, func(cmd *cobra.Command, c *client.API, id fettle.RunID) error {
		r, err := c.RetryRun(cmd.Context(), id)
		if err != nil {
			return err
		}
		if detach {
			return a.detached(r)
		}
		return a.watch(cmd.Context(), c, r, v)
	})
}

func (a *app) runsResultsCommand() *cobra.Command {
	var only []string
	cmd := &cobra.Command{
		Use: "results RUN", Short: "the results of a run, a row for each node",
		Long: `Lists what each node gave, those that gave nothing too, with a column for each output. It ends with 0 whatever the run was like: the listing
is what was asked for.`,
		Example: "  fettle runs results last\n  fettle runs results last --only failed,silent -o names\n  fettle runs results 0199f0c2-4a1b -o csv > answers.csv",
	}
	cmd.Flags().StringSliceVar(&only, "only", nil, "`WHICH` nodes: ok, failed, silent, never, pending; several with commas between")
	flagNames(cmd, map[string]complete{"only": words(outcomes...)})
	a.outputFlag(cmd)
	return a.aboutRun(cmd, func(cmd *cobra.Command, c *client.API, id fettle.RunID) error {
		for _, one := range only {
			if !slices.Contains(outcomes, one) {
				return usage(fmt.Errorf("--only %s%s; one of ok, failed, silent, never, pending: %w", one, didYouMean(one, outcomes), fettle.ErrInvalid))
			}
		}
		seen, err := a.stored(cmd.Context(), c, id)
		if err == nil {
			err = a.findMissing(cmd.Context(), c, seen)
		}
		if err != nil {
			return err
		}
		answered(seen.results)
		if len(only) > 0 {
			seen.keep(only)
		}
		l := a.resultRows(a.manifest(cmd.Context(), c, seen.run.Action), seen)
		if err := l.write(a); err != nil || len(l.rows) > 0 {
			return err
		}
		return &codeError{code: exitNobody}
	})
}
