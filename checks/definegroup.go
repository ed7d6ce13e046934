package checks

import (
	"errors"
	"fmt"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// MaxMembers bounds the members of a group.
const MaxMembers = 500

// DefineGroup gives g with nothing left open, its filters in CEL with names of saved filters still in them. The error has a *fettle.Fault or, with its
// key before it, a *filter.Error for every fault that shows without knowing what else there is.
func DefineGroup(g fettle.Group) (fettle.Group, error) {
	v := definer{}
	if err := CheckName(g.Name); err != nil {
		v.bad("name", "%s", strings.ReplaceAll(err.Error(), "a check", "a group"))
	}
	switch g.Fold {
	case "":
		g.Fold = fettle.FoldWorst
	case fettle.FoldWorst, fettle.FoldAll, fettle.FoldAny, fettle.FoldAtLeast:
	default:
		v.bad("fold", "%q is none of worst, all, any, at_least", g.Fold)
	}
	if (g.Fold == fettle.FoldAtLeast) != (g.AtLeast > 0) || g.AtLeast < 0 || g.AtLeast > len(g.Members) {
		v.bad("at_least", "%d: it goes with fold: at_least, and is between 1 and the number of members", g.AtLeast)
	}
	if len(g.Members) == 0 || len(g.Members) > MaxMembers {
		v.bad("members", "a group has 1 to %d members", MaxMembers)
	}
	v.rule("rule", g.Rule)
	if g.By != "" {
		p, err := ByPath(g.By)
		if err != nil {
			v.bad("by", "%v", err)
		}
		g.By = p.String()
	}
	members := make([]fettle.GroupMember, len(g.Members))
	for i, m := range g.Members {
		members[i] = v.member(fmt.Sprintf("members[%d]", i), m)
	}
	g.Members = members
	if err := CheckPeople(g.Notes, g.Runbook, g.Labels); err != nil {
		v.faults = append(v.faults, fettle.Faults(err)...)
	}
	if len(g.Owner) > MaxName {
		v.bad("owner", "%d bytes, and %d are allowed", len(g.Owner), MaxName)
	}
	return g, errors.Join(v.faults...)
}

// member looks at one member.
func (v *definer) member(at string, m fettle.GroupMember) fettle.GroupMember {
	switch {
	case m.Check != "" && m.Group != "":
		v.bad(at+".group", "it stands beside check, and a member is one of the two")
	case m.Check == "" && m.Group == "" && m.Filter == "":
		v.bad(at, "a member is a check, a group, or the nodes of a filter")
	case m.Group != "" && m.Rule != (fettle.Rule{}):
		v.bad(at+".rule", "a group has a rule of its own")
	}
	v.rule(at+".rule", m.Rule)
	if m.Filter != "" {
		text, err := WrittenFilter(m.Filter)
		if err != nil {
			v.faults = append(v.faults, fmt.Errorf("%s.filter: %w", at, err))
			return m
		}
		m.Filter = text
	}
	return m
}

// rule looks at what counts mean.
func (v *definer) rule(at string, r fettle.Rule) {
	if _, err := ParseRule(r, tryTally); err != nil {
		v.faults = append(v.faults, fmt.Errorf("%s: %w", at, err))
	}
}

// tryTally compiles an expression over a tally that nobody asks yet.
func tryTally(text string) (When, error) {
	_, err := filter.Compile(filter.Tally, fettle.Filter(text))
	return nil, err
}

// ByPath reads the path of a fact by whose values verdicts are asked, with or without facts. before it.
func ByPath(text string) (fettle.Path, error) {
	p, err := fettle.ParsePath(text)
	if err != nil {
		return nil, err
	}
	if len(p) > 1 && p[0] == "facts" {
		p = p[1:]
	}
	return p, nil
}
