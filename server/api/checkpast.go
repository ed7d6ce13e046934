package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// CheckChange is a change of a check's state on one node.
type CheckChange struct {
	Node     string    `json:"node"`
	At       time.Time `json:"at" doc:"By the server's clock"`
	From     string    `json:"from" doc:"Empty: there was no state"`
	To       string    `json:"to" doc:"Empty: there is none any more: the node has left the check, or the check was deleted"`
	Hard     bool      `json:"hard" doc:"It changed what counts"`
	Flapping string    `json:"flapping,omitempty" enum:"began,ended" doc:"With it the state began to flap, or ceased to"`
	Output   string    `json:"output"`
	// Remedy is what the change called for.
	Remedy *ChangeRemedy `json:"remedy,omitempty" doc:"What was run because of it, or why nothing was; left out: it called for none"`
}

// ChangeRemedy is what a change of a state called for.
type ChangeRemedy struct {
	ID     int64  `json:"id"`
	Action string `json:"action"`
	Phase  string `json:"phase" enum:"waiting,running,watching,mended,unmended,failed,skipped"`
	Why    string `json:"why,omitempty" doc:"What it waits for, or why it was left out or did not mend"`
	Run    string `json:"run,omitempty"`
}

// CheckPast is a page of what has changed, the newest first.
type CheckPast struct {
	Check   string        `json:"check"`
	Changes []CheckChange `json:"changes"`
	Next    string        `json:"next"`
}

type checkPastIn struct {
	OneCheck
	Node   string `query:"node" maxLength:"253" doc:"One node; left out: all"`
	Since  string `query:"since" doc:"RFC 3339; left out: all that is kept" example:"2026-11-14T09:00:00Z"`
	Until  string `query:"until" doc:"RFC 3339; left out: now"`
	Hard   bool   `query:"hard" doc:"Only what changed what counts"`
	Limit  int    `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"Changes a page"`
	Cursor string `query:"cursor" doc:"next of the page before"`
}

// StatusTime is how long a check had a status.
type StatusTime struct {
	OK       float64 `json:"ok" doc:"Percent of the determined time"`
	Warning  float64 `json:"warning"`
	Critical float64 `json:"critical"`
	Unknown  float64 `json:"unknown"`
	Stale    float64 `json:"stale" doc:"The last result was too old"`
	Seconds  int64   `json:"determined_seconds" doc:"In which there was a state"`
	Not      int64   `json:"undetermined_seconds" doc:"In which there was none: the node did not have the check, or had said nothing yet"`
}

// NodeTime is the same for one node.
type NodeTime struct {
	Node string `json:"node"`
	StatusTime
}

