package inventory_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/inventory"
)

// twin is an inventory and, beside it, the same nodes as a plain list, which is asked node by node.
type twin struct {
	t     testing.TB
	again string     // how to see the same once more
	r     *rand.Rand // of what the nodes are
	ask   *rand.Rand // of what is asked
	v     *inventory.Inventory
	nodes map[fettle.NodeID]fettle.Node
	load  map[fettle.NodeID]fettle.CheckState
	now   fettle.Millis
}

// newTwin makes a twin whose nodes follow from seed, and whose questions from questions.
func newTwin(t testing.TB, seed uint64, questions rand.Source) *twin {
	v := inventory.NewTight()
	if seed%4 == 3 {
		v = inventory.New()
	}
	return &twin{
		t: t, r: rand.New(rand.NewPCG(seed, 7)), ask: rand.New(questions), v: v, nodes: map[fettle.NodeID]fettle.Node{},
		load: map[fettle.NodeID]fettle.CheckState{}, now: 1763700600000,
	}
}

// fatalf ends the test, and says how to see the same again.
func (w *twin) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), w.again)
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
			w.fatalf("Remove(%s) is wrong about whether it is there", id)
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
			w.fatalf("%v: %s", err, n.Facts)
		}
		w.nodes[id] = n
	}
}

// patch replaces a leaf where there is one.
func (w *twin) patch(id fettle.NodeID) {
	n := w.nodes[id]
	doc, err := filter.ParseDocument(n.Facts)
	if err != nil {
		w.fatalf("%v", err)
	}
	before, ok := doc.Get("a")
	_, inner := before.(filter.Object)
	value := w.scalar()
	facts := n.Facts
	n.Hash, n.Seq, n.Rev, n.FactsAt, n.Liveness, n.Seen = "h", w.r.Int64(), 3, 2, pick(w.r, fettle.Alive, fettle.Late), w.now
	done, err := w.v.Patch(n, []inventory.Change{{Path: fettle.Path{"a"}, Value: json.RawMessage(value)}})
	if err != nil {
		w.fatalf("%v", err)
	}
	if done != (ok && !inner && doc.Plain()) {
		w.fatalf("Patch did it: %v; a leaf was there: %v, %s", done, ok && !inner, n.Facts)
	}
	if done {
		n.Facts = patched(facts, value)
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
	if depth == 0 || w.ask.IntN(4) == 0 {
		return w.atom()
	}
	switch w.ask.IntN(5) {
	case 0:
		return "!(" + w.filter(depth-1) + ")"
	case 1, 2:
		return "(" + w.filter(depth-1) + ") && (" + w.filter(depth-1) + ")"
	}
	return "(" + w.filter(depth-1) + ") || (" + w.filter(depth-1) + ")"
}

func (w *twin) path() string {
	p := pick(w.ask, "facts.a", "facts.b", `facts["c-d"]`, "facts.u", "facts.a.b", "facts.b.a", "facts.a.b.u", `facts.b["c-d"]`, "facts.nobody", "facts.a.nobody", "facts.?a", "facts.?a.?b", "facts.a.?b")
	return p
}

func (w *twin) literal() string {
	return pick(w.ask, `"x"`, `"zed"`, "3", "2.5", "true", "null", "9223372036854775807", "9007199254740993", "9007199254740992.0", `"12"`, "12", "[]", `{"b": 1}`, "0", `""`)
}

func (w *twin) atom() string {
	p := w.path()
	switch w.ask.IntN(26) {
	case 0, 1, 2:
		return p + " " + pick(w.ask, "==", "!=") + " " + w.literal()
	case 3, 4, 5:
		return p + " " + pick(w.ask, "<", "<=", ">", ">=") + " " + pick(w.ask, "2", "2.5", `"x"`, "9007199254740992")
	case 6:
		return pick(w.ask, "has(facts.a)", "has(facts.a.b)", "has(facts.b.a.b)", `has(facts.nobody)`, "has(facts.nobody.x)", "has(facts.u)", `has(facts.?a.b)`)
	case 7:
		return p + ` in ["x", 3, 2.5, "12", true]`
	case 8:
		return "string(" + p + `).matches("^[xz1]")`
	case 9:
		return p + pick(w.ask, `.startsWith("z")`, `.contains("e")`, `.endsWith("d")`, ".size() > 1")
	case 10:
		return p
	case 11:
		return "facts.?a.orValue(3) == 3 || facts.?a.?b.hasValue()"
	case 12:
		return pick(w.ask, `"web" in classes`, `"nobody" in classes`, `classes.exists(c, c.startsWith("db"))`, `classes.all(c, c != "web")`, `classes == ["web"]`, `size(classes) > 1`, `classes.exists(c, c > 1)`)
	case 13:
		return pick(w.ask, `identity.matches("^n1")`, `identity == "n7"`, `glob(identity, "n?")`, `identity in ["n1", "n2"]`)
	case 14:
		return pick(w.ask, `liveness == "alive"`, `liveness != "silent"`, "now - seen > duration(\"5m\")", "seen > enrolled", `labels.site == "fra"`, `"linux" in pools`, `version(agent.version) > version("1.1")`)
	case 15:
		return pick(w.ask, `checks.load.status == "critical"`, `has(checks.load)`, `checks.exists(c, checks[c].status == "ok")`)
	case 16:
		return pick(w.ask, "facts.a == facts.b", "facts.a > facts.b", "facts.a.b == facts.u", `facts["c-d"] == identity`, "facts[identity] == 1")
	case 17:
		return pick(w.ask, "size(facts) > 2", `facts.exists(k, k == "u")`, "facts.a.exists(k, facts.a[k] == 3)", "size(facts.a) == 2", `facts.a == {"b": 1}`, `"b" in facts.a`, "facts.b.all(k, k < \"c\")")
	case 18:
		return p + " == 3 ? " + w.path() + ` == "x" : ` + w.path() + " > 2"
	case 19:
		return p + pick(w.ask, "[0] == 1", `[1] == "x"`, ".filter(i, i == 1).size() == 1", ".map(i, i) == []")
	case 20:
		return "number(" + p + ") >= 3"
	case 21:
		return pick(w.ask, "true", "false", "1 / 0 == 1", `"x" < "y"`, "dyn(3)")
	case 22:
		return pick(w.ask, "ip("+p+").family() == 4", "version("+p+`) > version("1.2.9")`, "int("+p+") == 12", "double("+p+") < 3.0", "type("+p+") == string", p+" == null")
	case 23:
		return "[1, 2, 3].exists(i, i == " + p + ")"
	case 24:
		return p + pick(w.ask, " + 1 == 4", " / 0 == 1", ` + "y" == "xy"`, " * 2 > 4")
	}
	return "facts.a.?b.orValue(" + w.literal() + ") == " + w.literal()
}

// record gives what a filter may know of a node.
func (w *twin) record(n fettle.Node) *filter.Record {
	doc, err := filter.ParseDocument(n.Facts)
	if err != nil {
		w.fatalf("%v", err)
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
	roster, err := w.v.Roster(w.t.Context(), inventory.Query{Program: p, Now: w.now})
	if err != nil {
		w.fatalf("%v", err)
	}
	if len(roster.Nodes) == 0 {
		roster.Nodes = nil
	}
	if d := cmp.Diff(want, answer{roster.Nodes, roster.Undefined, roster.UndefinedBy}); d != "" && len(want.UndefinedBy) < 100 {
		w.fatalf("%s: the index does not say what a scan says:\n%s", text, d)
	}
	q := inventory.Query{Program: p, Now: w.now, Limit: 1 + w.ask.IntN(40), Uncounted: w.ask.IntN(2) == 0}
	var paged []fettle.NodeID
	for {
		a, err := w.v.Query(w.t.Context(), q)
		if err != nil {
			w.fatalf("%v", err)
		}
		paged = append(paged, ids(a)...)
		if q.After = a.Next; q.After == "" {
			break
		}
	}
	if d := cmp.Diff(want.Nodes, paged); d != "" {
		w.fatalf("%s: the pages do not add up:\n%s", text, d)
	}
}

// equal shows that both hold the same nodes, facts to the byte.
func (w *twin) equal() {
	if w.v.Len() != len(w.nodes) {
		w.fatalf("%d nodes, want %d", w.v.Len(), len(w.nodes))
	}
	for id, want := range w.nodes {
		got, _ := w.v.Get(id)
		if d := cmp.Diff(want, got); d != "" {
			w.fatalf("%s is not what was put:\n%s", id, d)
		}
	}
}

// run changes both and asks both, for a number of rounds or until stop says so.
func (w *twin) run(rounds int, stop func() bool) {
	for i := 0; i < rounds && !stop(); i++ {
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

// The differential test takes other seeds each time, for as long as it may; FuzzIndex goes on at length.
var (
	differential     = flag.Duration("differential", 4*time.Second, "for how long the index is compared with a scan")
	differentialSeed = flag.Uint64("seed", 0, "compare the index with a scan for this seed alone, as a failed test says; 0: other ones each time")
)

// roundsOfSeed is for how many rounds one seed is used: enough for each node to have been replaced a few times.
const roundsOfSeed = 12

// TestIndexSaysWhatAScanSays asks random filters of random nodes while they change.
func TestIndexSaysWhatAScanSays(t *testing.T) {
	if seed := *differentialSeed; seed != 0 {
		seeded(t, seed).run(roundsOfSeed, func() bool { return false })
		return
	}
	end := time.Now().Add(*differential)
	over := func() bool { return time.Now().After(end) }
	for worker := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint("worker ", worker), func(t *testing.T) {
			t.Parallel()
			seeds := 0
			for ; seeds == 0 || !over(); seeds++ {
				seed := rand.Uint64()>>16 + 1 // short enough to be typed
				seeded(t, seed).run(roundsOfSeed, over)
			}
			t.Logf("%d seeds", seeds)
		})
	}
}

// seeded gives a twin of which all follows from a seed.
func seeded(t *testing.T, seed uint64) *twin {
	w := newTwin(t, seed, rand.NewPCG(seed, 8))
	w.again = fmt.Sprintf("again: go test ./inventory -run TestIndexSaysWhatAScanSays -args -seed %d", seed)
	return w
}

// choices is a source that gives one byte after another, so that changing one byte changes one choice, and goes on by chance.
type choices struct {
	bytes []byte
	rest  rand.Source
}

func (c *choices) Uint64() uint64 {
	if len(c.bytes) == 0 {
		return c.rest.Uint64()
	}
	b := c.bytes[0]
	c.bytes = c.bytes[1:]
	return uint64(b) * 0x0101010101010101 // high and low bits are looked at
}

// FuzzIndex is the same without end: the nodes follow from seed, and the filters are spelt by the bytes.
func FuzzIndex(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed, []byte(strings.Repeat(string(rune('a'+seed)), 9)))
	}
	f.Fuzz(func(t *testing.T, seed uint64, spelt []byte) {
		source := &choices{spelt, rand.NewPCG(seed, 8)}
		w := newTwin(t, seed, source)
		for range 100 {
			w.change()
		}
		for asked := 0; asked == 0 || asked < 10 && len(source.bytes) > 0; asked++ {
			w.compare(w.filter(3))
		}
		w.equal()
	})
}
