package api

import (
	"context"
	"net/http"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server/auth"
)

// GroupBody is what a group of verdicts says.
type GroupBody struct {
	Fold    string            `json:"fold,omitempty" enum:"worst,all,any,at_least" doc:"What the members' statuses make: the worst of them; all have to be well, which is the same; one that is well is enough; or at_least so many"`
	AtLeast int               `json:"at_least,omitempty" minimum:"0" maximum:"500" doc:"Of fold at_least: how many have to be well"`
	Members []GroupMember     `json:"members" minItems:"1" maxItems:"500"`
	By      string            `json:"by,omitempty" doc:"Path of a fact: beside the whole there is one verdict for each of its values, and the worst of them is that of the whole" example:"facts.customer"`
	Rule    *fettle.Rule      `json:"rule,omitempty" doc:"Instead of fold: over the tally of the members"`
	Notes   string            `json:"notes,omitempty" maxLength:"4000"`
	Runbook string            `json:"runbook,omitempty" maxLength:"2000" doc:"A link to what is to be done"`
	Labels  map[string]string `json:"labels,omitempty" doc:"For people and for alerts"`
	Owner   string            `json:"owner,omitempty" maxLength:"100"`
	Rev     int64             `json:"rev,omitempty" doc:"Of the one that was looked at: a conflict if it has changed since. Left out: whatever is there is replaced"`
}

// GroupMember is a check or a group, whole or over the nodes of a filter; or, with a filter alone, all checks of those nodes.
type GroupMember struct {
	Check  string       `json:"check,omitempty" maxLength:"100"`
	Group  string       `json:"group,omitempty" maxLength:"100"`
	Filter string       `json:"filter,omitempty" doc:"In CEL or the short form, @names within"`
	Rule   *fettle.Rule `json:"rule,omitempty" doc:"Instead of the check's own"`
}

// GroupInfo is a group of verdicts.
type GroupInfo struct {
	Name string `json:"name"`
	GroupBody
	Updated time.Time `json:"updated"`
	Editor  string    `json:"updated_by" doc:"Who changed it last"`
}

// GroupList is all groups, by name.
type GroupList struct {
	Groups []GroupInfo `json:"groups"`
}

// OneGroup is the path of one group.
type OneGroup struct {
	Name string `path:"name" maxLength:"100" doc:"Letters, digits, and _ - . : within; not that of a check" example:"shop"`
}

func (a *rest) groupRoutes() {
	handle(a, route{id: "list-groups", method: http.MethodGet, path: "/groups", tag: "checks", need: auth.Viewer, summary: "List groups", text: "Verdicts that are folded into one, by name."}, a.listGroups)
	handle(a, route{id: "show-group", method: http.MethodGet, path: "/groups/{name}", tag: "checks", need: auth.Viewer, summary: "Show a group", text: "Its verdict is at /verdicts/{name}."}, a.showGroup)
	handle(a, route{
		id: "save-group", method: http.MethodPut, path: "/groups/{name}", tag: "checks", need: auth.Operator, summary: "Save a group",
		text: "In the place of the one of that name. Its members have to exist, and it may not stand on itself. One that would be what it is keeps its rev.",
	}, a.saveGroup)
	handle(a, route{
		id: "delete-group", method: http.MethodDelete, path: "/groups/{name}", tag: "checks", need: auth.Operator, status: http.StatusNoContent,
		summary: "Delete a group", text: "A conflict if another group, or a check, stands on it.",
	}, a.deleteGroup)
}

func groupInfo(g fettle.Group) GroupInfo {
	info := GroupInfo{Name: g.Name, Updated: g.Updated.Time(), Editor: g.UpdatedBy, GroupBody: GroupBody{
		Fold: string(g.Fold), AtLeast: g.AtLeast, Members: []GroupMember{}, By: g.By, Rule: ruleOrNone(g.Rule), Notes: g.Notes, Runbook: g.Runbook,
		Labels: g.Labels, Owner: g.Owner, Rev: g.Rev,
	}}
	for _, m := range g.Members {
		info.Members = append(info.Members, GroupMember{Check: m.Check, Group: m.Group, Filter: string(m.Filter), Rule: ruleOrNone(m.Rule)})
	}
	return info
}

func ruleOrNone(r fettle.Rule) *fettle.Rule {
	if r == (fettle.Rule{}) {
		return nil
	}
	return &r
}

func (b GroupBody) group(name string) fettle.Group {
	g := fettle.Group{
		Name: name, Fold: fettle.GroupFold(b.Fold), AtLeast: b.AtLeast, By: b.By, Notes: b.Notes, Runbook: b.Runbook, Labels: b.Labels, Owner: b.Owner, Rev: b.Rev,
	}
	if b.Rule != nil {
		g.Rule = *b.Rule
	}
	for _, m := range b.Members {
		member := fettle.GroupMember{Check: m.Check, Group: m.Group, Filter: fettle.Filter(m.Filter)}
		if m.Rule != nil {
			member.Rule = *m.Rule
		}
		g.Members = append(g.Members, member)
	}
	return g
}

func (a *rest) listGroups(ctx context.Context, _ *struct{}) (*output[GroupList], error) {
	list := GroupList{Groups: []GroupInfo{}}
	for _, g := range a.fleet.Groups(ctx) {
		list.Groups = append(list.Groups, groupInfo(g))
	}
	return &output[GroupList]{list}, nil
}

func (a *rest) showGroup(ctx context.Context, in *OneGroup) (*output[GroupInfo], error) {
	g, err := a.fleet.Group(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &output[GroupInfo]{groupInfo(g)}, nil
}

// saveGroupIn is a group, and whether it is to be kept.
type saveGroupIn struct {
	OneGroup
	DryRun bool     `query:"dry_run" doc:"Only say whether it could be saved, and what it would be"`
	Coming []string `query:"coming" maxItems:"500" doc:"Of dry_run: checks and groups that are about to be made; a member may be one of them"`
	Body   GroupBody
}

// errComing is of who would save something on what is not there yet.
var errComing = &fettle.Fault{Key: "coming", Reason: "it is for dry_run: what is saved stands on what there is"}

func (a *rest) saveGroup(ctx context.Context, in *saveGroupIn) (*output[GroupInfo], error) {
	tell(ctx, in.Name, audit.Details{"fold": in.Body.Fold, "members": in.Body.Members, "by": in.Body.By, "dry_run": in.DryRun})
	if !in.DryRun && len(in.Coming) > 0 {
		return nil, errComing
	}
	var g fettle.Group
	var err error
	if in.DryRun {
		g, err = a.fleet.TryGroup(ctx, in.Body.group(in.Name), in.Coming)
	} else {
		g, err = a.fleet.SaveGroup(ctx, in.Body.group(in.Name), auth.From(ctx).Name)
	}
	if err != nil {
		return nil, err
	}
	return &output[GroupInfo]{groupInfo(g)}, nil
}

func (a *rest) deleteGroup(ctx context.Context, in *OneGroup) (*struct{}, error) {
	return nil, a.fleet.DeleteGroup(ctx, in.Name, auth.From(ctx).Name)
}
