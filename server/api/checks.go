package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// Limits of a live verdict.
const (
	maxVerdictTimeout = 5 * time.Minute
	verdictSlack      = 5 * time.Second // for the folding, after the nodes' time
)

// CheckList is every check that is defined.
type CheckList struct {
	Checks []fettle.KeptCheck `json:"checks"`
}

// OneCheck is the path of one check.
type OneCheck struct {
	Name string `path:"name" maxLength:"100" doc:"Letters, digits, and _ - . : within" example:"disk"`
}

type saveCheckIn struct {
	OneCheck
	Rev    int64    `query:"rev" minimum:"0" doc:"Of the one that was looked at: a conflict if it has changed since. Left out: whatever is there is replaced"`
	DryRun bool     `query:"dry_run" doc:"Only say whether it could be saved, and what it would be"`
	Coming []string `query:"coming" maxItems:"500" doc:"Of dry_run: checks and groups that are about to be made; this one may depend on them"`
	Body   fettle.CheckDefinition
}

// CommandList is every check command that some node offers.
type CommandList struct {
	Commands []string `json:"commands"`
}

// VerdictList has the verdict of every defined check.
type VerdictList struct {
	Verdicts []fettle.Verdict `json:"verdicts"`
}

type verdictIn struct {
	Check string `path:"check" maxLength:"200" doc:"A defined check, or a check command of nodes"`
	Aim
	Live     bool   `query:"live" doc:"Ask the nodes now, also where states are kept"`
	Warning  string `query:"warning" doc:"A Nagios range over the number (10, @5:10) or part of the total (10%) of nodes that are not ok, or CEL over the tally"`
	Critical string `query:"critical" doc:"Likewise"`
	MinOK    string `query:"min_ok" maxLength:"20" doc:"How many have to be ok, a number or part of the total; fewer is critical" example:"60%"`
	By       string `query:"by" maxLength:"4096" doc:"Path of a fact: one verdict for each of its values, too, and the worst of them is that of the whole" example:"facts.customer"`
	Timeout  string `query:"timeout" doc:"How long nodes that are asked live may take; left out: 10s" example:"10s"`
}

func (a *rest) checkRoutes() {
	a.checkPastRoutes()
	handle(a, route{id: "list-checks", method: http.MethodGet, path: "/checks", tag: "checks", need: auth.Viewer, summary: "List checks", text: "Every check that is defined, as it was written, by name."}, a.listChecks)
	handle(a, route{
		id: "show-check", method: http.MethodGet, path: "/checks/{name}", tag: "checks", need: auth.Viewer, summary: "Show a check", text: "As it was written.",
	}, a.showCheck)
	handle(a, route{
		id: "save-check", method: http.MethodPut, path: "/checks/{name}", tag: "checks", need: auth.Operator, summary: "Save a check",
		text: "Nodes hear of it within seconds, without a restart of anything. Only its owner and administrators change one that is there, only administrators write " +
			"command lines, and one that the server's configuration defines is a conflict. What would be what it is keeps its rev.",
	}, a.saveCheck)
	handle(a, route{
		id: "delete-check", method: http.MethodDelete, path: "/checks/{name}", tag: "checks", need: auth.Operator, status: http.StatusNoContent,
		summary: "Delete a check", text: "With its states; its history stays. A conflict if another check depends on it, or the server's configuration defines it.",
	}, a.deleteCheck)
	handle(a, route{
		id: "list-commands", method: http.MethodGet, path: "/commands", tag: "checks", need: auth.Viewer,
		summary: "List check commands", text: "The names of all that some node offers.",
	}, a.listCommands)
	handle(a, route{
		id: "list-verdicts", method: http.MethodGet, path: "/verdicts", tag: "checks", need: auth.Viewer,
		summary: "List verdicts", text: "One for each defined check and each group, from the states that are kept.",
	}, a.listVerdicts)
	handle(a, route{
		id: "ask-verdict", method: http.MethodGet, path: "/verdicts/{check}", tag: "checks", need: auth.Viewer, wait: noLimit,
		summary: "Fold a check or a group into one verdict",
		text: "A defined check is read from the states that are kept; a check command without a definition, or with live, is asked of the nodes now. " +
			"Without a filter: the nodes that have it.",
	}, a.askVerdict)
}

