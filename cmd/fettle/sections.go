package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// section is some flags of a command under one title of its --help.
type section struct {
	title string
	names []string // of flags, in the order in which they are shown
}

// inSections has cmd show its flags in sections; those that stand in none come last. A name that is no flag of cmd is passed over.
func inSections(cmd *cobra.Command, all ...section) {
	cmd.SetUsageFunc(func(c *cobra.Command) error {
		var b strings.Builder
		fmt.Fprintf(&b, "Usage:\n  %s\n\nExamples:\n%s\n", c.UseLine(), c.Example)
		if subs := c.Commands(); slices.ContainsFunc(subs, (*cobra.Command).IsAvailableCommand) {
			b.WriteString("\nCommands:\n")
			for _, sub := range subs {
				if sub.IsAvailableCommand() {
					fmt.Fprintf(&b, "  %-12s %s\n", sub.Name(), sub.Short)
				}
			}
		}
		shown := map[string]bool{}
		for _, s := range all {
			writeSection(&b, s.title, named(c, s.names))
			for _, name := range s.names {
				shown[name] = true
			}
		}
		writeSection(&b, "Other flags", others(c, shown))
		writeSection(&b, "Global flags", c.InheritedFlags())
		_, err := c.OutOrStderr().Write([]byte(b.String()))
		return err
	})
}

// named gives flags of cmd in the order of their names.
func named(cmd *cobra.Command, names []string) *pflag.FlagSet {
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	set.SortFlags = false
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f != nil {
			set.AddFlag(f)
		}
	}
	return set
}

// others gives the flags of cmd itself that are not shown.
func others(cmd *cobra.Command, shown map[string]bool) *pflag.FlagSet {
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !shown[f.Name] && cmd.InheritedFlags().Lookup(f.Name) == nil {
			set.AddFlag(f)
		}
	})
	return set
}

func writeSection(b *strings.Builder, title string, set *pflag.FlagSet) {
	if text := set.FlagUsages(); text != "" {
		fmt.Fprintf(b, "\n%s:\n%s", title, text)
	}
}
