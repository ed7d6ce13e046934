package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/filter"
)

// defaultVerdictTimeout is how long a live verdict waits for the nodes.
const defaultVerdictTimeout = 10 * time.Second

// VerdictQuery asks for one verdict over a check's states.
type VerdictQuery struct {
	Check     string
	Selection               // may be empty here: the nodes that have the check
	Live      bool          // ask the nodes now, also where a definition has states on the board
	Timeout   time.Duration // of a live verdict; zero: 10 s
	Warning   string        // Nagios range over the number of nodes that are not ok, or percent of the total ("10%"), or CEL over the tally
	Critical  string        // likewise
	MinOK     string        // how many have to be ok, a number or a percentage
	By        string        // path of a fact: one verdict for each of its values, too
	Caller    string
	User      Asker // for policies
}

// members are the nodes that a verdict counts.
type members struct {
	nodes     []fettle.NodeID // sorted
	undefined []fettle.NodeID // nodes of which it cannot be said whether they are meant
}

// rule is what a question says of its own.
func (q VerdictQuery) rule() fettle.Rule {
	return fettle.Rule{Warning: q.Warning, Critical: q.Critical, MinOK: q.MinOK}
}

// Verdict folds a check over nodes, or a group. A check that is defined is read from the board, where events keep it up to date; a command that nodes
// offer is asked live. ErrNotFound: no node offers it and nobody defined it. A filter that matches nobody is a verdict: unknown, with its reason.
func (s *Server) Verdict(ctx context.Context, q VerdictQuery) (fettle.Verdict, error) {
	began := time.Now()
	v, err := s.verdict(ctx, q)
	v.TookMS = time.Since(began).Milliseconds()
	return v, err
}

func (s *Server) verdict(ctx context.Context, q VerdictQuery) (fettle.Verdict, error) {
	rules, err := checks.ParseRule(q.rule(), func(text string) (checks.When, error) { return compileTally(ctx, text) })
	if err != nil {
		return fettle.Verdict{}, err
	}
	if q.Where, err = s.ExpandFilter(ctx, q.Where); err != nil {
		return fettle.Verdict{}, err
	}
	var by fettle.Path
	if q.By != "" {
		if by, err = factPath(q.By); err != nil {
			return fettle.Verdict{}, err
		}
	}
	_, isGroup := s.groups.get(q.Check)
	def, defined := s.definition(q.Check)
	switch {
	case isGroup && q.Live:
		return fettle.Verdict{}, fmt.Errorf("%s is a group, and is read from the states that are kept; ask its members live: %w", q.Check, fettle.ErrInvalid)
	case def.fault != nil:
		reason, _, _ := strings.Cut(def.fault.Error(), "\n")
		return fettle.Verdict{Check: q.Check, Kind: fettle.KindCheck, Status: fettle.CheckUnknown, Reason: reason}, nil
	case isGroup || defined && !q.Live:
		if board, err := s.onBoard(ctx, q, by); err != nil || board.Name != "" {
			return s.readBoard(ctx, q, board, rules, err)
		}
	}
	if q.rule() == (fettle.Rule{}) {
		rules = def.rule
	}
	return s.foldOver(ctx, q, def, defined, rules, by)
}

// onBoard gives the question as the board can answer it from what it keeps; without a name, if it cannot: a roster that was fixed, a filter over what
// changes without being told, or one of which the undefined nodes count as something.
func (s *Server) onBoard(ctx context.Context, q VerdictQuery, by fettle.Path) (checks.Question, error) {
	board := checks.Question{Name: q.Check, By: by.String()}
	if q.Selection == (Selection{}) {
		return board, nil
	}
	if q.All || q.Roster != "" || q.AsOf != 0 || q.Where == "" {
		return checks.Question{}, nil
	}
	program, err := s.program(ctx, q.Selection)
	if err != nil {
		return checks.Question{}, err
	}
	def, _ := s.defs.get(q.Check)
	if _, isGroup := s.groups.get(q.Check); !isGroup && (!keepable(program) || def.Undefined != "") {
		return checks.Question{}, nil
	}
	board.Where = program.Text()
	return board, nil
}

