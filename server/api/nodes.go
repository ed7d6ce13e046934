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

// maxPage is the number of nodes that a page may have; the server has the same limit.
const maxPage = 10_000

type findIn struct {
	Aim
	Limit  int    `query:"limit" minimum:"1" maximum:"10000" default:"100" doc:"Nodes a page"`
	Cursor string `query:"cursor" doc:"next of the page before"`
	Fields string `query:"fields" maxLength:"65536" doc:"What to tell of each node under fields, with commas between: fact paths, expressions in CEL, or facts, classes, agent, commands, pools, labels" example:"os.family,facts.memory.system.total_bytes / 1073741824"`
	Sort   string `query:"sort" maxLength:"4096" doc:"Order by this fact, its numbers before its texts, nodes without it last; left out: by identity" example:"memory.system.total_bytes"`
	Desc   bool   `query:"desc" doc:"Turn the order around"`
	Count  bool   `query:"count" doc:"Only count, and list no nodes"`
	Since  string `query:"became_true_since" doc:"Only nodes for which the filter was not true at that moment, RFC 3339: it was false or undefined, or the node was not there" example:"2026-11-14T09:00:00Z"`

	lines   bool // a stream is wanted, one node a line
	limited bool // limit stands in the query string
}

// NodeList says which nodes match, and of how many it cannot be said.
type NodeList struct {
	Matched     int            `json:"matched" doc:"Nodes for which the filter is true, on all pages"`
	Undefined   int            `json:"undefined" doc:"Nodes for which the filter is neither true nor false"`
	UndefinedBy map[string]int `json:"undefined_by" doc:"What they lack; a node may count under several paths"`
	Hints       []string       `json:"hints,omitempty" doc:"What a person who meant something else may want to know"`
	Nodes       []NodeItem     `json:"nodes"`
	Next        string         `json:"next" doc:"Cursor of the next page; empty: this is the last"`
}

// NodeItem is a node in a list.
type NodeItem struct {
	Identity  fettle.NodeID    `json:"identity"`
	Liveness  fettle.Liveness  `json:"liveness" enum:"alive,late,silent"`
	Seen      time.Time        `json:"seen" doc:"When a byte of it was last received"`
	Enrolled  time.Time        `json:"enrolled" doc:"When it was first heard of"`
	FactsAt   *time.Time       `json:"facts_at,omitempty" doc:"When its facts last changed"`
	Contested string           `json:"contested,omitempty" doc:"Why nothing is asked of it; left out: it is"`
	Fields    map[string]Value `json:"fields,omitempty" doc:"What was asked for by fields; a node that lacks one has no such key"`
}

// NodeInfo is all that is known of one node.
type NodeInfo struct {
	Identity  fettle.NodeID        `json:"identity"`
	Facts     Object               `json:"facts"`
	Hash      string               `json:"facts_hash"`
	FactsAt   *time.Time           `json:"facts_at,omitempty" doc:"When its facts last changed"`
	Classes   []string             `json:"classes"`
	Agent     fettle.AgentInfo     `json:"agent"`
	Commands  []string             `json:"commands" doc:"Check commands that it offers"`
	Pools     []string             `json:"pools"`
	Labels    map[string]string    `json:"labels"`
	Liveness  fettle.Liveness      `json:"liveness" enum:"alive,late,silent," doc:"Empty for a moment of the past"`
	Seen      time.Time            `json:"seen" doc:"When a byte of it was last received"`
	Enrolled  time.Time            `json:"enrolled" doc:"When it was first heard of"`
	Checks    map[string]NodeCheck `json:"checks"`
	Contested string               `json:"contested,omitempty" doc:"Why nothing is asked of it; left out: it is"`
}

