package main

import (
	"context"
	"fmt"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/spf13/cobra"
)

// aim is the flags with which a command says which nodes it means.
type aim struct {
	short, cel, facts, classes, identities []string
	all                                    bool
	roster                                 string
}

// flags adds the flags of aim to cmd. MCollective's users know the letters.
func (m *aim) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVarP(&m.short, "with", "W", nil, "short form: environment=production customer=acme mysql::master /^db/ cores>=8")
	f.StringArrayVarP(&m.cel, "select", "S", nil, "CEL, or a=b and (/c/ or not d=e)")
	f.StringArrayVarP(&m.facts, "with-fact", "F", nil, "fact=value, also != < <= > >= and =/regex/")
	f.StringArrayVarP(&m.classes, "with-class", "C", nil, "class, or /regex/")
	f.StringArrayVarP(&m.identities, "with-identity", "I", nil, "identity, or /regex/")
	f.BoolVar(&m.all, "all", false, "every node, on purpose")
}

// filter gives what the flags and the bare positionals mean together; empty stands for every node. need says that nothing given is an error.
func (m *aim) filter(ctx context.Context, bare []string, need bool) (fettle.Filter, error) {
	terms := filter.Terms{Bare: bare, CEL: m.cel, Short: m.short, Facts: m.facts, Classes: m.classes, Identities: m.identities}
	switch {
	case m.roster != "":
		if m.all || !terms.Empty() {
			return "", usage(fmt.Errorf("--roster stands alone, without a filter: %w", fettle.ErrInvalid))
		}
		return "", nil
	case m.all && !terms.Empty():
		return "", usage(fmt.Errorf("--all and a filter exclude each other: %w", fettle.ErrInvalid))
	case m.all || terms.Empty() && !need:
		return "", nil
	}
	text, err := terms.Filter(ctx)
	if err != nil {
		return "", usage(fmt.Errorf("filter: %w", err))
	}
	return text, nil
}

// completeNodes completes identities that the server knows.
func (a *app) completeNodes(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c, err := a.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	found, err := find(cmd.Context(), c, question{where: fettle.Filter(fmt.Sprintf("identity.startsWith(%q)", strings.ToLower(begun))), limit: 200})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, n := range found.Nodes {
		names = append(names, string(n.Identity))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
