package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server"
)

// now is the time in tests.
var now = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

// fakeFleet is a server whose nodes answer at once, or not at all. Its filters are real ones on a real inventory.
type fakeFleet struct {
	fakeFilters
	fakePolicies
	fakeGroups
	fakeSilences
	fakeLetters
	fakeStanding
	fakePlugins
	nodes *inventory.Inventory

	mu           sync.Mutex
	fault        error                            // guarded by mu: every method gives it
	unready      error                            // guarded by mu: Ready gives it
	settling     bool                             // guarded by mu
	silent       map[fettle.NodeID]bool           // guarded by mu: nodes that do not answer
	runs         []fettle.Run                     // guarded by mu: the latest last
	results      map[fettle.RunID][]fettle.Result // guarded by mu: by node
	rosters      map[string]fettle.Roster         // guarded by mu
	verdicts     []server.VerdictQuery            // guarded by mu: what was asked
	checkChanges []server.CheckChange
	stuck        bool          // Find waits until its time is over
	held         chan struct{} // runs go on until it is closed; nil: they end at once
}

// newFleet has two Debian nodes, web1 of which has an environment, and one of RedHat.
func newFleet() *fakeFleet {
	f := &fakeFleet{
		nodes: inventory.New(), silent: map[fettle.NodeID]bool{}, results: map[fettle.RunID][]fettle.Result{}, rosters: map[string]fettle.Roster{},
	}
	for id, facts := range map[fettle.NodeID]string{
		"web1.acme.net": `{"env":"prod","mountpoints":{"/boot":{"size":"512 MiB"}},"networking":{"ip":"10.0.0.1"},"os":{"family":"Debian","release":{"major":"12"}},"serial":9007199254740993}`,
		"web2.acme.net": `{"networking":{"ip":"fe80::2"},"os":{"family":"Debian","release":{"major":"13"}}}`,
		"db1.acme.net":  `{"env":"test","os":{"family":"RedHat","release":{"major":"9"}},"tags":["a","b"]}`,
	} {
		if err := f.nodes.Put(fettle.Node{
			Identity: id, Facts: json.RawMessage(facts), Hash: "abc", FactsAt: fettle.MillisOf(now.Add(-time.Hour)), Classes: []string{"base", "mysql::master"},
			Agent: fettle.AgentInfo{Version: "1", OS: "linux", Arch: "amd64"}, Commands: []string{"check_load"}, Pools: []string{"linux"},
			Labels: map[string]string{"rack-no": "r1"}, Liveness: fettle.Alive, Seen: fettle.MillisOf(now), Enrolled: fettle.MillisOf(now.Add(-24 * time.Hour)), Rev: 1,
		}); err != nil {
			panic(err) // of the test's own table
		}
	}
	return f
}

// fail makes every method give err.
func (f *fakeFleet) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = err
}

func (f *fakeFleet) failing() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault
}

func (f *fakeFleet) program(sel server.Selection) (*filter.Program, error) {
	if err := f.failing(); err != nil {
		return nil, err
	}
	switch {
	case sel.All == (sel.Where != ""):
		return nil, fmt.Errorf("neither or both of a filter and all: %w", fettle.ErrInvalid)
	case sel.All:
		return nil, nil
	}
	return filter.Compile(filter.Node, sel.Where)
}

func (f *fakeFleet) Find(ctx context.Context, q server.FindQuery) (server.FindAnswer, error) {
	program, err := f.program(q.Selection)
	if err != nil {
		return server.FindAnswer{}, err
	}
	if f.stuck {
		<-ctx.Done()
		return server.FindAnswer{}, ctx.Err()
	}
	limit := cmp.Or(q.Limit, 100)
	if q.CountOnly {
		limit = 0
	}
	asked := inventory.Query{Program: program, Limit: limit, After: q.Cursor, Facts: q.Facts, Sort: q.Sort, Descending: q.Descending}
	for _, text := range q.Columns {
		column, err := filter.CompileColumn(filter.Node, text)
		if err != nil {
			return server.FindAnswer{}, err
		}
		asked.Columns = append(asked.Columns, column)
	}
	if q.BecameTrueSince != 0 { // in this town one node has changed
		asked.Keep = func(id fettle.NodeID) bool { return id == "web1.acme.net" }
	}
	a, err := f.nodes.Query(ctx, asked)
	if err != nil {
		return server.FindAnswer{}, err
	}
	out := server.FindAnswer{Matched: a.Matched, Undefined: a.Undefined, UndefinedBy: a.UndefinedBy, Next: a.Next}
	for _, row := range a.Rows {
		out.Nodes = append(out.Nodes, row.Node)
		out.Columns = append(out.Columns, row.Columns)
	}
	return out, nil
}

