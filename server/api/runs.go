package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// Bounds of what a run's pages hold.
const (
	inlineResults  = 1000 // results that stand in the run object itself
	pageUnanswered = 1000
)

// RunSummary is a run without its results.
type RunSummary struct {
	Run       fettle.RunID    `json:"run"`
	Action    string          `json:"action"`
	Inputs    map[string]any  `json:"inputs"`
	Filter    fettle.Filter   `json:"filter,omitempty" doc:"In CEL; left out: the roster was given by id, or is everything"`
	All       bool            `json:"all,omitempty" doc:"Asked of every node"`
	Caller    string          `json:"caller"`
	State     fettle.RunState `json:"state" enum:"going,ended,cancelled"`
	Tally     fettle.Tally    `json:"tally"`
	Undefined int             `json:"undefined" doc:"Nodes for which the filter is undefined; they are not in the roster"`
	Refused   []RefusalInfo   `json:"refused,omitempty" doc:"Nodes of the roster that were not asked because something forbids it; the tally counts them as never"`
	Created   time.Time       `json:"created"`
	Deadline  time.Time       `json:"deadline" doc:"Who has not answered by then is silent"`
	Ended     *time.Time      `json:"ended,omitempty" doc:"Left out: it goes on"`
	TookMS    int64           `json:"took_ms" doc:"So far, or until it ended"`
	TimeoutMS int64           `json:"timeout_ms,omitempty" doc:"For the action on each node"`
	Pace      *Pace           `json:"pace,omitempty" doc:"Left out: everybody was asked at once"`
	RetryOf   fettle.RunID    `json:"retry_of,omitempty" doc:"The run that this one does again for those who did not do well"`
	Standing  string          `json:"standing,omitempty" doc:"The standing run of which this is a round"`
	RemedyOf  string          `json:"remedy_of,omitempty" doc:"The check whose remedy this is"`
	ProgressInfo
}

// RunInfo is a run with its results.
type RunInfo struct {
	RunSummary
	Results []ResultItem `json:"results" doc:"In the order in which they came; the first thousand"`
	Next    string       `json:"next" doc:"Cursor for the rest at /runs/{id}/results; empty: these are all"`
}

// ResultItem is what one node gave.
type ResultItem struct {
	Node    fettle.NodeID       `json:"node"`
	Status  fettle.Status       `json:"status" minimum:"0" maximum:"9" doc:"0 ok, 1 failed, 2 unknown action, 3 missing input, 4 invalid input, 5 other, 6 refused, 7 timed out, 8 interrupted, 9 cancelled"`
	Message string              `json:"message"`
	Data    Object              `json:"data"`
	At      *time.Time          `json:"at,omitempty" doc:"When the action began, by the node's clock"`
	TookMS  int64               `json:"took_ms"`
	Output  *fettle.CheckOutput `json:"output,omitempty" doc:"Of a check command"`
	Task    fettle.TaskID       `json:"task"`
}

// RefusalInfo is a reason for which nodes are not asked.
type RefusalInfo struct {
	Reason string          `json:"reason"`
	Count  int             `json:"count"`
	Nodes  []fettle.NodeID `json:"nodes" doc:"Sorted; the first thousand"`
}

// RunList is a page of runs, the latest first.
type RunList struct {
	Runs []RunSummary `json:"runs"`
	Next string       `json:"next"`
}

// ResultList is a page of results, in the order in which they came.
type ResultList struct {
	Results []ResultItem `json:"results"`
	Next    string       `json:"next"`
}

// Unanswered is a page of the nodes of a roster that gave no result.
type Unanswered struct {
	Nodes []fettle.NodeID `json:"nodes" doc:"Sorted: pending while the run goes on, silent or never afterwards"`
	Next  string          `json:"next"`
}

// RosterInfo is what a preview fixed.
type RosterInfo struct {
	Roster    string          `json:"roster" doc:"Its id, by which it can be run within the hour"`
	Filter    fettle.Filter   `json:"filter,omitempty"`
	Count     int             `json:"count"`
	Undefined int             `json:"undefined"`
	Sample    []fettle.NodeID `json:"sample" doc:"The first of its nodes, sorted"`
	Refused   []RefusalInfo   `json:"refused" doc:"Those of its nodes that policies forbid to ask, where an action was given"`
	Created   time.Time       `json:"created"`
}

