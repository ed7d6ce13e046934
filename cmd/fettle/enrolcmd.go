package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) enrolCommand() *cobra.Command {
	change := func(verb, short, long string, standing client.ListEnrolmentsParamsStanding, do func(*client.API, context.Context, fettle.NodeID) error) *cobra.Command {
		cmd := &cobra.Command{
			Use: verb + " NODE...", Short: short, Long: long, Args: takes("NODE", "NODE..."), ValidArgsFunction: a.enrolledNames(standing),
			Example: "  fettle enrol " + verb + " web1.acme.net",
		}
		cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.changeEnrolments(cmd.Context(), args, do) }
		return cmd
	}
	return group(&cobra.Command{
		Use: "enrol", Short: "which machine is which node", GroupID: groupPeople,
		Long: "An identity belongs to the key with which it enrolled, until an operator releases it. Only an admin's token does this.",
		Example: `  fettle enrol list --pending
  fettle enrol approve web1.acme.net`,
	},
		a.enrolListCommand(),
		change("approve", "let in machines that wait", "Where the server or the join token says manual, a machine waits until it is approved.", client.ListEnrolmentsParamsStandingPending,
			(*client.API).ApproveEnrolment),
		change("revoke", "make the keys of nodes worthless", "For a machine that is stolen: nothing that it signs is taken from now on, and its connection ends. The identity stays bound:\n"+
			"nobody can enrol for it before it is released.", client.ListEnrolmentsParamsStandingActive, (*client.API).RevokeEnrolment),
		change("release", "let identities go", "For a machine that was set up anew, or is gone: its keys are forgotten, and so are the claims to it. The next machine that asks\n"+
			"with a join token has the identity.", "", (*client.API).ReleaseEnrolment),
		change("clear", "forget the claims to identities", "Their keys stay. A node that was contested, because two agents used its key in turns, is asked again.", "",
			(*client.API).ClearEnrolment),
		change("rotate", "have nodes make themselves new keys", "At once where they are there, otherwise when they come back. Nothing is lost: the old key is good until the new one is in use.",
			client.ListEnrolmentsParamsStandingActive, (*client.API).RotateEnrolment),
	)
}

// changeEnrolments does one thing to each of the nodes, also where it fails for another.
func (a *app) changeEnrolments(ctx context.Context, args []string, do func(*client.API, context.Context, fettle.NodeID) error) error {
	ids := make([]fettle.NodeID, len(args))
	for i, arg := range args {
		var err error
		if ids[i], err = fettle.ParseNodeID(arg); err != nil {
			return usage(err)
		}
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	var faults []error
	for _, id := range ids {
		faults = append(faults, do(c, ctx, id))
	}
	return errors.Join(faults...)
}

func (a *app) enrolListCommand() *cobra.Command {
	var pending, contested, revoked bool
	cmd := &cobra.Command{
		Use: "list", Short: "which key speaks for which node", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Example: "  fettle enrol list\n  fettle enrol list --pending -o names | xargs -r fettle enrol approve\n  fettle enrol list --contested",
	}
	cmd.Flags().BoolVar(&pending, "pending", false, "those that wait for an operator")
	cmd.Flags().BoolVar(&revoked, "revoked", false, "those whose keys were revoked")
	cmd.Flags().BoolVar(&contested, "contested", false, "those that other machines lay claim to")
	cmd.MarkFlagsMutuallyExclusive("pending", "revoked")
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		p := client.ListEnrolmentsParams{Contested: &contested}
		switch {
		case pending:
			p.Standing = new(client.ListEnrolmentsParamsStandingPending)
		case revoked:
			p.Standing = new(client.ListEnrolmentsParamsStandingRevoked)
		}
		list, err := c.Enrolments(cmd.Context(), p)
		if err != nil {
			return err
		}
		l := listing{columns: []string{"NODE", "STANDING", "KEY", "MACHINE", "ENROLLED", "NOTES"}, names: make([]string, 0, len(list)), object: client.EnrolmentList{Enrolments: list}}
		for _, e := range list {
			l.names = append(l.names, string(e.Node))
			l.rows = append(l.rows, enrolRow(e))
			l.lines = append(l.lines, e)
		}
		return l.write(a)
	}
	return cmd
}

