package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

// How the audit log is read.
const (
	auditPage   = 1000
	auditFollow = time.Second // between two looks for what is new
)

// auditOrder is what audit asks.
type auditOrder struct {
	since, user, action string
	limit               int // zero: all
	follow              bool
}

func (a *app) auditCommand() *cobra.Command {
	var o auditOrder
	cmd := &cobra.Command{
		Use: "audit", Short: "who did what", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions, GroupID: groupPeople,
		Long: `Lists who signed in or failed to, changed something, had nodes do something, or was refused; the newest last. The same stands as lines of JSON in
audit.log in the server's state directory. Only an admin reads it.`,
		Example: "  fettle audit --since -2h\n  fettle audit --user ann --action run\n  fettle audit --follow -o jsonl",
	}
	cmd.Flags().StringVar(&o.since, "since", "", "the `MOMENT` from which on: 2026-11-14T09:00, -2h, -3d, yesterday; default: the last 100 entries")
	cmd.Flags().StringVar(&o.user, "user", "", "`NAME` of who did it")
	cmd.Flags().StringVar(&o.action, "action", "", "`ACTION`, such as token.create, or token for all that was done to tokens")
	cmd.Flags().IntVar(&o.limit, "limit", 0, "`NUMBER` of entries at most")
	cmd.Flags().BoolVar(&o.follow, "follow", false, "go on with what is new, until Ctrl-C; -o table or jsonl")
	flagNames(cmd, map[string]complete{"user": a.namesOf(-1, userNames)})
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.follow && a.output != "table" && a.output != "jsonl" {
			return usage(fmt.Errorf("--follow writes -o table or jsonl: %w", fettle.ErrInvalid))
		}
		var err error
		if o.since, err = moment("since", o.since, time.Now()); err != nil {
			return err
		}
		if o.limit == 0 && o.since == "" {
			o.limit = 100
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		entries, err := auditEntries(cmd.Context(), c, o)
		if err != nil {
			return err
		}
		if err := auditListing(entries).write(a); err != nil || !o.follow {
			return err
		}
		return a.followAudit(cmd.Context(), c, o, entries)
	}
	return cmd
}

// auditEntries gives entries, the oldest first.
func auditEntries(ctx context.Context, c *client.API, o auditOrder) ([]client.AuditInfo, error) {
	entries := []client.AuditInfo{}
	p := client.ListAuditParams{Since: pointer(o.since), User: pointer(o.user), Action: pointer(o.action)}
	for {
		page := int64(auditPage)
		if o.limit > 0 {
			page = min(page, int64(o.limit-len(entries)))
		}
		p.Limit = &page
		list, next, err := c.Audit(ctx, &p)
		if err != nil {
			return nil, err
		}
		entries = append(entries, list...)
		if next == 0 || o.limit > 0 && len(entries) >= o.limit {
			slices.Reverse(entries)
			return entries, nil
		}
		p.Cursor = &next
	}
}

// followAudit prints what is new, until ctx ends.
func (a *app) followAudit(ctx context.Context, c *client.API, o auditOrder, seen []client.AuditInfo) error {
	last := int64(0)
	if len(seen) > 0 {
		last = seen[len(seen)-1].Seq
	} else if newest, _, err := c.Audit(ctx, &client.ListAuditParams{Limit: pointer(int64(1))}); err == nil && len(newest) > 0 {
		last = newest[0].Seq
	}
	tick := time.NewTicker(auditFollow)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		list, _, err := c.Audit(ctx, &client.ListAuditParams{After: pointer(max(last, 1)), User: pointer(o.user), Action: pointer(o.action), Limit: pointer(int64(auditPage))})
		if err != nil {
			return err
		}
		for _, e := range list {
			last = e.Seq
			if err := a.printEntry(e); err != nil {
				return err
			}
		}
	}
}

func (a *app) printEntry(e client.AuditInfo) error {
	if a.output == "jsonl" {
		return printLine(a.stdout, e)
	}
	_, err := fmt.Fprintln(a.stdout, clean(strings.Join(auditRow(e), "  ")))
	return err
}

func auditListing(entries []client.AuditInfo) listing {
	l := listing{columns: []string{"AT", "USER", "ACTION", "SUBJECT", "DETAILS"}, object: client.AuditList{Entries: entries}}
	for _, e := range entries {
		l.rows, l.lines = append(l.rows, auditRow(e)), append(l.lines, e)
	}
	return l
}

func auditRow(e client.AuditInfo) []string {
	user := e.User
	if user == "" {
		user = "-"
	}
	var details bytes.Buffer
	if string(e.Details) == "{}" || json.Compact(&details, e.Details) != nil {
		details.Reset()
	}
	return []string{e.At.UTC().Format(time.RFC3339), user, e.Action, e.Subject, details.String()}
}