// sample is how many nodes a preview names: enough to see a mistake.
const sample = 20

// RunOrder asks an action of nodes.
type RunOrder struct {
	Action string         `json:"action" minLength:"1" example:"agent.ping"`
	Inputs map[string]any `json:"inputs,omitempty" doc:"Text is converted to what the action's manifest declares"`
	Target
	Timeout string `json:"timeout,omitempty" doc:"For the action on each node; left out: what the action's manifest has" example:"30s"`
	Pace    *Pace  `json:"pace,omitempty" doc:"Order, speed and stops; left out: everybody is asked at once"`
}

// request gives what is to be run.
func (o RunOrder) request(ctx context.Context) (server.RunRequest, error) {
	sel, err := o.selection()
	if err != nil {
		return server.RunRequest{}, err
	}
	timeout, err := parseSpan("timeout", o.Timeout)
	return server.RunRequest{
		Action: o.Action, Inputs: o.Inputs, Selection: sel, Timeout: timeout, Caller: auth.From(ctx).Name, User: asker(ctx), Pace: o.Pace.pace(),
	}, err
}

// OneRun names a run.
type OneRun struct {
	ID string `path:"id" maxLength:"64" doc:"The run's id"`
}

type runsIn struct {
	Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Runs a page"`
	Cursor string    `query:"cursor" doc:"next of the page before"`
	User   string    `query:"user" maxLength:"253" doc:"Of this caller only"`
	Action string    `query:"action" maxLength:"253" doc:"Of this action only, or of all actions of a plugin" example:"package.install"`
	State  string    `query:"state" enum:"going,ended,cancelled" doc:"In this state only"`
	Since  time.Time `query:"since" doc:"Begun then or later" example:"2026-11-21T08:00:00Z"`
}

type resultsIn struct {
	OneRun
	Limit  int    `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"Results a page"`
	Cursor string `query:"cursor" doc:"next of the page before"`
}

// ActionList is every action that can be run.
type ActionList struct {
	Actions []server.Action `json:"actions"`
}

func (a *rest) runRoutes() {
	handle(a, route{
		id: "list-actions", method: http.MethodGet, path: "/actions", tag: "runs", need: auth.Viewer,
		summary: "List actions", text: "Every action that can be run, with its inputs and outputs.",
	}, a.listActions)
	handle(a, route{
		id: "preview-roster", method: http.MethodPost, path: "/rosters", tag: "runs", need: auth.Viewer, reads: true, status: http.StatusCreated,
		summary: "Preview a run", text: "Fixes which nodes a filter means now. A run of the roster asks exactly them.",
	}, a.preview)
	handle(a, route{
		id: "start-run", method: http.MethodPost, path: "/runs", tag: "runs", need: auth.Operator, audited: true, status: http.StatusCreated,
		summary: "Start a run", text: "Sends one task to each node of the roster and returns at once; a roster of nobody is a run that has ended.",
	}, a.startRun)
	handle(a, route{id: "list-runs", method: http.MethodGet, path: "/runs", tag: "runs", need: auth.Viewer, summary: "List runs", text: "The latest first."}, a.listRuns)
	handle(a, route{
		id: "show-run", method: http.MethodGet, path: "/runs/{id}", tag: "runs", need: auth.Viewer,
		summary: "Show a run", text: "The tally, and the first thousand results.",
	}, a.showRun)
	handle(a, route{
		id: "list-results", method: http.MethodGet, path: "/runs/{id}/results", tag: "runs", need: auth.Viewer,
		summary: "List the results of a run", text: "In the order in which they came.",
	}, a.listResults)
	handle(a, route{
		id: "list-unanswered", method: http.MethodGet, path: "/runs/{id}/unanswered", tag: "runs", need: auth.Viewer,
		summary: "List the nodes that gave no result", text: "Pending while the run goes on, silent or never afterwards.",
	}, a.listUnanswered)
	handle(a, route{
		id: "cancel-run", method: http.MethodPost, path: "/runs/{id}/cancel", tag: "runs", need: auth.Operator, audited: true,
		summary: "Cancel a run", text: "What was not sent is not sent, and nodes are asked to stop what they do.",
	}, a.cancelRun)
	handle(a, route{
		id: "retry-run", method: http.MethodPost, path: "/runs/{id}/retry", tag: "runs", need: auth.Operator, audited: true, status: http.StatusCreated,
		summary: "Retry a run", text: "A new run of the nodes that failed, were silent or were never asked, with the same options.",
	}, a.retryRun)
}

