package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server/api/client"
)

// view says how a run is shown.
type view struct {
	display     string // always, failed or ok; empty: as the action's manifest has it
	summaryOnly bool   // summaries and tally, no nodes
	table       bool   // stands for -o table
	lines       bool   // stands for -o jsonl
	follow      bool   // what nodes print is shown while they do
	results     string // --filter-results
	sieve       *sieve // made of it; nil: all results are shown
}

// runFormats are those of a run: text is for people, table has a row for each node.
var runFormats = []string{"text", "table", "wide", "json", "jsonl", "yaml", "csv", "names"}

// viewFlags adds the flags of v to cmd, and its -o.
func (a *app) viewFlags(cmd *cobra.Command, v *view) {
	f := cmd.Flags()
	f.StringVar(&v.display, "display", "", "`WHICH` answers are shown in full: always (all of them), failed or ok (default: as the action has it)")
	f.BoolVar(&v.summaryOnly, "summary-only", false, "only what all nodes say together, and the tally")
	f.StringVar(&v.results, "filter-results", "", "show results only for which `CEL` is true, over identity, status, message and data: 'data.count > 10'")
	f.BoolVar(&v.table, "table", false, "a row for each node, a column for each output: -o table")
	f.BoolVar(&v.lines, "jsonl", false, "a result a line as it comes, the tally last: -o jsonl")
	a.outputFlag(cmd, runFormats...)
	flagNames(cmd, map[string]complete{"filter-results": words("status != 0", "data."), "display": words("always\tall of them", "failed\twhat went wrong", "ok\twhat went well")})
	check := cmd.PreRunE
	cmd.PreRunE = func(c *cobra.Command, args []string) error {
		if v.display == "all" { // MCollective's word
			v.display = string(plugins.Always)
		}
		switch {
		case v.table && v.lines, (v.table || v.lines) && c.Flags().Changed("output"):
			return usage(fmt.Errorf("--table, --jsonl and -o exclude each other: %w", fettle.ErrInvalid))
		case v.table:
			_ = c.Flags().Set("output", "table")
		case v.lines:
			_ = c.Flags().Set("output", "jsonl")
		case !slices.Contains([]string{"", string(plugins.Always), string(plugins.Failed), string(plugins.OK)}, v.display):
			return usage(fmt.Errorf("--display %s: one of always, failed, ok: %w", v.display, fettle.ErrInvalid))
		}
		var err error
		if v.sieve, err = newSieve(v.results); err != nil {
			return err
		}
		return check(c, args)
	}
}

// shows tells whether answers of a rank are shown, of an action with this manifest.
func (v view) shows(manifest plugins.Action, rank int) bool {
	which := manifest.Display
	if v.display != "" {
		which = plugins.Display(v.display)
	}
	switch {
	case v.summaryOnly:
		return false
	case which == plugins.Failed:
		return rank != rankOK
	case which == plugins.OK:
		return rank == rankOK
	}
	return true
}

// manifest gives what is declared of an action: by this program, or else by the server, which knows plugins too. Of one that neither knows
// everything is shown as it is.
func (a *app) manifest(ctx context.Context, c *client.API, action string) plugins.Action {
	if known, err := plugins.Lookup(action); err == nil {
		return known
	}
	list, err := c.Actions(ctx)
	if err != nil {
		return plugins.Action{Name: action}
	}
	for _, one := range list {
		if one.Name != action {
			continue
		}
		return actionOf(one)
	}
	return plugins.Action{Name: action}
}

// actionOf gives a manifest as it came over REST.
func actionOf(one client.Action) plugins.Action {
	var m plugins.Action
	if raw, err := json.Marshal(one); err != nil || json.Unmarshal(raw, &m) != nil {
		return plugins.Action{Name: one.Name}
	}
	return m
}

// screenWidth is how many columns the terminal of a stream has; zero: it is none.
func screenWidth(stream any) int {
	f, is := stream.(interface{ Fd() uintptr })
	if !is {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// words completes a flag that takes one of a few values, each with what it means behind a tab.
func words(values ...string) complete {
	return func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		fit := slices.DeleteFunc(slices.Clone(values), func(v string) bool { return !strings.HasPrefix(v, begun) })
		return fit, cobra.ShellCompDirectiveNoFileComp
	}
}
