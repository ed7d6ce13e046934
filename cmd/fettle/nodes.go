package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
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
	f.StringArrayVarP(&m.short, "with", "W", nil, "short form of a filter, `TERMS` such as 'environment=production customer=acme mysql::master /^db/ cores>=8'")
	f.StringArrayVarP(&m.cel, "select", "S", nil, "a filter in `CEL`, or a=b and (/c/ or not d=e)")
	f.StringArrayVarP(&m.facts, "with-fact", "F", nil, "`FACT`=value, also != < <= > >= and =/regex/")
	f.StringArrayVarP(&m.classes, "with-class", "C", nil, "`CLASS`, or /regex/")
	f.StringArrayVarP(&m.identities, "with-identity", "I", nil, "`IDENTITY`, also folded as web[01-16], or /regex/")
	f.BoolVar(&m.all, "all", false, "every node, on purpose")
}

// aimFlags adds the flags of m to cmd, completed.
func (a *app) aimFlags(cmd *cobra.Command, m *aim) {
	m.flags(cmd)
	flagNames(cmd, map[string]complete{"with-fact": a.namesOf(-1, factTerms), "with-class": a.namesOf(-1, classNames), "with-identity": a.namesOf(-1, nodeNames), "select": a.namesOf(-1, savedNames)})
}

// filter gives what the flags and the bare positionals mean together; empty stands for every node. need says that nothing given is an error.
func (m *aim) filter(ctx context.Context, bare []string, need bool) (fettle.Filter, error) {
	names, err := unfoldedNames(m.identities)
	if err != nil {
		return "", usage(err)
	}
	terms := filter.Terms{Bare: bare, CEL: m.cel, Short: m.short, Facts: m.facts, Classes: m.classes, Identities: names}
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
