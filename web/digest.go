package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// Bounds of what is kept of a run's results for its page: every result is counted, and these are shown.
const (
	keptDigests  = 32   // runs of which one is kept
	digestRead   = 5000 // results that are read at a time
	digestKinds  = 200  // answers that differ
	digestNames  = 5000 // nodes of one answer that have names
	shownFailed  = 100  // failures in full
	shownKinds   = 40   // answers that are gathered
	widestDetail = 4000 // characters of an output in full
)

// digests holds what has been read of the results of runs: an open page reads those alone that are new.
type digests struct {
	mu   sync.Mutex
	byID map[fettle.RunID]*digest // guarded by mu
	used []fettle.RunID           // guarded by mu; the latest last
}

// digest is the results of a run, gathered as they are read.
type digest struct {
	mu     sync.Mutex
	cursor string // guarded by mu, as all below
	begun  int    // results behind the cursor that have been read
	kinds  map[string]*kind
	failed []failure
	sums   *server.Aggregates // nil: the action has no summaries, or nothing was read yet
	others int                // results whose answer is one more than are kept apart
}

// kind is one answer, and who gave it.
type kind struct {
	Class string // as .mark has it
	Rank  int    // the worst is the highest
	Text  string // in one line
	count int
	names []fettle.NodeID
}

// failure is one result that is not well, in full.
type failure struct {
	Node    fettle.NodeID
	URL     string
	Status  string
	Message string
	Rows    []property // what the manifest declares, by its display name
	Output  string     // of the program, or the check; cut
	Took    string
}

func (d *digests) get(id fettle.RunID) *digest {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byID == nil {
		d.byID = map[fettle.RunID]*digest{}
	}
	d.used = append(slices.DeleteFunc(d.used, func(r fettle.RunID) bool { return r == id }), id)
	one := d.byID[id]
	if one == nil {
		one = &digest{kinds: map[string]*kind{}}
		d.byID[id] = one
	}
	for len(d.used) > keptDigests {
		delete(d.byID, d.used[0])
		d.used = d.used[1:]
	}
	return one
}

// follow reads the results that are new, and calls show with what there is.
func (d *digest) follow(ctx context.Context, fleet Runs, id fettle.RunID, action *server.Action, show func(*digest)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		results, next, err := fleet.RunResults(ctx, id, digestRead, d.cursor)
		if err != nil {
			return err
		}
		for i := range results[min(d.begun, len(results)):] {
			d.take(&results[d.begun+i], action)
		}
		if next == "" { // the page may grow
			d.begun = max(d.begun, len(results))
			break
		}
		d.cursor, d.begun = next, 0
	}
	show(d)
	return nil
}

// take gathers one result.
func (d *digest) take(r *fettle.Result, action *server.Action) {
	if d.sums == nil && action != nil && len(action.Summaries) > 0 {
		d.sums = server.NewAggregates(*action)
	}
	if d.sums != nil {
		d.sums.Add(r.Data)
	}
	class, rank := classOf(r)
	text := oneLine(r, action)
	if rank > 0 && len(d.failed) < shownFailed {
		d.failed = append(d.failed, failureOf(r, action))
	}
	key := class + "\x00" + text
	k := d.kinds[key]
	if k == nil {
		if len(d.kinds) >= digestKinds {
			d.others++
			return
		}
		k = &kind{Class: class, Rank: rank, Text: text}
		d.kinds[key] = k
	}
	k.count++
	if len(k.names) < digestNames {
		k.names = append(k.names, r.Node)
	}
}

// classOf says how bad a result is: the action may have worked, and what it found may be bad all the same.
func classOf(r *fettle.Result) (class string, rank int) {
	if r.Status != fettle.StatusOK {
		return "critical", 4
	}
	if r.Output != nil {
		status := r.Output.Code.Status()
		return string(status), severity(status)
	}
	return "ok", 0
}

// oneLine gives what a result says in one line: the message, or the outputs that the manifest declares, with their units.
func oneLine(r *fettle.Result, action *server.Action) string {
	if r.Status != fettle.StatusOK {
		return cut(clean(r.Status.String()+": "+r.Message), widestAnswer)
	}
	if r.Output != nil {
		return cut(clean(r.Output.Line), widestAnswer)
	}
	var parts []string
	for _, p := range declared(r.Data, action, maxCell) {
		parts = append(parts, p.Name+" "+p.Text)
	}
	if len(parts) > 0 {
		return cut(strings.Join(parts, ", "), widestAnswer)
	}
	return cut(clean(r.Message), widestAnswer)
}

// declared gives the outputs of a result as the manifest names them; without a manifest, as they are named themselves.
func declared(data map[string]any, action *server.Action, wide int) (out []property) {
	named := map[string]bool{}
	if action != nil {
		for _, o := range action.Outputs {
			value, has := data[o.Name]
			if named[o.Name] = true; !has || value == nil {
				continue
			}
			text, _ := shown(value)
			if o.Unit != "" {
				text += " " + o.Unit
			}
			out = append(out, property{o.Label(), cut(clean(text), wide)})
		}
	}
	var rest []property
	for name, value := range data {
		if !named[name] {
			text, _ := shown(value)
			rest = append(rest, property{name, cut(clean(text), wide)})
		}
	}
	slices.SortFunc(rest, func(a, b property) int { return cmp.Compare(a.Name, b.Name) })
	return append(out, rest...)
}

func failureOf(r *fettle.Result, action *server.Action) failure {
	f := failure{
		Node: r.Node, URL: "/nodes/" + string(r.Node), Status: r.Status.String(), Message: cut(clean(r.Message), widestDetail), Took: fmt.Sprintf("%d ms", r.TookMS),
		Rows: declared(r.Data, action, widestDetail),
	}
	if r.Output != nil {
		if r.Status == fettle.StatusOK {
			f.Status = string(r.Output.Code.Status())
		}
		f.Output = cut(clean(strings.TrimSpace(r.Output.Line+"\n"+r.Output.Long)), widestDetail)
	}
	return f
}

// gathered lists the answers, the worst first, and how many results stand in none of them.
func (d *digest) gathered() (out []gatheredRow, left int) {
	left = d.others
	kinds := make([]*kind, 0, len(d.kinds))
	for _, k := range d.kinds {
		kinds = append(kinds, k)
	}
	slices.SortFunc(kinds, func(a, b *kind) int {
		return cmp.Or(cmp.Compare(b.Rank, a.Rank), cmp.Compare(b.count, a.count), cmp.Compare(a.Text, b.Text))
	})
	for i, k := range kinds {
		if i >= shownKinds {
			left += k.count
			continue
		}
		f := fold(k.names, 4*foldedWide)
		f.Count, f.More = k.count, max(f.More, k.count-len(k.names))
		out = append(out, gatheredRow{Class: k.Class, Text: k.Text, Count: k.count, Names: f})
	}
	return out, left
}

// gatheredRow is one answer, and the nodes that gave it.
type gatheredRow struct {
	Class, Text string
	Count       int
	Names       folded
}