// NodeCheck is what one node's last results say of one check.
type NodeCheck struct {
	Status   fettle.CheckStatus `json:"status" enum:"ok,warning,critical,unknown,stale" doc:"The hard status"`
	Soft     fettle.CheckStatus `json:"soft" enum:"ok,warning,critical,unknown,stale" doc:"The status of the last result"`
	Attempt  int                `json:"attempt" doc:"Results in a row with the soft status"`
	Since    *time.Time         `json:"since,omitempty" doc:"When status began"`
	At       *time.Time         `json:"at,omitempty" doc:"When the last result was received"`
	Output   string             `json:"output"`
	Perfdata []fettle.Perf      `json:"perfdata,omitempty"`
	Rev      int64              `json:"rev" doc:"Of the check's definition"`
}

func (a *rest) nodeRoutes() {
	handle(a, route{
		id: "find-nodes", method: http.MethodGet, path: "/nodes", tag: "nodes", need: auth.Viewer, wait: noLimit, // findNodes limits each page
		summary: "Find nodes",
		text: "Lists the nodes that a filter matches, by identity. With `Accept: application/x-ndjson` a stream of all that match, one node a line, " +
			"or of so many as `limit` says.",
		answers: listOrLines[NodeList, NodeItem](a),
	}, a.findNodes)
	handle(a, route{
		id: "show-node", method: http.MethodGet, path: "/nodes/{identity}", tag: "nodes", need: auth.Viewer,
		summary: "Show a node", text: "Everything that is known of one node.",
	}, a.showNode)
	handle(a, route{
		id: "show-history", method: http.MethodGet, path: "/nodes/{identity}/history", tag: "nodes", need: auth.Viewer,
		summary: "Show what changed in a node's facts", text: "The newest change first. What is volatile has no history.",
	}, a.showHistory)
	handle(a, route{
		id: "forget-node", method: http.MethodDelete, path: "/nodes/{identity}", tag: "nodes", need: auth.Operator, status: http.StatusNoContent,
		summary: "Forget a node", text: "With its facts, their history and the states of its checks. A conflict while it is alive, for it would be back at once.",
	}, a.forgetNode)
	handle(a, route{
		id: "rename-node", method: http.MethodPost, path: "/nodes/{identity}/rename", tag: "nodes", need: auth.Operator, status: http.StatusNoContent,
		summary: "Rename a node",
		text: "By your word that the two names are one machine: the history of its facts, transitions and states of checks go on under the new name, and the old one " +
			"is gone. The new name may be known already, if it was first heard of after the old one fell silent. A conflict while the old one is alive.",
	}, a.renameNode)
}

// NewName is what a node is to be called.
type NewName struct {
	To string `json:"to" minLength:"1" maxLength:"253" doc:"The new name"`
}

func (a *rest) findNodes(ctx context.Context, in *findIn) (*stream, error) {
	sel, err := in.selection()
	if err != nil {
		return nil, err
	}
	fields, err := parseFields(in.Fields)
	if err != nil {
		return nil, err
	}
	q := server.FindQuery{
		Selection: sel, Limit: in.Limit, Cursor: in.Cursor, CountOnly: in.Count, Facts: fields.facts, Columns: fields.columns, Descending: in.Desc,
	}
	if in.Sort != "" {
		if q.Sort, err = factPath(in.Sort); err != nil {
			return nil, fmt.Errorf("sort: %w", err)
		}
	}
	if q.BecameTrueSince, err = readMoment("became_true_since", in.Since); err != nil {
		return nil, err
	}
	if in.lines && !in.Count {
		return a.findLines(ctx, q, in.limited, fields)
	}
	list, err := a.find(ctx, q, fields)
	if err != nil {
		return nil, err
	}
	return wholeBody(list), nil
}