// Availability is how long a check had which status over a span.
type Availability struct {
	Check string    `json:"check"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	StatusTime
	Count int        `json:"count" doc:"Nodes that had the check"`
	Nodes []NodeTime `json:"nodes,omitempty" doc:"With by=node, by name"`
	Next  string     `json:"next,omitempty"`
}

type availabilityIn struct {
	OneCheck
	Node   string `query:"node" maxLength:"253" doc:"One node; left out: all"`
	Since  string `query:"since" doc:"RFC 3339; left out: seven days ago" example:"2026-11-14T09:00:00Z"`
	Until  string `query:"until" doc:"RFC 3339; left out: now"`
	By     string `query:"by" enum:"node" doc:"node: for each node, too"`
	Limit  int    `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"Nodes a page"`
	Cursor string `query:"cursor" doc:"next of the page before"`
}

// CheckTestOrder asks what the state of a check would be.
type CheckTestOrder struct {
	Definition fettle.CheckDefinition `json:"definition"`
	Where      string                 `json:"where,omitempty" doc:"Nodes to test it on, in CEL; left out: those of its filter"`
	Short      string                 `json:"short,omitempty" doc:"Instead: in the short form"`
	Limit      int                    `json:"limit,omitempty" minimum:"0" maximum:"100" doc:"Nodes; left out: 10"`
}

// TestedCheck is what the states would be.
type TestedCheck struct {
	Meant int         `json:"meant" doc:"Nodes that are meant in all"`
	Nodes []TestedOne `json:"nodes"`
}

// TestedOne is what it would be on one node.
type TestedOne struct {
	Node     string        `json:"node"`
	Status   string        `json:"status" enum:"ok,warning,critical,unknown"`
	Output   string        `json:"output"`
	Long     string        `json:"long,omitempty"`
	Perfdata []fettle.Perf `json:"perfdata,omitempty"`
	TookMS   int64         `json:"took_ms"`
}

func (a *rest) checkPastRoutes() {
	handle(a, route{
		id: "show-check-history", method: http.MethodGet, path: "/checks/{name}/history", tag: "checks", need: auth.Viewer,
		summary: "Show what has changed in a check's states", text: "The newest first; also of a check that was deleted.",
	}, a.checkHistory)
	handle(a, route{
		id: "show-availability", method: http.MethodGet, path: "/checks/{name}/availability", tag: "checks", need: auth.Viewer,
		summary: "Reckon how long a check had which status", text: "In percent of the time in which there was a state; the other time is said apart.",
	}, a.availability)
	handle(a, route{
		id: "test-check", method: http.MethodPost, path: "/checks/test", tag: "checks", need: auth.Operator, wait: noLimit,
		summary: "Test a check", text: "Asks some nodes now what the definition asks, and says what state each would have. Nothing is kept. Who asks has to be allowed to save it.",
	}, a.testCheck)
}

var flapWords = map[fettle.FlapChange]string{fettle.FlapBegan: "began", fettle.FlapEnded: "ended"}

func (a *rest) checkHistory(ctx context.Context, in *checkPastIn) (*output[CheckPast], error) {
	q := server.TransitionQuery{Check: in.Name, Hard: in.Hard, Limit: in.Limit}
	var err error
	if q.Node, err = readNode(in.Node); err != nil {
		return nil, err
	}
	if q.Since, err = readMoment("since", in.Since); err != nil {
		return nil, err
	}
	if q.Until, err = readMoment("until", in.Until); err != nil {
		return nil, err
	}
	if q.Before, err = readCursor(in.Cursor); err != nil {
		return nil, err
	}
	list, err := a.fleet.CheckHistory(ctx, q)
	if err != nil {
		return nil, err
	}
	past := CheckPast{Check: in.Name, Changes: make([]CheckChange, len(list))}
	seqs := make([]int64, len(list))
	for i, tr := range list {
		seqs[i] = tr.Seq
		past.Changes[i] = CheckChange{
			Node: string(tr.Node), At: tr.At.Time(), From: string(tr.From), To: string(tr.To), Hard: tr.Hard, Flapping: flapWords[tr.Flap], Output: tr.Output,
		}
	}
	if err := a.addRemedies(ctx, &past, seqs); err != nil {
		return nil, err
	}
	if len(list) == in.Limit {
		past.Next = strconv.FormatInt(list[len(list)-1].Seq, 10)
	}
	return &output[CheckPast]{past}, nil
}

const defaultAvailable = 7 * 24 * time.Hour

func (a *rest) availability(ctx context.Context, in *availabilityIn) (*output[Availability], error) {
	q := server.AvailabilityQuery{Check: in.Name}
	var err error
	if q.Node, err = readNode(in.Node); err != nil {
		return nil, err
	}
	if q.From, err = readMoment("since", in.Since); err != nil {
		return nil, err
	}
	if q.Until, err = readMoment("until", in.Until); err != nil {
		return nil, err
	}
	if q.From == 0 {
		until := a.cfg.Now()
		if q.Until != 0 {
			until = q.Until.Time()
		}
		q.From = fettle.MillisOf(until.Add(-defaultAvailable))
	}
	found, err := a.fleet.Availability(ctx, q)
	if err != nil {
		return nil, err
	}
	out := Availability{Check: in.Name, From: found.From.Time(), Until: found.Until.Time(), StatusTime: statusTime(found.All), Count: len(found.Nodes)}
	for _, n := range found.Nodes {
		switch {
		case in.By == "" || string(n.Node) <= in.Cursor:
		case len(out.Nodes) == in.Limit:
			out.Next = out.Nodes[in.Limit-1].Node
		default:
			out.Nodes = append(out.Nodes, NodeTime{string(n.Node), statusTime(n.Spent)})
		}
	}
	return &output[Availability]{out}, nil
}

func statusTime(s server.Spent) StatusTime {
	return StatusTime{
		OK: s.Percent(fettle.CheckOK), Warning: s.Percent(fettle.CheckWarning), Critical: s.Percent(fettle.CheckCritical), Unknown: s.Percent(fettle.CheckUnknown),
		Stale: s.Percent(fettle.CheckStale), Seconds: int64(s.Determined().Seconds()), Not: int64(s[""].Seconds()),
	}
}

func (a *rest) testCheck(ctx context.Context, in *struct{ Body CheckTestOrder }) (*output[TestedCheck], error) {
	t := server.CheckTest{
		Change: server.CheckChange{Definition: in.Body.Definition, Caller: asker(ctx), Admin: auth.From(ctx).Role == auth.Admin}, Limit: in.Body.Limit,
	}
	if in.Body.Where != "" || in.Body.Short != "" {
		where, err := filterOf(in.Body.Where, in.Body.Short)
		if err != nil {
			return nil, err
		}
		t.Where = where
	}
	tell(ctx, in.Body.Definition.Name, audit.Details{"definition": in.Body.Definition, "where": t.Where})
	tested, meant, err := a.fleet.TestCheck(ctx, t)
	if err != nil {
		return nil, err
	}
	out := TestedCheck{Meant: meant, Nodes: make([]TestedOne, len(tested))}
	for i, n := range tested {
		out.Nodes[i] = TestedOne{
			Node: string(n.Node), Status: string(n.Output.Code.Status()), Output: n.Output.Line, Long: n.Output.Long, Perfdata: n.Output.Perfdata, TookMS: n.TookMS,
		}
	}
	return &output[TestedCheck]{out}, nil
}