// enrolRow is a line of the list; its last column tells what an operator has to look at.
func enrolRow(e client.EnrolmentInfo) []string {
	row := []string{string(e.Node), string(e.Standing), "", "", "", ""}
	if n := len(e.Keys); n > 0 {
		k := e.Keys[n-1]
		row[2], row[3], row[4] = k.Id, orBlank(k.Machine), k.Created.UTC().Format(time.RFC3339)
		if n > 1 && e.Standing == "active" {
			row[5] = "its key is being changed"
		}
	}
	if n := len(e.Claims); n > 0 {
		last := e.Claims[0]
		for _, claim := range e.Claims {
			if claim.Last.After(last.Last) {
				last = claim
			}
		}
		row[5] = fmt.Sprintf("%d claims, last by %s at %s: %s", n, last.Claim, last.Last.UTC().Format(time.RFC3339), last.Reason)
	}
	if e.Contested != nil {
		row[5] = *e.Contested
	}
	return row
}

// enrolledNames completes identities, any number of them, of one standing or of all.
func (a *app) enrolledNames(standing client.ListEnrolmentsParamsStanding) complete {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		return a.namesOf(-1, func(ctx context.Context, c *client.API, _ string) (names []string, err error) {
			p := client.ListEnrolmentsParams{}
			if standing != "" {
				p.Standing = &standing
			}
			list, err := c.Enrolments(ctx, p)
			for _, e := range list {
				names = append(names, string(e.Node)+"\t"+string(e.Standing))
			}
			return names, err
		})(cmd, args, begun)
	}
}

func (a *app) serverKeyCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "server-key", Short: "the key that the server signs with", GroupID: groupPeople,
		Long: "Nodes believe every key that the fleet root has certified. The root is in the server's STATE/root.key; it may be moved to a safe place, and is\n" +
			"needed to change the server's key and, at least once a year, to renew its certificate. Only an admin's token does this.",
		Example: "  fettle server-key show\n  fettle server-key rotate",
	}, a.serverKeyShowCommand(), a.serverKeyRotateCommand())
}

func (a *app) serverKeyShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show", Short: "which key it is, and until when", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Example: "  fettle server-key show\n  fettle server-key show -o json",
	}
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		k, err := c.ServerKey(cmd.Context())
		if err != nil {
			return err
		}
		return a.printServerKey(k)
	}
	return cmd
}

func (a *app) serverKeyRotateCommand() *cobra.Command {
	var revoke bool
	cmd := &cobra.Command{
		Use: "rotate", Short: "make the server a new key", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Nodes believe the new key at once, also those that were away, and the old one for a day more: nothing that is on its way is lost. With\n" +
			"--revoke-old they believe the old one no more as soon as they have heard of the new one.",
		Example: "  fettle server-key rotate\n  fettle server-key rotate --revoke-old",
	}
	cmd.Flags().BoolVar(&revoke, "revoke-old", false, "the old key is stolen: nobody is to believe it from now on")
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		k, err := c.RotateServerKey(cmd.Context(), revoke)
		if err != nil {
			return err
		}
		return a.printServerKey(k)
	}
	return cmd
}

func (a *app) printServerKey(k *client.ServerKeyInfo) error {
	root := "moved away"
	if k.RootHere {
		root = "here"
	}
	l := listing{columns: []string{"KEY", "EPOCH", "OLDEST BELIEVED", "UNTIL", "ROOT", "FINGERPRINT OF THE ROOT"}, object: k, lines: []any{k}}
	l.rows = [][]string{{k.Id, fmt.Sprint(k.Epoch), fmt.Sprint(k.MinEpoch), k.NotAfter.UTC().Format(time.RFC3339), root, k.Root}}
	return l.write(a)
}
