package web

import (
	"cmp"
	"context"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// Bounds of what a page reckons of the checks in a group.
const (
	leavesRead   = 20 // checks
	deepestGroup = 32
)

// leaf is a check that stands in a group, by way of others too.
type leaf struct {
	Check  string        // empty: all checks of the nodes of Filter
	Filter fettle.Filter // empty: all nodes that have it
}

// leavesOf gives the checks in a group, each once for each filter.
func leavesOf(groups []fettle.Group, name string) (out []leaf) {
	by := make(map[string]fettle.Group, len(groups))
	for _, g := range groups {
		by[g.Name] = g
	}
	seen := map[string]bool{}
	var walk func(name string, depth int)
	walk = func(name string, depth int) {
		if seen[name] || depth > deepestGroup {
			return
		}
		seen[name] = true
		for _, m := range by[name].Members {
			if m.Group != "" {
				walk(m.Group, depth+1)
			} else if one := (leaf{m.Check, m.Filter}); !slices.Contains(out, one) {
				out = append(out, one)
			}
		}
	}
	walk(name, 0)
	return out
}

// checksOf gives the names of the checks that leaves are about, sorted.
func checksOf(leaves []leaf) (names []string) {
	for _, l := range leaves {
		if l.Check != "" && !slices.Contains(names, l.Check) {
			names = append(names, l.Check)
		}
	}
	slices.SortFunc(names, natural)
	return names
}

// silenceOf gives the link to the form that silences what stands in a group. Empty: one silence cannot say that, for its members are about
// different nodes.
func silenceOf(leaves []leaf, back string) string {
	if len(leaves) == 0 {
		return ""
	}
	for _, l := range leaves {
		if l.Filter != leaves[0].Filter || (l.Check == "") != (leaves[0].Check == "") {
			return ""
		}
	}
	return silenceForm{
		Checks: strings.Join(checksOf(leaves), " "), Where: cmp.Or(string(leaves[0].Filter), everyNode), For: "4h", Back: back,
	}.URL()
}

// waysOf gives what there is of the members of a group, one by one: history, map, silence.
func waysOf(members []fettle.GroupMember, rows []memberRow, back string) {
	for i := range rows {
		at := slices.IndexFunc(members, func(m fettle.GroupMember) bool {
			name := cmp.Or(m.Check, m.Group)
			return name != "" && (rows[i].Name == name || strings.HasPrefix(rows[i].Name, name+" where ") && strings.HasSuffix(rows[i].Name, string(m.Filter)))
		})
		if at < 0 {
			continue
		}
		m := members[at]
		rows[i].History = historyURL(cmp.Or(m.Check, m.Group), "", spans()[0], 0)
		if m.Check != "" {
			rows[i].Map = mapURL(m.Check, "", "")
			rows[i].Silence = silenceForm{Checks: m.Check, Where: cmp.Or(string(m.Filter), everyNode), For: "4h", Back: back}.URL()
		}
	}
}

// memberShare is how long a check in a group was well.
type memberShare struct {
	Check, URL string
	OK         string // percent
	Bar        []heldPart
	Fault      string
	well       float64
}

// groupHistory fills in the history of the checks in a group: a group has none of its own, for it is folded anew whenever one of them changes.
func (s *site) groupHistory(ctx context.Context, p *checkHistoryPage, names []string, from, until fettle.Millis) error {
	p.Group, p.MoreMembers = true, max(0, len(names)-leavesRead)
	var all []server.Transition
	for _, name := range names[:min(len(names), leavesRead)] {
		list, err := s.fleet.CheckHistory(ctx, server.TransitionQuery{Check: name, Since: from, Hard: true, Limit: changesRead / 4})
		if err != nil && !isNotFound(err) {
			return err
		}
		all = append(all, list...)
		row := memberShare{well: 101, Check: name, URL: historyURL(name, "", p.Span, 0)}
		if a, err := s.fleet.Availability(ctx, server.AvailabilityQuery{Check: name, From: from, Until: until}); err != nil {
			row.Fault = said(err)
		} else if a.All.Determined() > 0 {
			row.well = a.All.Percent(fettle.CheckOK)
			row.OK, row.Bar = percentOf(row.well), shares(a.All)
		}
		p.Members = append(p.Members, row)
	}
	slices.SortStableFunc(p.Members, func(a, b memberShare) int { return cmp.Compare(a.well, b.well) })
	slices.SortStableFunc(all, func(a, b server.Transition) int { return cmp.Compare(b.At, a.At) })
	p.Changes, _ = gatherChanges(s, all)
	return nil
}
