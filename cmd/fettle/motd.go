package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/facts"
	"github.com/fettle-dev/fettle/filter"
)

// loginWait is how long a login is held up at most; a collection takes some milliseconds.
const loginWait = time.Second

// loginFields are what is shown of a machine where nothing else is said: facts that people give.
const loginFields = "role,environment"

func (a *app) motdCommand() *cobra.Command {
	var fields string
	cmd := &cobra.Command{
		Use: "motd", Short: "what a person who logs in wants to know of this machine", GroupID: groupBridge,
		Long: `Prints facts of this machine, which are collected here and now: no server is asked, no program is run (so external facts come from files
only), and a login does not wait. examples/shell has it for PAM and for profile.d.`,
		Example: "  fettle motd\n  fettle motd --fields role,customer,puppet_role",
		Args:    takes(), ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().StringVar(&fields, "fields", loginFields, "fact `PATHS` that stand first, with commas between; what is missing is left out")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		paths, err := factPaths(fields)
		if err != nil {
			return err
		}
		snapshot, err := localFacts(cmd.Context(), facts.DefaultConfig())
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(a.stdout, motd(snapshot, paths))
		return err
	}
	return cmd
}

func (a *app) promptCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "prompt [PATHS]", Short: "a word from this machine's facts, for a shell's prompt", GroupID: groupBridge,
		Long: `Prints the values of fact paths of this machine with slashes between, such as web/production; without PATHS of role and environment. What is
missing is left out, and nothing at all is printed where there is none. What a shell could read as more than text becomes an underscore.

It collects facts as "fettle motd" does. A prompt calls it once for each shell, and not for each line: examples/shell has it for bash, zsh and fish.`,
		Example: "  fettle prompt\n  fettle prompt role,networking.hostname",
		Args:    takes("PATHS?"), ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		fields := loginFields
		if len(args) > 0 {
			fields = args[0]
		}
		paths, err := factPaths(fields)
		if err != nil {
			return err
		}
		snapshot, err := localFacts(cmd.Context(), facts.DefaultConfig())
		if err != nil {
			return err
		}
		if text := prompt(snapshot, paths); text != "" {
			_, err = fmt.Fprintln(a.stdout, text)
		}
		return err
	}
	return cmd
}

// localFacts collects the facts of this machine without what could take long: the network, facter, programs.
func localFacts(ctx context.Context, cfg facts.Config) (facts.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, loginWait)
	defer cancel()
	cfg.Cloud, cfg.Facter, cfg.NoPrograms, cfg.Version = false, false, true, version
	return facts.New(cfg, slog.New(slog.DiscardHandler)).Collect(ctx)
}

// factPaths reads paths with commas between; "facts." may stand before each.
func factPaths(text string) (paths []fettle.Path, err error) {
	for _, name := range filter.SplitList(text) {
		path, err := fettle.ParsePath(name)
		if err != nil {
			return nil, usage(err)
		}
		if len(path) > 1 && path[0] == "facts" {
			path = path[1:]
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// local writes the fact at a path; empty for what is not there, and for an object.
func local(s facts.Snapshot, path ...string) string {
	var v any = s.Facts
	for _, key := range path {
		object, _ := v.(map[string]any)
		v = object[key]
	}
	if _, is := v.(map[string]any); is || v == nil {
		return ""
	}
	text, _ := leafText(v)
	return clean(text)
}

// motd is what stands on the screen after a login.
func motd(s facts.Snapshot, paths []fettle.Path) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n", local(s, "networking", "fqdn"), joined(", ",
		joined(" ", local(s, "os", "name"), local(s, "os", "release", "full")),
		joined(" ", local(s, "kernel"), local(s, "kernelrelease")), local(s, "os", "architecture"), local(s, "virtual")))
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-12s %s\n", key, value)
		}
	}
	for _, path := range paths {
		line(clean(path.String()), local(s, path...))
	}
	line("classes", clean(strings.Join(s.Classes, " ")))
	line("address", joined(" ", local(s, "networking", "ip"), local(s, "networking", "ip6")))
	line("processors", local(s, "processors", "count"))
	line("memory", used(s, "memory", "system"))
	line("disk /", used(s, "mountpoints", "/"))
	line("up", local(s, "system_uptime", "uptime"))
	line("load", joined(" ", local(s, "load_averages", "1m"), local(s, "load_averages", "5m"), local(s, "load_averages", "15m")))
	return b.String()
}

// used says how much of something is in use.
func used(s facts.Snapshot, path ...string) string {
	capacity, size := local(s, append(path, "capacity")...), local(s, append(path, "size")...)
	if size == "" {
		size = local(s, append(path, "total")...)
	}
	if capacity == "" || size == "" {
		return size
	}
	return capacity + " of " + size
}

// joined joins what is not empty.
func joined(between string, texts ...string) string {
	var kept []string
	for _, text := range texts {
		if text != "" {
			kept = append(kept, text)
		}
	}
	return strings.Join(kept, between)
}

// maxPrompt is how long a word of a prompt may be, in characters.
const maxPrompt = 60

// prompt is what stands in a shell's prompt.
func prompt(s facts.Snapshot, paths []fettle.Path) string {
	var words []string
	for _, path := range paths {
		words = append(words, local(s, path...))
	}
	text := []rune(strings.Map(func(r rune) rune {
		if strings.ContainsRune("$`\\%!\"'{}()", r) { // what bash, zsh and fish read in a prompt
			return '_'
		}
		return r
	}, joined("/", words...)))
	return string(text[:min(len(text), maxPrompt)])
}
