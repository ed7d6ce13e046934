package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server/api/client"
)

// Asking a person before many nodes are asked.
const (
	askAboveDefault = 10                 // nodes; a run of more of them is shown before it begins
	askAboveKey     = "FETTLE_ASK_ABOVE" // the environment's name for --ask-above
)

// askAbove gives what --ask-above says, or the environment.
func askAbove(cmd *cobra.Command) (int, error) {
	n, err := cmd.Flags().GetInt("ask-above")
	text := os.Getenv(askAboveKey)
	if err != nil || cmd.Flags().Changed("ask-above") || text == "" {
		return n, err
	}
	if n, err = strconv.Atoi(text); err != nil || n < 0 {
		return 0, fmt.Errorf("$%s %q is no number of nodes: %w", askAboveKey, text, fettle.ErrInvalid)
	}
	return n, nil
}

// person tells whether somebody sits there who can be asked.
func (a *app) person() bool { return terminal(a.stdin) && terminal(a.stderr) }

// agreed shows a person what a run would do, where many nodes match, and asks whether it shall. It gives the roster that was shown, which then is
// what is run; empty: nobody had to be asked. An action that is light, such as agent.ping, is asked without a question.
func (a *app) agreed(ctx context.Context, c *client.API, o *order, target client.PreviewOrder) (roster string, err error) {
	if o.yes || o.aim.roster != "" || !a.person() || a.manifest(ctx, c, o.action).Slotless {
		return "", nil
	}
	target.Action, target.Inputs = pointer(o.action), o.inputs
	r, err := c.Preview(ctx, target)
	if err != nil {
		return "", a.unknownAction(ctx, c, o.action, err)
	}
	if int(r.Count) <= o.askAbove {
		return "", nil
	}
	fmt.Fprintf(a.stderr, "%s  on %s: %s\n", a.paint(bold, strings.TrimSpace(o.action+inputsText(o.inputs))), plural(int(r.Count), "node"), sampleNames(r))
	a.tellPreview(r)
	fmt.Fprint(a.stderr, "Go ahead? [y/N] ")
	if !a.yes(ctx) {
		return "", &codeError{exitInterrupted, fmt.Errorf("nothing was asked: %w", fettle.ErrConflict)}
	}
	return r.Roster, nil
}

// sampleNames folds the first nodes of a preview, and says how many there are beside.
func sampleNames(r *client.RosterInfo) string {
	names := nagios.Fold(r.Sample)
	if more := int(r.Count) - len(r.Sample); more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return names
}

// tellPreview says on stderr who of a preview will not be asked, and why.
func (a *app) tellPreview(r *client.RosterInfo) {
	for _, one := range r.Refused {
		fmt.Fprintf(a.stderr, "  refused: %s: %s\n", nagios.Fold(one.Nodes), clean(one.Reason))
	}
	if r.Undefined > 0 {
		fmt.Fprintf(a.stderr, "  left out: %s for which the filter is undefined\n", plural(int(r.Undefined), "node"))
	}
}

// yes reads an answer from the terminal. Whatever is not yes is no, and so is Ctrl-C.
func (a *app) yes(ctx context.Context) bool {
	said := make(chan string, 1)
	go func() { // ends with the line, or with the program: a terminal that is read cannot be told to stop
		line, _ := a.readLine("answer")
		said <- line
	}()
	select {
	case line := <-said:
		line = strings.ToLower(strings.TrimSpace(line))
		return line == "y" || line == "yes"
	case <-ctx.Done():
		fmt.Fprintln(a.stderr)
		return false
	}
}

// grace is how long a second Ctrl-C is waited for: it cancels the run.
const grace = 2 * time.Second

// left ends the watching of a run that goes on, after Ctrl-C. A person is told how to see it again, and a second Ctrl-C cancels it.
func (a *app) left(ctx context.Context, c *client.API, seen *seenRun, err error) error {
	id := shortRun(seen.run.Run)
	hints := fmt.Sprintf("  watch it:   %s runs watch %s\n  cancel it:  %s runs cancel %s", a.self(), id, a.self(), id)
	if !a.person() {
		return &codeError{exitInterrupted, fmt.Errorf("watched no longer; the run goes on\n%s: %w", hints, fettle.ErrUnavailable)}
	}
	t := seen.run.Tally
	fmt.Fprintf(a.stderr, "\nthe run goes on without this terminal; %d of %d have answered\n%s, or Ctrl-C once more now\n", t.Roster-t.Pending, t.Roster, hints)
	again := make(chan os.Signal, 1)
	signal.Notify(again, os.Interrupt)
	defer signal.Stop(again)
	wait := time.NewTimer(grace)
	defer wait.Stop()
	select {
	case <-wait.C:
		return &codeError{exitInterrupted, nil}
	case <-again:
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*grace)
	defer cancel()
	r, cancelErr := c.CancelRun(ctx, seen.run.Run)
	if cancelErr != nil {
		return fmt.Errorf("cancel run %s: %w (after %w)", id, cancelErr, err)
	}
	fmt.Fprintf(a.stderr, "\nrun %s: %s\n%s\n", id, r.State, a.tally(r))
	return &codeError{exitInterrupted, nil}
}
