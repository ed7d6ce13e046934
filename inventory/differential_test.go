package inventory_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/inventory"
)

// twin is an inventory and, beside it, the same nodes as a plain list, which is asked node by node.
type twin struct {
	t     testing.TB
	r     *rand.Rand
	v     *inventory.Inventory
	nodes map[fettle.NodeID]fettle.Node
	load  map[fettle.NodeID]fettle.CheckState
	now   fettle.Millis
}

func newTwin(t testing.TB, seed uint64) *twin {
	v := inventory.NewTight()
	if seed%4 == 3 {
		v = inventory.New()
	}
	return &twin{
		t: t, r: rand.New(rand.NewPCG(seed, 7)), v: v, nodes: map[fettle.NodeID]fettle.Node{},
		load: map[fettle.NodeID]fettle.CheckState{}, now: 1763700600000,
	}
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// scalar gives a value as JSON: of few kinds often, and of every odd kind now and then.
func (w *twin) scalar() string {
	switch w.r.IntN(12) {
	case 0:
		return pick(w.r, "9223372036854775807", "-9223372036854775808", "9007199254740993", "9007199254740992.0", "-0", "0", "1e3", "1.50", "18446744073709551615")
	case 1:
		return pick(w.r, `"äö→"`, `"\u0001\n"`, `"a\"b\\"`, `""`, `"12"`, `"10.1.2.3"`, `"1.2.10"`, `"true"`, `"\ud83d\ude00"`)
	case 2:
		return pick(w.r, "null", "[]", `[1,"x",2.50]`, `[{"k":"v"},[1]]`, `["a"]`)
	case 3:
		return pick(w.r, "true", "false")
	case 4, 5, 6:
		return fmt.Sprint(w.r.IntN(6))
	case 7:
		return fmt.Sprintf("%d.5", w.r.IntN(4))
	case 8:
		return fmt.Sprintf(`"u%d"`, w.r.IntN(100_000)) // nearly all distinct
	}
	return pick(w.r, `"x"`, `"y"`, `"zed"`, `"web-api"`)
}

// document gives facts over few paths, each of which is missing, a leaf or an object by chance.
func (w *twin) document(depth int) string {
	var b strings.Builder
	b.WriteByte('{')
	n := 0
	for _, k := range []string{"a", "b", "c-d", "u"} {
		if w.r.IntN(4) == 0 {
			continue
		}
		if n++; n > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:", k)
		if depth > 0 && w.r.IntN(3) == 0 {
			b.WriteString(w.document(depth - 1))
		} else {
			b.WriteString(w.scalar())
		}
	}
	return b.String() + "}"
}

func (w *twin) node(id fettle.NodeID) fettle.Node {
	n := fettle.Node{
		Identity: id, Classes: []string{}, Liveness: pick(w.r, fettle.Alive, fettle.Late, fettle.Silent), Seen: fettle.Millis(w.r.IntN(2)) * (w.now - fettle.Millis(w.r.IntN(1e6))),
		Enrolled: w.now - 5e6, Agent: fettle.AgentInfo{Version: pick(w.r, "1.0", "1.2", "2.0"), OS: "linux", Plugins: map[string]string{"package": "1"}}, Hash: fmt.Sprint(w.r.Uint64()),
		Labels: pick(w.r, nil, map[string]string{"site": "fra"}, map[string]string{"site": "nyc"}), Pools: pick(w.r, nil, []string{"linux"}), Rev: w.r.Int64(),
	}
	if w.r.IntN(20) > 0 {
		n.Facts = json.RawMessage(w.document(2))
	}
	if w.r.IntN(20) == 0 {
		n.Facts = json.RawMessage(`{ "b": 1, "a": {"b" : "x"} }`) // not canonical
	}
	for _, c := range []string{"base", "db::master", "web"} {
		if w.r.IntN(2) == 0 {
			n.Classes = append(n.Classes, c)
		}
	}
	return n
}

// change does one thing to both.
func (w *twin) change() {
	id := fettle.NodeID(fmt.Sprintf("n%d", w.r.IntN(150)))
	_, known := w.nodes[id]
	switch k := w.r.IntN(10); {
	case k == 0:
		if w.v.Remove(id) != known {
			w.t.Fatalf("Remove(%s) is wrong about whether it is there", id)
		}
		delete(w.nodes, id)
		delete(w.load, id)
	case k == 1 && known:
		n := w.nodes[id]
		n.Liveness, n.Seen = pick(w.r, fettle.Alive, fettle.Silent), w.now-fettle.Millis(w.r.IntN(1e6))
		w.v.Touch(id, n.Liveness, n.Seen)
		w.nodes[id] = n
	case k == 2 && known:
		s := fettle.CheckState{Node: id, Check: "load", Status: pick(w.r, fettle.CheckOK, fettle.CheckCritical), Since: w.now - 1000}
		w.v.SetCheck(s)
		w.load[id] = s
	case k == 3 && known:
		w.patch(id)
	default:
		n := w.node(id)
		if err := w.v.Put(n); err != nil {
			w.t.Fatalf("%v: %s", err, n.Facts)
		}
		w.nodes[id] = n
	}
}

// patch replaces a leaf where there is one.
func (w *twin) patch(id fettle.NodeID) {
	n := w.nodes[id]
	doc, err := filter.ParseDocument(n.Facts)
	if err != nil {
		w.t.Fatal(err)
	}
	before, ok := doc.Get("a")
	_, inner := before.(filter.Object)
	value := w.scalar()
	done, err := w.v.Patch(id, []inventory.Change{{Path: fettle.Path{"a"}, Value: json.RawMessage(value)}}, "h", 1, 2)
	if err != nil {
		w.t.Fatal(err)
	}
	if done != (ok && !inner && doc.Plain()) {
		w.t.Fatalf("Patch did it: %v; a leaf was there: %v, %s", done, ok && !inner, n.Facts)
	}
	if done {
		n.Hash, n.Seq, n.FactsAt = "h", 1, 2
		n.Facts = patched(n.Facts, value)
		w.nodes[id] = n
	}
}

// patched replaces the value of "a" in a canonical document, where it is the first key and no object.
func patched(facts json.RawMessage, value string) json.RawMessage {
	var first json.RawMessage
	d := json.NewDecoder(strings.NewReader(string(facts[len(`{"a":`):])))
	if err := d.Decode(&first); err != nil {
		panic(err)
	}
	return json.RawMessage(`{"a":` + value + string(facts[len(`{"a":`)+len(first):]))
}

// filter gives a filter of some depth.
func (w *twin) filter(depth int) string {
	if depth == 0 || w.r.IntN(4) == 0 {
		return w.atom()
	}
	switch w.r.IntN(5) {
	case 0:
		return "!(" + w.filter(depth-1) + ")"
	case 1, 2:
		return "(" + w.filter(depth-1) + ") && (" + w.filter(depth-1) + ")"
	}
	return "(" + w.filter(depth-1) + ") || (" + w.filter(depth-1) + ")"
}

func (w *twin) path() string {
	p := pick(w.r, "facts.a", "facts.b", `facts["c-d"]`, "facts.u", "facts.a.b", "facts.b.a", "facts.a.b.u", `facts.b["c-d"]`, "facts.nobody", "facts.a.nobody", "facts.?a", "facts.?a.?b", "facts.a.?b")
	return p
}

func (w *twin) literal() string {
	return pick(w.r, `"x"`, `"zed"`, "3", "2.5", "true", "null", "9223372036854775807", "9007199254740993", "9007199254740992.0", `"12"`, "12", "[]", `{"b": 1}`, "0", `""`)
}

func (w *twin) atom() string {
	p := w.path()
	switch w.r.IntN(26) {
	case 0, 1, 2:
		return p + " " + pick(w.r, "==", "!=") + " " + w.literal()
	case 3, 4, 5:
		return p + " " + pick(w.r, "<", "<=", ">", ">=") + " " + pick(w.r, "2", "2.5", `"x"`, "9007199254740992")
	case 6:
		return pick(w.r, "has(facts.a)", "has(facts.a.b)", "has(facts.b.a.b)", `has(facts.nobody)`, "has(facts.nobody.x)", "has(facts.u)", `has(facts.?a.b)`)
	case 7:
		return p + ` in ["x", 3, 2.5, "12", true]`
	case 8:
		return "string(" + p + `).matches("^[xz1]")`
	case 9:
		return p + pick(w.r, `.startsWith("z")`, `.contains("e")`, `.endsWith("d")`, ".size() > 1")
	case 10:
		return p
	case 11:
		return "facts.?a.orValue(3) == 3 || facts.?a.?b.hasValue()"
	case 12:
		return pick(w.r, `"web" in classes`, `"nobody" in classes`, `classes.exists(c, c.startsWith("db"))`, `classes.all(c, c != "web")`, `classes == ["web"]`, `size(classes) > 1`, `classes.exists(c, c > 1)`)
	case 13:
		return pick(w.r, `identity.matches("^n1")`, `identity == "n7"`, `glob(identity, "n?")`, `identity in ["n1", "n2"]`)
	case 14:
		return pick(w.r, `liveness == "alive"`, `liveness != "silent"`, "now - seen > duration(\"5m\")", "seen > enrolled", `labels.site == "fra"`, `"linux" in pools`, `version(agent.version) > version("1.1")`)
	case 15:
		return pick(w.r, `checks.load.status == "critical"`, `has(checks.load)`, `checks.exists(c, checks[c].status == "ok")`)
	case 16:
		return pick(w.r, "facts.a == facts.b", "facts.a > facts.b", "facts.a.b == facts.u", `facts["c-d"] == identity`, "facts[identity] == 1")
	case 17:
		return pick(w.r, "size(facts) > 2", `facts.exists(k, k == "u")`, "facts.a.exists(k, facts.a[k] == 3)", "size(facts.a) == 2", `facts.a == {"b": 1}`, `"b" in facts.a`, "facts.b.all(k, k < \"c\")")
	case 18:
		return p + " == 3 ? " + w.path() + ` == "x" : ` + w.path() + " > 2"
	case 19:
		return p + pick(w.r, "[0] == 1", `[1] == "x"`, ".filter(i, i == 1).size() == 1", ".map(i, i) == []")
	case 20:
		return "number(" + p + ") >= 3"
	case 21:
		return pick(w.r, "true", "false", "1 / 0 == 1", `"x" < "y"`, "dyn(3)")
	case 22:
		return pick(w.r, "ip("+p+").family() == 4", "version("+p+`) > version("1.2.9")`, "int("+p+") == 12", "double("+p+") < 3.0", "type("+p+") == string", p+" == null")
	case 23:
		return "[1, 2, 3].exists(i, i == " + p + ")"
	case 24:
		return p + pick(w.r, " + 1 == 4", " / 0 == 1", ` + "y" == "xy"`, " * 2 > 4")
	}
	return "facts.a.?b.orValue(" + w.literal() + ") == " + w.literal()
}

// record gives what a filter may know of a node.
func (w *twin) record(n fettle.Node) *filter.Record {
	doc, err := filter.ParseDocument(n.Facts)
	if err != nil {
		w.t.Fatal(err)
	}
	rec := &filter.Record{
		Identity: n.Identity, Facts: doc, Classes: n.Classes, Agent: &n.Agent, Checks: map[string]filter.CheckView{}, Now: w.now, Pools: n.Pools, Labels: n.Labels,
		Liveness: n.Liveness, Seen: n.Seen, Enrolled: n.Enrolled,
	}
	if s, ok := w.load[n.Identity]; ok {
		rec.Checks["load"] = filter.CheckView{Status: s.Status, Since: s.Since}
	}
	return rec
}

// answer is what both have to agree on.
type answer struct {
	Nodes       []fettle.NodeID
	Undefined   int
	UndefinedBy map[string]int
}

// scan asks the plain list.
func (w *twin) scan(p *filter.Program) answer {
	a := answer{UndefinedBy: map[string]int{}}
	for _, id := range slices.Sorted(maps.Keys(w.nodes)) {
		switch truth, missing := p.Match(w.t.Context(), w.record(w.nodes[id])); truth {
		case filter.True:
			a.Nodes = append(a.Nodes, id)
		case filter.Undefined:
			a.Undefined++
			for _, m := range missing {
				a.UndefinedBy[m.String()]++
			}
		}
	}
	return a
}

// compare asks both the same.
func (w *twin) compare(text string) {
	p, err := filter.Compile(filter.Node, fettle.Filter(text))
	if err != nil {
		return // types that cannot meet, known when compiled
	}
	want := w.scan(p)
	roster, err := w.v.Roster(w.t.Context(), p, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(roster.Nodes) == 0 {
		roster.Nodes = nil
	}
	if d := cmp.Diff(want, answer{roster.Nodes, roster.Undefined, roster.UndefinedBy}); d != "" && len(want.UndefinedBy) < 100 {
		w.t.Fatalf("%s: the index does not say what a scan says:\n%s", text, d)
	}
	q := inventory.Query{Program: p, Now: w.now, Limit: 1 + w.r.IntN(40), Uncounted: w.r.IntN(2) == 0}
	var paged []fettle.NodeID
	for {
		a, err := w.v.Query(w.t.Context(), q)
		if err != nil {
			w.t.Fatal(err)
		}
		paged = append(paged, ids(a)...)
		if q.After = a.Next; q.After == "" {
			break
		}
	}
	if d := cmp.Diff(want.Nodes, paged); d != "" {
		w.t.Fatalf("%s: the pages do not add up:\n%s", text, d)
	}
}

// equal shows that both hold the same nodes, facts to the byte.
func (w *twin) equal() {
	if w.v.Len() != len(w.nodes) {
		w.t.Fatalf("%d nodes, want %d", w.v.Len(), len(w.nodes))
	}
	for id, want := range w.nodes {
		got, _ := w.v.Get(id)
		if d := cmp.Diff(want, got); d != "" {
			w.t.Fatalf("%s is not what was put:\n%s", id, d)
		}
	}
}

func (w *twin) run(rounds int) {
	for range rounds {
		for range w.r.IntN(60) {
			w.change()
		}
		for range 4 {
			w.compare(w.filter(3))
		}
		for range 6 {
			w.compare(w.atom())
		}
	}
	w.equal()
}

// TestIndexSaysWhatAScanSays asks random filters of random nodes while they change.
func TestIndexSaysWhatAScanSays(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			newTwin(t, seed).run(12)
		})
	}
}

// FuzzIndex is the same without end.
func FuzzIndex(f *testing.F) {
	for seed := range uint64(5) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { newTwin(t, seed).run(6) })
}