// FindLive has the nodes that are not silent answer as they would from what is stored; one of them has news.
func (f *fakeFleet) FindLive(ctx context.Context, q server.LiveQuery) (server.LiveAnswer, error) {
	a, err := f.Find(ctx, server.FindQuery{Selection: server.Selection{Where: q.Where}})
	if err != nil {
		return server.LiveAnswer{}, err
	}
	out := server.LiveAnswer{Asked: 3, Undefined: a.Undefined, UndefinedBy: a.UndefinedBy, Took: min(q.Timeout, 12*time.Millisecond)}
	for _, n := range a.Nodes {
		switch {
		case f.silent[n.Identity]:
			out.Unanswered = append(out.Unanswered, n.Identity)
		case n.Identity == "web1.acme.net":
			out.StoredOnly = append(out.StoredOnly, n.Identity)
		default:
			out.Nodes = append(out.Nodes, n.Identity)
		}
	}
	return out, nil
}

func (f *fakeFleet) NodeAt(ctx context.Context, id fettle.NodeID, at fettle.Millis) (server.NodeDetail, error) {
	n, err := f.Node(ctx, id)
	if n.Enrolled > at {
		return server.NodeDetail{}, fmt.Errorf("node %s: %w", id, fettle.ErrNotFound)
	}
	n.Liveness, n.Seen, n.Checks = "", 0, nil
	return n, err
}

func (f *fakeFleet) ForgetNode(ctx context.Context, id fettle.NodeID, _ string) error {
	n, err := f.Node(ctx, id)
	if err == nil && n.Liveness == fettle.Alive {
		err = fmt.Errorf("node %s is alive: %w", id, fettle.ErrConflict)
	}
	if err == nil {
		f.nodes.Remove(id)
	}
	return err
}

func (f *fakeFleet) RenameNode(ctx context.Context, from, to fettle.NodeID, caller string) error {
	n, err := f.Node(ctx, from)
	if err == nil {
		err = f.ForgetNode(ctx, from, caller)
	}
	if err != nil {
		return err
	}
	n.Node.Identity = to
	return f.nodes.Put(n.Node)
}

func (f *fakeFleet) History(ctx context.Context, q server.HistoryQuery) ([]server.FactChange, error) {
	if _, err := f.Node(ctx, q.Node); err != nil {
		return nil, err
	}
	return []server.FactChange{{Seq: 7, Node: q.Node, Path: "os.minor", At: fettle.MillisOf(now), Old: []byte(`"7"`), New: []byte(`"8"`)}}, nil
}

func (f *fakeFleet) Node(_ context.Context, id fettle.NodeID) (server.NodeDetail, error) {
	if err := f.failing(); err != nil {
		return server.NodeDetail{}, err
	}
	n, ok := f.nodes.Get(id)
	if !ok {
		return server.NodeDetail{}, fmt.Errorf("node %s: %w", id, fettle.ErrNotFound)
	}
	return server.NodeDetail{Node: n, Checks: map[string]fettle.CheckState{
		"check_load": {Check: "check_load", Node: id, Status: fettle.CheckOK, Soft: fettle.CheckWarning, Attempt: 1, At: fettle.MillisOf(now), Output: "fine"},
	}}, nil
}

func (f *fakeFleet) FactPaths(ctx context.Context, sel server.Selection) ([]server.PathInfo, error) {
	program, err := f.program(sel)
	if err != nil {
		return nil, err
	}
	return f.nodes.Paths(ctx, inventory.Query{Program: program})
}

func (f *fakeFleet) FactValues(ctx context.Context, path fettle.Path, sel server.Selection) (server.ValuesAnswer, error) {
	program, err := f.program(sel)
	if err != nil {
		return server.ValuesAnswer{}, err
	}
	return f.nodes.Values(ctx, path, inventory.Query{Program: program})
}

func (f *fakeFleet) FactValuesBy(ctx context.Context, path, by fettle.Path, sel server.Selection) (server.ValuesAnswer, error) {
	program, err := f.program(sel)
	if err != nil {
		return server.ValuesAnswer{}, err
	}
	return f.nodes.ValuesBy(ctx, path, by, inventory.Query{Program: program})
}

func (f *fakeFleet) Explain(ctx context.Context, text fettle.Filter, node fettle.NodeID) (server.Explanation, error) {
	program, err := f.program(server.Selection{Where: text})
	if err != nil {
		return server.Explanation{}, err
	}
	return f.nodes.Explain(ctx, inventory.Query{Program: program}, node)
}

func (f *fakeFleet) Spenders(context.Context) []server.Spender { return f.nodes.Spenders(10) }

func (f *fakeFleet) Actions(context.Context) []server.Action { return plugins.Builtin() }

func (f *fakeFleet) Preview(ctx context.Context, sel server.Selection) (fettle.Roster, error) {
	f.mu.Lock()
	id := "roster-" + strconv.Itoa(len(f.rosters))
	f.mu.Unlock()
	r, err := f.roster(ctx, sel)
	r.ID = id
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.rosters[id] = r
	}
	return r, err
}