// find gives one page.
func (a *rest) find(ctx context.Context, q server.FindQuery, fields *fieldList) (*NodeList, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	found, err := a.fleet.Find(ctx, q)
	if err != nil {
		return nil, err
	}
	list := &NodeList{
		Matched: found.Matched, Undefined: found.Undefined, UndefinedBy: orEmpty(found.UndefinedBy), Hints: found.Hints,
		Nodes: make([]NodeItem, 0, len(found.Nodes)), Next: found.Next,
	}
	for i, n := range found.Nodes {
		var columns []any
		if len(found.Columns) > 0 {
			columns = found.Columns[i]
		}
		list.Nodes = append(list.Nodes, NodeItem{
			Identity: n.Identity, Liveness: n.Liveness, Seen: n.Seen.Time(), Enrolled: n.Enrolled.Time(), FactsAt: moment(n.FactsAt), Fields: fields.of(n, columns),
			Contested: a.contested(n.Identity),
		})
	}
	return list, nil
}

func (a *rest) showNode(ctx context.Context, in *struct {
	Identity string `path:"identity" maxLength:"253" doc:"The node's name"`
	AsOf     string `query:"as_of" doc:"The moment that is asked about, RFC 3339; left out: now" example:"2026-11-14T09:00:00Z"`
},
) (*output[NodeInfo], error) {
	id, err := fettle.ParseNodeID(in.Identity)
	if err != nil {
		return nil, err
	}
	at, err := asOf(in.AsOf)
	if err != nil {
		return nil, err
	}
	n, err := a.node(ctx, id, at)
	if err != nil {
		return nil, err
	}
	info := NodeInfo{
		Identity: n.Identity, Facts: Object(n.Facts), Hash: n.Hash, FactsAt: moment(n.FactsAt), Classes: orNone(n.Classes), Agent: n.Agent,
		Commands: orNone(n.Commands), Pools: orNone(n.Pools), Labels: orEmpty(n.Labels), Liveness: n.Liveness, Seen: n.Seen.Time(),
		Enrolled: n.Enrolled.Time(), Checks: make(map[string]NodeCheck, len(n.Checks)), Contested: a.contested(n.Identity),
	}
	info.Agent.Plugins = orEmpty(info.Agent.Plugins)
	for name, s := range n.Checks {
		info.Checks[name] = NodeCheck{
			Status: s.Status, Soft: s.Soft, Attempt: s.Attempt, Since: moment(s.Since), At: moment(s.At), Output: s.Output, Perfdata: s.Perfdata, Rev: s.Rev,
		}
	}
	return &output[NodeInfo]{info}, nil
}

func (a *rest) forgetNode(ctx context.Context, in *struct {
	Identity string `path:"identity" maxLength:"253" doc:"The node's name"`
},
) (*struct{}, error) {
	id, err := fettle.ParseNodeID(in.Identity)
	if err != nil {
		return nil, err
	}
	return nil, a.fleet.ForgetNode(ctx, id, auth.From(ctx).Name)
}

func (a *rest) renameNode(ctx context.Context, in *struct {
	Identity string `path:"identity" maxLength:"253" doc:"The node's name until now"`
	Body     NewName
},
) (*struct{}, error) {
	from, err := fettle.ParseNodeID(in.Identity)
	if err != nil {
		return nil, err
	}
	to, err := fettle.ParseNodeID(in.Body.To)
	if err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	return nil, a.fleet.RenameNode(ctx, from, to, auth.From(ctx).Name)
}

// node gives a node as it is, or as it was.
func (a *rest) node(ctx context.Context, id fettle.NodeID, at fettle.Millis) (server.NodeDetail, error) {
	if at != 0 {
		return a.fleet.NodeAt(ctx, id, at)
	}
	return a.fleet.Node(ctx, id)
}

// output is what a handler gives: its body.
type output[T any] struct{ Body T }

// moment gives m as JSON has it, and nothing for what never happened.
func moment(m fettle.Millis) *time.Time {
	if m == 0 {
		return nil
	}
	t := m.Time()
	return &t
}

// orNone gives an empty list for none, which JSON has as [] and not as null.
func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// orEmpty gives an empty map for none.
func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}
