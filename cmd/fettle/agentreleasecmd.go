package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) agentReleaseCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "agent-release", Short: "programs of the agent, for nodes to become", GroupID: groupPeople,
		Long: `A release is a program of the agent that was pushed, one for each platform. The server signs it, and the action agent.upgrade has nodes fetch it, put it in
the place of their own, and go back to the old one when the new one is not heard within a minute.`,
		Example: "  fettle agent-release push ./fettle --version 1.4.0\n  fettle run agent.upgrade version=1.4.0 --canary 1 -W role=web --timeout 3m\n  fettle agent-release list",
	}, a.agentReleaseListCommand(), a.agentReleasePushCommand(), a.agentReleaseRemoveCommand())
}

func (a *app) agentReleaseListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "the releases that were pushed, and how many nodes run them", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions, Example: "  fettle agent-release list",
	}
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		all, err := c.AgentReleases(cmd.Context())
		if err != nil {
			return err
		}
		l := listing{columns: []string{"VERSION", "PLATFORM", "NODES", "SIZE", "PUSHED", "BY", "+DIGEST", "+FAULT"}, object: client.AgentReleaseList{Releases: all}, none: "no version of the agent was pushed; \"agent-release push FILE\" does it"}
		for _, r := range all {
			l.lines = append(l.lines, r)
			l.rows = append(l.rows, []string{
				r.Version, r.Platform, strconv.Itoa(int(r.Nodes)), strconv.Itoa(int(r.Size)), r.Pushed.UTC().Format(time.RFC3339), r.By, r.Digest, word(r.Fault),
			})
		}
		return l.write(a)
	}
	return cmd
}

func (a *app) agentReleasePushCommand() *cobra.Command {
	var version string
	cmd := &cobra.Command{
		Use: "push FILE --version VERSION", Short: "bring a program of the agent to the server", Args: takes("FILE"),
		Long: `For which platform the program is, it says itself; push one for each. VERSION is what the program says of itself: an agent that becomes it, and says another,
goes back to what it was.`,
		Example: "  fettle agent-release push ./fettle --version 1.4.0",
	}
	cmd.Flags().StringVar(&version, "version", "", "`VERSION` that the program says of itself")
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if version == "" {
			return usage(fmt.Errorf("--version is missing: that which %s version says: %w", args[0], fettle.ErrInvalid))
		}
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		c, err := a.client()
		if err != nil {
			return err
		}
		r, err := c.PushAgent(cmd.Context(), version, io.Reader(f))
		if err != nil {
			return err
		}
		return a.printObject(r, func() error {
			fmt.Fprintf(a.stdout, "agent %s for %s pushed, %d bytes packed, sha256 %s\n", clean(r.Version), clean(r.Platform), r.Size, clean(r.Digest))
			fmt.Fprintf(a.stderr, "use it: fettle run agent.upgrade version=%s --all --timeout 3m\n", clean(r.Version))
			return nil
		})
	}
	return cmd
}

func (a *app) agentReleaseRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "remove VERSION", Short: "take a version away, for all platforms", Args: takes("VERSION"), Example: "  fettle agent-release remove 1.3.0",
		Long: "Nodes that run it go on doing so.", ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return c.RemoveAgent(cmd.Context(), args[0])
		},
	}
}
