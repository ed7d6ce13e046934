package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) alertsCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use: "alerts", Short: "what is wrong, and who was told", GroupID: groupChecks, Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Long: `Lists the verdicts that are not ok, since when, and which receivers (Alertmanager, mail, webhooks) took it. Who is told of what stands in the server's
settings, under alerts. Exit code 1: what is listed is not up to date, and why.`,
		Example: "  fettle alerts\n  fettle alerts -o json\n  fettle alerts receivers\n  fettle alerts test oncall",
	}, a.alertReceiversCommand(), a.alertTestCommand())
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.listAlerts(cmd.Context()) }
	return cmd
}

func (a *app) listAlerts(ctx context.Context) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	list, err := c.Alerts(ctx)
	if err != nil {
		return err
	}
	l := listing{columns: []string{"ALERT", "STATE", "STATUS", "SINCE", "TOLD", "SUMMARY", "+OWNER", "+RUNBOOK", "+NOTES", "+URL"}, object: list, none: "nothing is wrong that somebody is to be told of"}
	for _, one := range list.Alerts {
		var told []string
		for _, t := range one.Told {
			told = append(told, t.Receiver+"="+toldText(t))
		}
		l.rows = append(l.rows, []string{
			one.Name, string(one.State), string(one.Status), one.Since.UTC().Format(time.RFC3339), strings.Join(told, " "), one.Summary, word(one.Owner), word(one.Runbook), word(one.Notes), word(one.Url),
		})
		l.lines = append(l.lines, one)
	}
	if err := l.write(a); err != nil {
		return err
	}
	if list.Fault != nil && *list.Fault != "" {
		fmt.Fprintf(a.stderr, "this is not up to date: %s\n", clean(*list.Fault))
		return &codeError{code: exitFault}
	}
	return nil
}

// toldText says what a receiver was told last, and how often.
func toldText(t client.AlertTold) string {
	switch {
	case t.Times == 0:
		return "not-yet"
	case t.Ended != nil && *t.Ended:
		return "resolved"
	}
	return word(t.Status)
}

func (a *app) alertReceiversCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "receivers", Short: "who is told, and what waits for them", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Example: "  fettle alerts receivers\n  fettle alerts receivers -o json",
	}
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		list, err := c.AlertReceivers(cmd.Context())
		if err != nil {
			return err
		}
		l := listing{columns: []string{"RECEIVER", "KIND", "WAITING", "SENT", "TRIES", "FAULT", "+NEXT"}, object: list}
		for _, r := range list.Receivers {
			l.rows = append(l.rows, []string{r.Name, string(r.Kind), strconv.FormatInt(r.Waiting, 10), stamp(r.Sent), strconv.FormatInt(r.Tries, 10), word(r.Fault), stamp(r.Next)})
			l.lines = append(l.lines, r)
		}
		return l.write(a)
	}
	return cmd
}

// stamp writes a time that may be left out.
func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (a *app) alertTestCommand() *cobra.Command {
	return &cobra.Command{
		Use: "test RECEIVER", Short: "tell a receiver of an alert that is none", Args: takes("RECEIVER"), ValidArgsFunction: a.namesOf(0, receiverNames),
		Long:    "Sends at once, whatever waits, and says what the receiver answered. The alert says of itself that it is a test.",
		Example: "  fettle alerts test oncall",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if err := c.TestReceiver(cmd.Context(), args[0]); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "%s took it\n", clean(args[0]))
			return err
		},
	}
}

// receiverNames are the names of the receivers of alerts.
func receiverNames(ctx context.Context, c *client.API, _ string) (names []string, err error) {
	list, err := c.AlertReceivers(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range list.Receivers {
		names = append(names, r.Name)
	}
	return names, nil
}
