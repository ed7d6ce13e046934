package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) nodeCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "node", Short: "look after the nodes that are known", GroupID: groupPeople, Example: "  fettle node forget web1.acme.net",
	}, a.forgetCommand(), a.renameCommand())
}

func (a *app) renameCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rename OLD NEW", Short: "have a node's history go on under another name",
		Long: `For a machine that has got another name: what is known of OLD, with the history of its facts, becomes NEW's, and OLD is gone. NEW may
have reported already, if that was after OLD fell silent; two nodes that were there at the same time are refused. The server takes your
word that the two are one machine. What OLD answered in runs stays under the old name.`,
		Example: "  fettle node rename web1.acme.net web1.acme.example",
		Args:    takes("OLD", "NEW"), ValidArgsFunction: a.silentNames,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		from, err := fettle.ParseNodeID(args[0])
		if err != nil {
			return usage(err)
		}
		to, err := fettle.ParseNodeID(args[1])
		if err != nil {
			return usage(err)
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		return unknownNode(cmd.Context(), c, from, c.RenameNode(cmd.Context(), from, to))
	}
	return cmd
}

func (a *app) forgetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "forget NODE...", Short: "take nodes away that are gone for good",
		Long: `Takes nodes away with their facts, the history of those, and the states of their checks; what they answered in runs stays. A node that is
alive is refused: it would be back at once. One that comes back is enrolled again under the same name.

The setting forget-after of the server does this by itself, and is off by default.`,
		Example: "  fettle node forget web1.acme.net\n  fettle find 'liveness == \"silent\" && now - seen > duration(\"720h\")' -o names | xargs -r fettle node forget",
		Args:    takes("NODE", "NODE..."), ValidArgsFunction: a.silentNames,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
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
			if err := c.ForgetNode(cmd.Context(), id); err != nil {
				faults = append(faults, unknownNode(cmd.Context(), c, id, err))
			}
		}
		return errors.Join(faults...)
	}
	return cmd
}

// silentNames completes nodes that may be forgotten, any number of them.
func (a *app) silentNames(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	return a.namesOf(-1, func(ctx context.Context, c *client.API, begun string) (names []string, err error) {
		found, err := find(ctx, c, question{where: fettle.Filter(fmt.Sprintf("liveness != \"alive\" && identity.startsWith(%q)", begun)), limit: 200})
		if err != nil {
			return nil, err
		}
		for _, n := range found.Nodes {
			names = append(names, string(n.Identity)+"\t"+string(n.Liveness)+", seen "+ago(n.Seen))
		}
		return names, nil
	})(cmd, nil, begun)
}