func (f *fakeFleet) roster(ctx context.Context, sel server.Selection) (fettle.Roster, error) {
	if sel.Roster != "" {
		f.mu.Lock()
		defer f.mu.Unlock()
		r, ok := f.rosters[sel.Roster]
		if !ok {
			return r, fmt.Errorf("roster %s: %w", sel.Roster, fettle.ErrNotFound)
		}
		return r, nil
	}
	program, err := f.program(sel)
	if err != nil {
		return fettle.Roster{}, err
	}
	found, err := f.nodes.Roster(ctx, inventory.Query{Program: program, Now: fettle.MillisOf(now)})
	return fettle.Roster{Filter: sel.Where, Nodes: found.Nodes, Undefined: found.Undefined, Created: fettle.MillisOf(now)}, err
}

func (f *fakeFleet) StartRun(ctx context.Context, req server.RunRequest) (fettle.Run, error) {
	if _, err := plugins.Lookup(req.Action); err != nil {
		return fettle.Run{}, err
	}
	roster, err := f.roster(ctx, req.Selection)
	if err != nil {
		return fettle.Run{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	began := fettle.MillisOf(now.Add(-12 * time.Millisecond))
	run := fettle.Run{
		ID: fettle.RunID("run-" + strconv.Itoa(len(f.runs))), Action: req.Action, Inputs: req.Inputs, Filter: req.Where, All: req.All, Caller: req.Caller,
		State: fettle.RunGoing, Undefined: roster.Undefined, Created: began, Deadline: began.Add(cmp.Or(req.Timeout, fettle.DefaultTimeout)),
	}
	for _, id := range roster.Nodes {
		if run.Tally.Roster++; f.silent[id] {
			run.Tally.Silent++
			continue
		}
		run.Tally.OK++
		f.results[run.ID] = append(f.results[run.ID], fettle.Result{
			Task: fettle.TaskID("task-" + string(id)), Node: id, Run: run.ID, Action: req.Action, Message: "OK", Data: map[string]any{"at": 1}, At: began, TookMS: 3,
		})
	}
	if f.held == nil {
		run.State, run.Ended = fettle.RunEnded, fettle.MillisOf(now)
	}
	f.runs = append(f.runs, run)
	return run, nil
}

func (f *fakeFleet) RunByID(_ context.Context, id fettle.RunID) (fettle.Run, error) {
	if err := f.failing(); err != nil {
		return fettle.Run{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.runs {
		if r.ID == id {
			return r, nil
		}
	}
	return fettle.Run{}, fmt.Errorf("run %s: %w", id, fettle.ErrNotFound)
}

func (f *fakeFleet) FindRuns(_ context.Context, q server.RunQuery) ([]fettle.Run, string, error) {
	limit, cursor := q.Limit, string(q.Before)
	if err := f.failing(); err != nil {
		return nil, "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(f.runs), func(r fettle.Run) bool { return q.Caller != "" && r.Caller != q.Caller })
	slices.Reverse(list)
	from, err := strconv.Atoi(cmp.Or(cursor, "0"))
	if err != nil || from > len(list) {
		return nil, "", fmt.Errorf("cursor %q: %w", cursor, fettle.ErrInvalid)
	}
	if list = list[from:]; len(list) > limit {
		return list[:limit], strconv.Itoa(from + limit), nil
	}
	return list, "", nil
}

func (f *fakeFleet) RunResults(_ context.Context, id fettle.RunID, limit int, cursor string) ([]fettle.Result, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.results[id]
	from := slices.IndexFunc(list, func(r fettle.Result) bool { return string(r.Node) > cursor })
	if from < 0 {
		return nil, "", nil
	}
	if list = list[from:]; len(list) > limit {
		return list[:limit], string(list[limit-1].Node), nil
	}
	return list, "", nil
}

func (f *fakeFleet) RunUnanswered(_ context.Context, _ fettle.RunID, state string) ([]fettle.NodeID, error) {
	if state == "never" {
		return nil, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []fettle.NodeID{}
	for id := range f.silent {
		list = append(list, id)
	}
	slices.Sort(list)
	return list, nil
}

func (f *fakeFleet) WatchRun(ctx context.Context, id fettle.RunID) (<-chan server.RunUpdate, error) {
	run, err := f.RunByID(ctx, id)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	results, held := slices.Clone(f.results[id]), f.held
	f.mu.Unlock()
	out := make(chan server.RunUpdate)
	go func() { // ends with ctx or the run
		defer close(out)
		offer := func(u server.RunUpdate) bool {
			select {
			case out <- u:
				return true
			case <-ctx.Done():
				return false
			}
		}
		for _, r := range results {
			if !offer(server.RunUpdate{Result: &r}) {
				return
			}
		}
		if held != nil {
			if !offer(server.RunUpdate{Run: &run}) {
				return
			}
			select {
			case <-held:
			case <-ctx.Done():
				return
			}
		}
		ended := run
		ended.State, ended.Ended = fettle.RunEnded, fettle.MillisOf(now)
		offer(server.RunUpdate{Run: &ended})
	}()
	return out, nil
}

func (f *fakeFleet) FollowOutput(ctx context.Context, id fettle.RunID) (<-chan server.Printed, error) {
	_, err := f.RunByID(ctx, id)
	printed := make(chan server.Printed, 1)
	printed <- server.Printed{Node: "web01.acme.net", Stream: "stdout", Seq: 1, At: fettle.MillisOf(now), Text: "half way\n"}
	return printed, err
}

func (f *fakeFleet) RunOutput(ctx context.Context, id fettle.RunID, node fettle.NodeID, after server.Printed, limit int) ([]server.Printed, error) {
	if _, err := f.RunByID(ctx, id); err != nil {
		return nil, err
	}
	var list []server.Printed
	for seq := after.Seq + 1; seq <= 5 && len(list) < limit; seq++ {
		list = append(list, server.Printed{Node: node, Stream: "stdout", Seq: seq, At: fettle.MillisOf(now), Text: fmt.Sprintf("line %d\n", seq)})
	}
	return list, nil
}

func (f *fakeFleet) CancelRun(ctx context.Context, id fettle.RunID, _ string) (fettle.Run, error) {
	run, err := f.RunByID(ctx, id)
	if err != nil {
		return run, err
	}
	if run.Ended != 0 {
		return run, fmt.Errorf("run %s has ended: %w", id, fettle.ErrConflict)
	}
	run.State = fettle.RunCancelled
	return run, nil
}

func (f *fakeFleet) Commands(context.Context) []string { return []string{"check_disk", "check_load"} }

func (f *fakeFleet) Verdict(_ context.Context, q server.VerdictQuery) (fettle.Verdict, error) {
	if err := f.failing(); err != nil {
		return fettle.Verdict{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.verdicts = append(f.verdicts, q)
	if q.Check != "check_load" {
		return fettle.Verdict{}, fmt.Errorf("unknown check %q: %w", q.Check, fettle.ErrNotFound)
	}
	return fettle.Verdict{
		Check: q.Check, Kind: fettle.KindCheck, Status: fettle.CheckCritical, Tally: fettle.CheckTally{Total: 42, OK: 41, Critical: 1}, Live: q.Live,
		Nodes: map[fettle.CheckStatus][]fettle.NodeID{fettle.CheckCritical: {"db1.acme.net"}},
	}, nil
}

func (f *fakeFleet) VerdictMap(_ context.Context, q server.MapQuery) (server.VerdictMap, error) {
	if q.Check != "check_load" {
		return server.VerdictMap{}, fmt.Errorf("no check %s: %w", q.Check, fettle.ErrNotFound)
	}
	return server.VerdictMap{
		Check: q.Check, X: fettle.Path{q.X}, Y: fettle.Path{q.Y}, Columns: []string{"r1"}, Rows: []string{"web", "(others)"}, MoreY: q.Rows, Total: 3, Bad: 1,
		Cells: [][]server.MapCell{{{Total: 2, OK: 1, Critical: 1}}, {{Total: 1, OK: 1}}},
	}, nil
}

func (f *fakeFleet) Verdicts(ctx context.Context) ([]fettle.Verdict, error) {
	v, err := f.Verdict(ctx, server.VerdictQuery{Check: "check_load"})
	return []fettle.Verdict{v}, err
}

func (f *fakeFleet) Version() string { return "1.2.3" }

func (f *fakeFleet) Health(context.Context) error { return f.failing() }

func (f *fakeFleet) Ready(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return cmp.Or(f.unready, f.fault)
}

func (f *fakeFleet) Settling() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.settling
}

func (f *fakeFleet) Gatherer() prometheus.Gatherer {
	r := prometheus.NewRegistry()
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fettle_nodes", Help: "Nodes by liveness."}, []string{"liveness"})
	g.WithLabelValues("alive").Set(3)
	r.MustRegister(g)
	return r
}

func (f *fakeFleet) WriteMetrics(w io.Writer) {
	_, _ = io.WriteString(w, "fettle_server_batch_seconds{quantile=\"0.5\"} 0.1\n"+
		"fettle_server_batch_seconds_sum 2.5\nfettle_server_batch_seconds_count 7\nfettle_server_messages_total 41\nfettle_server_queue{kind=\"facts\"} 3\n"+
		"fettle_server_result_seconds_sum 3\nfettle_server_result_seconds_count 9\n"+
		"fettle_server_queue{kind=\"results\"} 0\n")
}
