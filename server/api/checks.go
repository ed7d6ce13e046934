package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	fettle "github.com/fettle-dev/fettle"
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
	Checks []fettle.Check `json:"checks"`
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
	Timeout  string `query:"timeout" doc:"How long nodes that are asked live may take; left out: 10s" example:"10s"`
}

func (a *rest) checkRoutes() {
	handle(a, route{id: "list-checks", method: http.MethodGet, path: "/checks", tag: "checks", need: auth.Viewer, summary: "List checks", text: "Every check that is defined."}, a.listChecks)
	handle(a, route{
		id: "list-commands", method: http.MethodGet, path: "/commands", tag: "checks", need: auth.Viewer,
		summary: "List check commands", text: "The names of all that some node offers.",
	}, a.listCommands)
	handle(a, route{
		id: "list-verdicts", method: http.MethodGet, path: "/verdicts", tag: "checks", need: auth.Viewer,
		summary: "List verdicts", text: "One for each defined check, from the states that are kept.",
	}, a.listVerdicts)
	handle(a, route{
		id: "ask-verdict", method: http.MethodGet, path: "/verdicts/{check}", tag: "checks", need: auth.Viewer, wait: noLimit,
		summary: "Fold a check into one verdict",
		text: "A defined check is read from the states that are kept; a check command without a definition, or with live, is asked of the nodes now. " +
			"Without a filter: the nodes that have it.",
	}, a.askVerdict)
}

func (a *rest) listChecks(ctx context.Context, _ *struct{}) (*output[CheckList], error) {
	list, err := a.fleet.Checks(ctx)
	if err != nil {
		return nil, err
	}
	return &output[CheckList]{CheckList{orNone(list)}}, nil
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
	q := server.VerdictQuery{Check: in.Check, Live: in.Live, Warning: in.Warning, Critical: in.Critical, Caller: auth.From(ctx).Name, User: asker(ctx)}
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
	return v
}