func (s *Server) readBoard(ctx context.Context, q VerdictQuery, board checks.Question, rules checks.Thresholds, err error) (fettle.Verdict, error) {
	if err != nil {
		return fettle.Verdict{}, err
	}
	if q.rule() != (fettle.Rule{}) {
		board.Thresholds = &rules
	}
	return s.askBoard(ctx, board)
}

// foldOver folds the states, or what is answered now, of the nodes that are meant.
func (s *Server) foldOver(ctx context.Context, q VerdictQuery, def definition, defined bool, rules checks.Thresholds, by fettle.Path) (fettle.Verdict, error) {
	having := s.Inventory.Offering(def.command())
	if len(having) == 0 && !defined {
		return fettle.Verdict{}, fmt.Errorf("unknown check %q: it is not defined, and no node offers a command of that name: %w", q.Check, fettle.ErrNotFound)
	}
	m, err := s.members(ctx, q, def, having)
	if err != nil {
		return fettle.Verdict{}, err
	}
	fold := func(nodes []fettle.NodeID) (fettle.Verdict, error) {
		return s.Board.Over(q.Check, nodes, nil, rules, fettle.MillisOf(s.Now()))
	}
	var v fettle.Verdict
	if defined && !q.Live {
		v, err = s.Board.Over(q.Check, m.nodes, m.undefined, rules, fettle.MillisOf(s.Now()))
	} else {
		var answers checks.Answers
		if answers, err = s.askLive(ctx, q, def, m, having, rules); err == nil {
			v = checks.FoldLive(answers)
		}
		fold = func(nodes []fettle.NodeID) (fettle.Verdict, error) { return checks.FoldLive(answers.Of(nodes)), nil }
	}
	if err != nil || by == nil {
		return v, err
	}
	return checks.FoldBy(v, by.String(), s.partsBy(m.nodes, by), fold)
}

// compileTally makes a threshold of an expression over the tally, such as critical > 0.1 * total.
func compileTally(ctx context.Context, text string) (checks.When, error) {
	program, err := filter.Compile(filter.Tally, fettle.Filter(text))
	if err != nil {
		return nil, err
	}
	return func(t fettle.CheckTally) (bool, error) {
		truth, missing := program.Match(ctx, &filter.Record{Vars: map[string]any{
			"total": float64(t.Total), "ok": float64(t.OK), "warning": float64(t.Warning), "critical": float64(t.Critical), "unknown": float64(t.Unknown),
			"silent": float64(t.Silent), "stale": float64(t.Stale), "undefined": float64(t.Undefined),
			"silenced": float64(t.Silenced), "shadowed": float64(t.Shadowed), "flapping": float64(t.Flapping),
		}})
		if truth == filter.Undefined {
			return false, fmt.Errorf("%s is undefined: %v: %w", text, missing, fettle.ErrInvalid)
		}
		return truth == filter.True, nil
	}, nil
}

// definition gives the check of that name; where none is defined, the command of that name.
func (s *Server) definition(name string) (definition, bool) {
	s.defs.mu.Lock()
	defer s.defs.mu.Unlock()
	def, ok := s.defs.byName[name]
	if !ok {
		def.Check = fettle.Check{Name: name, Action: actionCheck, Inputs: map[string]any{"command": name}, Attempts: 1}
	}
	return def, ok
}

// members resolves the question to nodes. Those for which it is undefined have names where the check counts them; otherwise their number is
// all that is asked for.
func (s *Server) members(ctx context.Context, q VerdictQuery, def definition, having []fettle.NodeID) (members, error) {
	if q.Selection != (Selection{}) {
		r, err := s.roster(ctx, q.Selection)
		if err != nil {
			return members{}, err
		}
		m := members{nodes: r.Nodes, undefined: make([]fettle.NodeID, r.Undefined)}
		if r.Undefined > 0 && def.Undefined != "" {
			m.undefined, err = s.undefinedOf(ctx, r)
		}
		return m, err
	}
	if def.program == nil {
		return members{nodes: having}, nil
	}
	nodes, undefined, err := s.placesOf(ctx, def)
	return members{nodes: nodes, undefined: undefined}, err
}

