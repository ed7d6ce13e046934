package server

import (
	"context"
	"fmt"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/filter"
)

// maxTested is on how many nodes a check is tested.
const maxTested = 100

// CheckTest asks what the state of a check would be, without keeping anything.
type CheckTest struct {
	Change    CheckChange // its Definition is tested; who asks has to be allowed to save it
	Selection             // nodes to test it on; nothing: those that the definition's filter means
	Limit     int         // zero: 10
}

// TestedNode is what a check would be on one node.
type TestedNode struct {
	Node   fettle.NodeID
	Output fettle.CheckOutput
	TookMS int64
}

// TestCheck asks nodes what a definition asks, once and now, and gives what the first result would mean on each, with the number of nodes that are meant
// in all. Nodes that do not answer are unknown.
func (s *Server) TestCheck(ctx context.Context, t CheckTest) (tested []TestedNode, meant int, err error) {
	if t.Change.Definition.Name == "" {
		t.Change.Definition.Name = "test"
	}
	next, _, err := s.changedCheck(t.Change)
	if err != nil {
		return nil, 0, err
	}
	def, err := s.tryCheck(ctx, next, next.DependsOn)
	if err != nil {
		return nil, 0, err
	}
	nodes, err := s.testedOn(ctx, t, def)
	if err != nil {
		return nil, 0, err
	}
	meant = len(nodes)
	nodes = nodes[:min(len(nodes), min(orDefault(t.Limit, 10), maxTested))]
	outputs, err := s.askCheck(ctx, def, nodes, RunRequest{Caller: t.Change.Caller.Name, User: t.Change.Caller})
	return outputs, meant, err
}

func (s *Server) testedOn(ctx context.Context, t CheckTest, def definition) ([]fettle.NodeID, error) {
	if t.Selection != (Selection{}) {
		r, err := s.roster(ctx, t.Selection)
		return r.Nodes, err
	}
	nodes, _, err := s.placesOf(ctx, def)
	return nodes, err
}

// askCheck asks nodes what a check asks, and judges what they answer.
func (s *Server) askCheck(ctx context.Context, def definition, nodes []fettle.NodeID, req RunRequest) ([]TestedNode, error) {
	judge, err := checks.NewJudge(def.Check)
	if err != nil || len(nodes) == 0 {
		return nil, err
	}
	results := map[fettle.NodeID]fettle.Result{}
	if def.Action != "" {
		req.Action, req.Inputs, req.Timeout = def.Action, def.Inputs, time.Duration(def.Timeout)*time.Millisecond
		came, err := s.askNodes(ctx, def.Name, req, fettle.Roster{Nodes: nodes})
		if err != nil {
			return nil, err
		}
		for _, r := range came {
			results[r.Node] = r
		}
	}
	out := make([]TestedNode, 0, len(nodes))
	for _, id := range nodes {
		r, answered := results[id]
		if !answered && def.Action != "" {
			out = append(out, TestedNode{Node: id, Output: fettle.CheckOutput{Code: fettle.CodeUnknown, Line: "no answer"}})
			continue
		}
		out = append(out, TestedNode{Node: id, Output: s.judged(ctx, judge, id, r), TookMS: r.TookMS})
	}
	return out, nil
}

// judged gives what a result means by the rules of its check, with what the server knows of the node.
func (s *Server) judged(ctx context.Context, judge *checks.Judge, id fettle.NodeID, r fettle.Result) fettle.CheckOutput {
	outcome := checks.Outcome{Status: r.Status, Message: r.Message, Data: r.Data, Output: r.Output}
	record, err := s.recordOf(id)
	if err != nil {
		return fettle.CheckOutput{Code: fettle.CodeUnknown, Line: err.Error()}
	}
	return judge.Judge(ctx, record, outcome)
}

// recordOf gives what is known of a node, as filters see it.
func (s *Server) recordOf(id fettle.NodeID) (filter.Record, error) {
	n, known := s.Inventory.Get(id)
	if !known {
		return filter.Record{}, fmt.Errorf("there is no node %s: %w", id, fettle.ErrNotFound)
	}
	r := filter.Record{
		Identity: id, Classes: n.Classes, Agent: &n.Agent, Now: fettle.MillisOf(s.Now()), Pools: n.Pools, Labels: n.Labels, Liveness: n.Liveness,
		Seen: n.Seen, Enrolled: n.Enrolled,
	}
	if len(n.Facts) == 0 {
		return r, nil
	}
	doc, err := filter.ParseDocument(n.Facts)
	if err != nil {
		return r, fmt.Errorf("facts of %s: %w", id, err)
	}
	r.Facts = doc
	return r, nil
}
