package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) pluginsCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "plugin", Short: "programs of your own that nodes can run", GroupID: groupRun,
		Long: `A plugin is a folder with a plugin.yaml, which says what actions it has, and a program in any language that does them. It is pushed to the server, and
nodes fetch it, signed, when they are first asked to run it. Nothing has to be restarted anywhere. docs/plugins.md tells how to write one.`,
		Example: "  fettle plugin new disk --lang python\n  fettle plugin test disk\n  fettle plugin push disk\n  fettle run disk.hello --all\n  fettle plugin rollback disk",
	}, a.pluginListCommand(), a.pluginShowCommand(), a.pluginPushCommand(), a.pluginPinCommand(), a.pluginUnpinCommand(), a.pluginRollbackCommand(), a.pluginRemoveCommand(),
		a.pluginNewCommand(), a.pluginLintCommand(), a.pluginTestCommand(), a.pluginDocCommand(), a.pluginPackCommand())
}

func (a *app) pluginListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "the plugins that were pushed, and how many nodes have which version", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Long:    "Each version has a line; the one that is used is marked. NODES have it on disk: a node fetches a version when it is first asked to run it.\nWhich nodes those are: fettle find 'agent.plugins.disk == \"1.2.0\"'.",
		Example: "  fettle plugin list\n  fettle plugin list -o json",
	}
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		all, err := c.Plugins(cmd.Context())
		if err != nil {
			return err
		}
		l := listing{columns: []string{"PLUGIN", "VERSION", "USED", "NODES", "SIZE", "PUSHED", "BY", "+DIGEST", "+DESCRIPTION"}, object: client.PluginList{Plugins: all}, none: "no plugin was pushed; \"plugin new NAME\" begins one"}
		for _, p := range all {
			l.names = append(l.names, p.Name)
			l.lines = append(l.lines, p)
			for _, v := range p.Versions {
				l.rows = append(l.rows, []string{
					p.Name, v.Version, useOf(p, v), strconv.Itoa(int(v.Nodes)), strconv.Itoa(int(v.Size)), v.Pushed.UTC().Format(time.RFC3339), v.By, v.Digest[:min(12, len(v.Digest))], p.Description,
				})
			}
		}
		return l.write(a)
	}
	return cmd
}

// useOf says what a version is for the fleet.
func useOf(p client.PluginInfo, v client.PluginVersionInfo) string {
	switch {
	case word(v.Fault) != "":
		return "unusable"
	case v.Version == p.Current && p.Pinned:
		return "pinned"
	case v.Version == p.Current:
		return "current"
	case v.Version == word(p.Former):
		return "before"
	}
	return ""
}

func (a *app) pluginShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME", Short: "a plugin: its versions and its actions", Args: takes("NAME"), ValidArgsFunction: a.namesOf(0, pluginNames),
		Long: "Built-in ones too, such as service.", Example: "  fettle plugin show disk\n  fettle plugin show service",
	}
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if actions := builtinOf(args[0]); len(actions) > 0 {
			return a.printObject(actions, func() error {
				fmt.Fprintf(a.stdout, "# %s\n\nBuilt in: it came with the agents.\n", args[0])
				return a.printActions(actions)
			})
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		p, err := c.Plugin(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.printObject(p, func() error { return a.printPlugin(p) })
	}
	return cmd
}

// builtinOf gives the built-in actions of a plugin's name.
func builtinOf(name string) (actions []plugins.Action) {
	for _, action := range plugins.Builtin() {
		if strings.HasPrefix(action.Name, name+".") {
			actions = append(actions, action)
		}
	}
	return actions
}

func (a *app) printPlugin(p *client.PluginInfo) error {
	fmt.Fprintf(a.stdout, "# %s %s\n\n%s\n\n", clean(p.Name), clean(p.Current), clean(p.Description))
	if licence := word(p.Licence); licence != "" {
		fmt.Fprintf(a.stdout, "licence    %s\n", clean(licence))
	}
	if platforms := word(p.Platforms); platforms != "" {
		fmt.Fprintf(a.stdout, "platforms  %s\n", clean(platforms))
	}
	t := newTable("VERSION", "USED", "NODES", "PUSHED", "BY", "DIGEST")
	for _, v := range p.Versions {
		t.add(v.Version, useOf(*p, v), strconv.Itoa(int(v.Nodes)), v.Pushed.UTC().Format(time.RFC3339), v.By, v.Digest)
	}
	if err := t.write(a.stdout); err != nil {
		return err
	}
	for _, v := range p.Versions {
		if fault := word(v.Fault); fault != "" {
			fmt.Fprintf(a.stdout, "%s: %s\n", v.Version, clean(fault))
		}
	}
	actions := make([]plugins.Action, len(p.Actions))
	for i, one := range p.Actions {
		actions[i] = actionOf(one)
	}
	return a.printActions(actions)
}

// printActions tells what actions take and give, as the page of the built-in ones does.
func (a *app) printActions(actions []plugins.Action) error {
	var page bytes.Buffer
	for _, action := range actions {
		printAction(&page, action)
	}
	_, err := a.stdout.Write(page.Bytes())
	return err
}