// undefinedOf names the nodes for which the filter of a roster is undefined.
func (s *Server) undefinedOf(ctx context.Context, r fettle.Roster) ([]fettle.NodeID, error) {
	program, err := filter.Compile(filter.Node, r.Filter)
	if err != nil {
		return nil, err
	}
	_, undefined, err := s.placesOf(ctx, definition{program: program})
	return undefined, err
}

// partsBy cuts nodes by the values of a fact.
func (s *Server) partsBy(nodes []fettle.NodeID, by fettle.Path) map[string][]fettle.NodeID {
	c, parts := keptCut{path: by, values: map[string]bool{}}, map[string][]fettle.NodeID{}
	for _, id := range nodes {
		value, has := s.Inventory.ValueOf(id, by)
		part := c.part(value, has)
		parts[part] = append(parts[part], id)
	}
	return parts
}

// askLive runs the command on the nodes that have it, and gives what they answer. A node that is meant and does not have it is unknown.
func (s *Server) askLive(ctx context.Context, q VerdictQuery, def definition, m members, having []fettle.NodeID, rules checks.Thresholds) (checks.Answers, error) {
	began := time.Now()
	group := checks.Answers{Check: q.Check, Roster: m.nodes, Undefined: m.undefined, UndefinedAs: def.Undefined, Thresholds: rules}
	group.Silencing = func(node fettle.NodeID, status fettle.CheckStatus) *fettle.SilencedBy {
		return s.Board.Silencing(q.Check, node, status)
	}
	var ask []fettle.NodeID
	for _, id := range m.nodes {
		if _, has := slices.BinarySearch(having, id); has || def.command() == "" {
			ask = append(ask, id)
			continue
		}
		group.Results = append(group.Results, fettle.Result{Node: id, Status: fettle.StatusInvalidInput, Message: "this node has no command " + def.command()})
	}
	if len(ask) > 0 {
		results, err := s.ask(ctx, q, def, ask)
		if err != nil {
			return group, err
		}
		group.Results = append(group.Results, results...)
	}
	group.Took = time.Since(began)
	return group, nil
}

// ask runs what a check asks on nodes, waits for the end of it, and judges what they answered.
func (s *Server) ask(ctx context.Context, q VerdictQuery, def definition, nodes []fettle.NodeID) ([]fettle.Result, error) {
	judge, err := checks.NewJudge(def.Check)
	if err != nil {
		return nil, err
	}
	var results []fettle.Result
	if def.Action == "" { // an expression asks nobody
		for _, id := range nodes {
			results = append(results, fettle.Result{Node: id})
		}
	} else if results, err = s.askNodes(ctx, q.Check, RunRequest{
		Action: def.Action, Inputs: def.Inputs, Timeout: orDefault(q.Timeout, defaultVerdictTimeout), Caller: q.Caller, User: q.User,
	}, fettle.Roster{Filter: q.Where, Nodes: nodes}); err != nil {
		return nil, err
	}
	for i, r := range results {
		if judge.Looks() {
			results[i].Output = new(s.judged(ctx, judge, r.Node, r))
		}
	}
	return results, nil
}

// askNodes runs an action on nodes, and waits for the end of it.
func (s *Server) askNodes(ctx context.Context, check string, req RunRequest, roster fettle.Roster) ([]fettle.Result, error) {
	run, err := s.startRun(ctx, req, roster)
	if err != nil {
		return nil, err
	}
	for {
		results, now, changed := run.since(0)
		if now.Ended != 0 {
			out := make([]fettle.Result, len(results))
			for i, k := range results {
				out[i] = s.whole(ctx, k)
			}
			return out, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("ask check %s: %w", check, ctx.Err())
		case <-changed:
		}
	}
}

// Verdicts folds every check that is defined, and every group, from the board: checks first, each by name.
func (s *Server) Verdicts(ctx context.Context) ([]fettle.Verdict, error) {
	var names []string
	for _, def := range s.defs.all() {
		names = append(names, def.Name)
	}
	for _, g := range s.groups.all() {
		names = append(names, g.Name)
	}
	var out []fettle.Verdict
	for _, name := range names {
		v, err := s.Verdict(ctx, VerdictQuery{Check: name})
		if err != nil {
			v = fettle.Verdict{Check: name, Status: fettle.CheckUnknown, Reason: err.Error()}
		}
		out = append(out, v)
	}
	return out, nil
}