func (a *rest) retryRun(ctx context.Context, in *OneRun) (*output[RunSummary], error) {
	run, err := a.fleet.RetryRun(ctx, fettle.RunID(in.ID), auth.From(ctx).Name, asker(ctx))
	if err != nil {
		return nil, err
	}
	return &output[RunSummary]{a.summary(run)}, nil
}

func (a *rest) listActions(ctx context.Context, _ *struct{}) (*output[ActionList], error) {
	return &output[ActionList]{ActionList{orNone(a.fleet.Actions(ctx))}}, nil
}

// PreviewOrder asks which nodes are meant.
type PreviewOrder struct {
	Target
	Action string         `json:"action,omitempty" doc:"What would be run: policies are asked which nodes they forbid" example:"agent.ping"`
	Inputs map[string]any `json:"inputs,omitempty" doc:"Of the action"`
}

func (a *rest) preview(ctx context.Context, in *struct{ Body PreviewOrder }) (*output[RosterInfo], error) {
	sel, err := in.Body.selection()
	if err != nil {
		return nil, err
	}
	r, err := a.fleet.Preview(ctx, sel)
	if err != nil {
		return nil, err
	}
	var refused []fettle.Refusal
	if in.Body.Action != "" {
		req := server.RunRequest{Action: in.Body.Action, Inputs: in.Body.Inputs, Caller: auth.From(ctx).Name, User: asker(ctx)}
		if refused, err = a.fleet.Refusals(ctx, req, r.Nodes); err != nil {
			return nil, err
		}
	}
	return &output[RosterInfo]{RosterInfo{
		Roster: r.ID, Filter: r.Filter, Count: len(r.Nodes), Undefined: r.Undefined, Refused: refusalInfos(refused),
		Sample: orNone(r.Nodes[:min(sample, len(r.Nodes))]), Created: r.Created.Time(),
	}}, nil
}

func (a *rest) startRun(ctx context.Context, in *struct{ Body RunOrder }) (*output[RunSummary], error) {
	req, err := in.Body.request(ctx)
	if err != nil {
		return nil, err
	}
	run, err := a.fleet.StartRun(ctx, req)
	if err != nil {
		return nil, err
	}
	return &output[RunSummary]{a.summary(run)}, nil
}

func (a *rest) listRuns(ctx context.Context, in *runsIn) (*output[RunList], error) {
	q := server.RunQuery{Before: fettle.RunID(in.Cursor), Limit: in.Limit, Caller: in.User, Action: in.Action, State: fettle.RunState(in.State)}
	if !in.Since.IsZero() {
		q.Since = fettle.MillisOf(in.Since)
	}
	runs, next, err := a.fleet.FindRuns(ctx, q)
	if err != nil {
		return nil, err
	}
	list := RunList{Runs: make([]RunSummary, 0, len(runs)), Next: next}
	for _, r := range runs {
		list.Runs = append(list.Runs, a.summary(r))
	}
	return &output[RunList]{list}, nil
}

func (a *rest) showRun(ctx context.Context, in *OneRun) (*output[RunInfo], error) {
	id := fettle.RunID(in.ID)
	run, err := a.fleet.RunByID(ctx, id)
	if err != nil {
		return nil, err
	}
	results, next, err := a.fleet.RunResults(ctx, id, inlineResults, "")
	if err != nil {
		return nil, err
	}
	return &output[RunInfo]{RunInfo{RunSummary: a.summary(run), Results: resultItems(results), Next: next}}, nil
}