func (a *app) pluginPushCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "push DIR", Short: "bring a plugin to the server, and have it used", Args: takes("DIR"),
		Long: `Packs the folder, and sends it to the server, which signs it. From now on it is the version that is used, unless the plugin is pinned. A version is pushed
once: what has changed needs another version in plugin.yaml. Its cases are not run: fettle plugin test does that.`,
		Example: "  fettle plugin push ./disk",
	}
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		archive, m, err := plugins.Pack(args[0])
		if err == nil {
			err = lintFolder(args[0], m)
		}
		if err != nil {
			return usage(err)
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		p, err := c.PushPlugin(cmd.Context(), bytes.NewReader(archive))
		if err != nil {
			return err
		}
		return a.printObject(p, func() error {
			fmt.Fprintf(a.stdout, "%s %s pushed, %d bytes, sha256 %s\n", m.Name, m.Version, len(archive), plugins.Digest(archive))
			if p.Current != m.Version {
				fmt.Fprintf(a.stdout, "it is not used: %s is pinned to %s; fettle plugin pin %s %s\n", m.Name, clean(p.Current), m.Name, m.Version)
				return nil
			}
			fmt.Fprintf(a.stderr, "run it: fettle run %s --all\n", m.Actions[0].Name)
			return nil
		})
	}
	return cmd
}

// chosen is a command that changes which version is used.
func (a *app) chosen(cmd *cobra.Command, do func(args []string) (name string, choice client.PluginChoice)) *cobra.Command {
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		name, choice := do(args)
		p, err := c.ChoosePlugin(cmd.Context(), name, choice)
		if err != nil {
			return err
		}
		return a.printObject(p, func() error {
			_, err := fmt.Fprintf(a.stdout, "%s %s is used now%s\n", clean(p.Name), clean(p.Current), map[bool]string{true: ", whatever is pushed"}[p.Pinned])
			return err
		})
	}
	return cmd
}

func (a *app) pluginPinCommand() *cobra.Command {
	return a.chosen(&cobra.Command{
		Use: "pin NAME VERSION", Short: "have one version used, whatever is pushed", Args: takes("NAME", "VERSION"), ValidArgsFunction: a.pluginVersion,
		Example: "  fettle plugin pin disk 1.1.0",
	}, func(args []string) (string, client.PluginChoice) {
		return args[0], client.PluginChoice{Do: client.PluginChoiceDo("pin"), Version: &args[1]}
	})
}

func (a *app) pluginUnpinCommand() *cobra.Command {
	return a.chosen(&cobra.Command{
		Use: "unpin NAME", Short: "have the version used that was pushed last, and those that come", Args: takes("NAME"), ValidArgsFunction: a.namesOf(0, pushedNames),
		Example: "  fettle plugin unpin disk",
	}, func(args []string) (string, client.PluginChoice) {
		return args[0], client.PluginChoice{Do: client.PluginChoiceDo("unpin")}
	})
}

func (a *app) pluginRollbackCommand() *cobra.Command {
	return a.chosen(&cobra.Command{
		Use: "rollback NAME", Short: "have the version used that was used before", Args: takes("NAME"), ValidArgsFunction: a.namesOf(0, pushedNames),
		Long: "Runs that have begun keep theirs. Once more brings back where it came from.", Example: "  fettle plugin rollback disk",
	}, func(args []string) (string, client.PluginChoice) {
		return args[0], client.PluginChoice{Do: client.PluginChoiceDo("rollback")}
	})
}

func (a *app) pluginRemoveCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "remove NAME [VERSION]", Short: "take a plugin, or one version of it, away from the server", Args: takes("NAME", "VERSION?"), ValidArgsFunction: a.pluginVersion,
		Long:    "Where the version was the one that is used, the one before it is used. Nodes keep what they have until they need the room, and are not asked to run it any more.\nA whole plugin goes with --yes only.",
		Example: "  fettle plugin remove disk 1.0.0\n  fettle plugin remove disk --yes",
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "all versions of it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		version := ""
		if len(args) > 1 {
			version = args[1]
		} else if !yes {
			p, err := c.Plugin(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return usage(fmt.Errorf("%s of %s would go: name one, or say --yes: %w", plural(len(p.Versions), "version"), p.Name, fettle.ErrInvalid))
		}
		return c.RemovePlugin(cmd.Context(), args[0], version)
	}
	return cmd
}

// pluginNames are the plugins that were pushed, and the built-in ones.
func pluginNames(ctx context.Context, c *client.API, begun string) (names []string, err error) {
	names, err = pushedNames(ctx, c, begun)
	last := ""
	for _, action := range plugins.Builtin() {
		if name, _, _ := strings.Cut(action.Name, "."); name != last {
			names, last = append(names, name+"\tbuilt in"), name
		}
	}
	return names, err
}

// pushedNames are the plugins that were pushed.
func pushedNames(ctx context.Context, c *client.API, _ string) (names []string, err error) {
	all, err := c.Plugins(ctx)
	for _, p := range all {
		names = append(names, p.Name+"\t"+p.Description)
	}
	return names, err
}

// pluginVersion completes a plugin, and then a version of it.
func (a *app) pluginVersion(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.namesOf(0, pushedNames)(cmd, args, begun)
	}
	return a.namesOf(1, func(ctx context.Context, c *client.API, _ string) (names []string, err error) {
		p, err := c.Plugin(ctx, args[0])
		if err != nil {
			return nil, err
		}
		for _, v := range p.Versions {
			names = append(names, v.Version+"\t"+ago(v.Pushed)+" by "+v.By)
		}
		return names, nil
	})(cmd, args, begun)
}