func (a *rest) listChecks(ctx context.Context, _ *struct{}) (*output[CheckList], error) {
	list, err := a.fleet.CheckDefinitions(ctx)
	if err != nil {
		return nil, err
	}
	return &output[CheckList]{CheckList{orNone(list)}}, nil
}

func (a *rest) showCheck(ctx context.Context, in *OneCheck) (*output[fettle.KeptCheck], error) {
	kept, err := a.fleet.CheckDefinition(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &output[fettle.KeptCheck]{kept}, nil
}

func (a *rest) saveCheck(ctx context.Context, in *saveCheckIn) (*output[fettle.KeptCheck], error) {
	if in.Body.Name != "" && in.Body.Name != in.Name {
		return nil, &fettle.Fault{Key: "name", Reason: fmt.Sprintf("it is %s, and %s in the path", in.Body.Name, in.Name)}
	}
	if !in.DryRun && len(in.Coming) > 0 {
		return nil, errComing
	}
	in.Body.Name = in.Name
	person := auth.From(ctx)
	kept, err := a.fleet.SaveCheck(ctx, server.CheckChange{
		Definition: in.Body, Rev: in.Rev, Caller: asker(ctx), Admin: person.Role == auth.Admin, DryRun: in.DryRun, Coming: in.Coming,
	})
	if err != nil {
		return nil, err
	}
	tell(ctx, in.Name, audit.Details{"rev": kept.Rev, "definition": in.Body, "dry_run": in.DryRun})
	return &output[fettle.KeptCheck]{kept}, nil
}

func (a *rest) deleteCheck(ctx context.Context, in *OneCheck) (*struct{}, error) {
	return nil, a.fleet.DeleteCheck(ctx, in.Name, asker(ctx), auth.From(ctx).Role == auth.Admin)
}

func (a *rest) listCommands(ctx context.Context, _ *struct{}) (*output[CommandList], error) {
	return &output[CommandList]{CommandList{orNone(a.fleet.Commands(ctx))}}, nil
}

func (a *rest) listVerdicts(ctx context.Context, _ *struct{}) (*output[VerdictList], error) {
	list, err := a.fleet.Verdicts(ctx)
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i] = whole(list[i])
	}
	return &output[VerdictList]{VerdictList{orNone(list)}}, nil
}

func (a *rest) askVerdict(ctx context.Context, in *verdictIn) (*output[fettle.Verdict], error) {
	q := server.VerdictQuery{Check: in.Check, Live: in.Live, Warning: in.Warning, Critical: in.Critical, MinOK: in.MinOK, By: in.By, Caller: auth.From(ctx).Name, User: asker(ctx)}
	var err error
	if in.given {
		if q.Selection, err = in.selection(); err != nil {
			return nil, err
		}
	}
	if q.Timeout, err = parseSpan("timeout", in.Timeout); err != nil {
		return nil, err
	}
	if q.Timeout > maxVerdictTimeout {
		return nil, fmt.Errorf("timeout: %s is above %s: %w", q.Timeout, maxVerdictTimeout, fettle.ErrInvalid)
	}
	ctx, cancel := context.WithTimeout(ctx, max(q.Timeout, a.cfg.Timeout)+verdictSlack)
	defer cancel()
	v, err := a.fleet.Verdict(ctx, q)
	if err != nil {
		return nil, err
	}
	return &output[fettle.Verdict]{whole(v)}, nil
}

// whole gives v with each status that is not ok under nodes, so that a script may look without asking whether it is there.
func whole(v fettle.Verdict) fettle.Verdict {
	nodes := make(map[fettle.CheckStatus][]fettle.NodeID, len(v.Nodes)+3)
	for _, s := range []fettle.CheckStatus{fettle.CheckWarning, fettle.CheckCritical, fettle.CheckUnknown} {
		nodes[s] = []fettle.NodeID{}
	}
	for status, ids := range v.Nodes {
		nodes[status] = orNone(ids)
	}
	v.Nodes = nodes
	if len(v.By) > 0 {
		by := make([]fettle.Verdict, len(v.By)) // v's own is shared
		for i, one := range v.By {
			by[i] = whole(one)
		}
		v.By = by
	}
	return v
}