func (a *rest) listResults(ctx context.Context, in *resultsIn) (*output[ResultList], error) {
	if _, err := a.fleet.RunByID(ctx, fettle.RunID(in.ID)); err != nil {
		return nil, err
	}
	results, next, err := a.fleet.RunResults(ctx, fettle.RunID(in.ID), in.Limit, in.Cursor)
	if err != nil {
		return nil, err
	}
	return &output[ResultList]{ResultList{Results: resultItems(results), Next: next}}, nil
}

// unansweredIn asks for nodes without a result.
type unansweredIn struct {
	OneRun
	Limit  int    `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"Nodes a page"`
	Cursor string `query:"cursor" doc:"next of the page before"`
	State  string `query:"state" enum:"silent,never,pending" doc:"Those that the tally counts as such only"`
}

func (a *rest) listUnanswered(ctx context.Context, in *unansweredIn) (*output[Unanswered], error) {
	if _, err := a.fleet.RunByID(ctx, fettle.RunID(in.ID)); err != nil {
		return nil, err
	}
	nodes, err := a.fleet.RunUnanswered(ctx, fettle.RunID(in.ID), in.State)
	if err != nil {
		return nil, err
	}
	from, found := slices.BinarySearch(nodes, fettle.NodeID(in.Cursor))
	if found {
		from++
	}
	page := Unanswered{Nodes: orNone(nodes[from:min(len(nodes), from+in.Limit)])}
	if from+in.Limit < len(nodes) {
		page.Next = string(page.Nodes[in.Limit-1])
	}
	return &output[Unanswered]{page}, nil
}

func (a *rest) cancelRun(ctx context.Context, in *OneRun) (*output[RunSummary], error) {
	run, err := a.fleet.CancelRun(ctx, fettle.RunID(in.ID), auth.From(ctx).Name)
	if err != nil {
		return nil, err
	}
	return &output[RunSummary]{a.summary(run)}, nil
}

// summary gives r its shape.
func (a *rest) summary(r fettle.Run) RunSummary {
	until := r.Ended
	if until == 0 {
		until = fettle.MillisOf(a.cfg.Now())
	}
	return RunSummary{
		Run: r.ID, Action: r.Action, Inputs: orEmpty(r.Inputs), Filter: r.Filter, All: r.All, Caller: r.Caller, State: r.State, Tally: r.Tally,
		Undefined: r.Undefined, Refused: refusalInfos(r.Refused), Created: r.Created.Time(), Deadline: r.Deadline.Time(), Ended: moment(r.Ended), TookMS: max(0, until.Sub(r.Created).Milliseconds()),
		TimeoutMS: r.Timeout, Pace: paceInfo(r.Pace), RetryOf: r.RetryOf, Standing: r.Standing, RemedyOf: r.Remedy, ProgressInfo: progressInfo(r.Progress),
	}
}

func refusalInfos(list []fettle.Refusal) []RefusalInfo {
	infos := make([]RefusalInfo, 0, len(list))
	for _, r := range list {
		infos = append(infos, RefusalInfo{Reason: r.Reason, Count: r.Count, Nodes: orNone(r.Nodes)})
	}
	return infos
}

func resultItems(results []fettle.Result) []ResultItem {
	items := make([]ResultItem, 0, len(results))
	for _, r := range results {
		items = append(items, resultItem(r))
	}
	return items
}

func resultItem(r fettle.Result) ResultItem {
	item := ResultItem{Node: r.Node, Status: r.Status, Message: r.Message, At: moment(r.At), TookMS: r.TookMS, Output: r.Output, Task: r.Task}
	if len(r.Data) > 0 {
		item.Data, _ = json.Marshal(r.Data) // it came from JSON
	}
	return item
}

// parseSpan reads a span such as 30s; empty is zero.
func parseSpan(name, s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%s: %q is not a span of time such as 30s or 5m: %w", name, s, fettle.ErrInvalid)
	}
	return d, nil
}
