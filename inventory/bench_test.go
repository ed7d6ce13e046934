package inventory_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/test/sample"
)

// benchNodes is the size of the fleet of the benchmarks; docs/benchmarks.md has the figures for 100,000 and 1,000,000.
var benchNodes = flag.Int("nodes", 100_000, "nodes of the inventory in benchmarks")

// scanNodes is how many nodes the plain scan is measured with; its time for more is reckoned, because it holds every document decoded.
const scanNodes = 50_000

// bench is the fleet of all benchmarks, loaded once.
var bench = sync.OnceValue(func() *benchFleet {
	f := &benchFleet{gen: sample.NewFleet(), v: inventory.New()}
	before := heap()
	for i := range *benchNodes {
		n := f.gen.Node(i, 0)
		begun := time.Now()
		if err := f.v.Put(n); err != nil {
			panic(err)
		}
		f.load += time.Since(begun)
	}
	f.bytes = float64(heap()-before) / float64(*benchNodes)
	for i := range min(scanNodes, *benchNodes) {
		n := f.gen.Node(i, 0)
		doc, err := filter.ParseDocument(n.Facts)
		if err != nil {
			panic(err)
		}
		f.decoded = append(f.decoded, &filter.Record{Identity: n.Identity, Facts: doc, Classes: n.Classes, Liveness: n.Liveness})
	}
	return f
})

type benchFleet struct {
	gen     *sample.Fleet
	v       *inventory.Inventory
	load    time.Duration
	bytes   float64 // of heap a node
	decoded []*filter.Record
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// scan is what a question costs without an index: cel-go over decoded documents, one after another.
func (f *benchFleet) scan(ctx context.Context, p *filter.Program) time.Duration {
	begun := time.Now()
	for _, r := range f.decoded {
		p.Match(ctx, r)
	}
	return time.Since(begun) * time.Duration(*benchNodes) / time.Duration(len(f.decoded))
}

var benchFilters = []struct{ name, text string }{
	{"equality", `facts.os.family == "Debian"`},
	{"membership", `facts.country in ["us", "ca"]`},
	{"prefix", `facts.role.startsWith("web")`},
	{"prefixOfUnique", `facts.networking.mac.startsWith("52:54:00:aa")`},
	{"has", `has(facts.ec2_metadata)`},
	{"range", `facts.processors.count >= 16`},
	{"rangeOfUnique", `facts.memory.system.used_bytes > 10000000000`},
	{"class", `"mysql::master" in classes`},
	{"and", `facts.os.family == "Debian" && facts.country in ["us", "ca"] && facts.role.startsWith("web") && facts.memory.system.used_bytes > 10000000000`},
	{"regexOfIdentity", `identity.matches("^web[0-9]+5\\.")`},
	{"undefined", `facts.country == "us" && facts.owner == "nobody"`},
	{"residual", `facts.country == "us" && facts.memory.system.used_bytes > facts.memory.swap.used_bytes`},
}

// BenchmarkQuery counts what filters of each kind match: asked again (the result), for the first time (cold), and by a scan.
func BenchmarkQuery(b *testing.B) {
	f := bench()
	for _, c := range benchFilters {
		b.Run(fmt.Sprintf("%s/%dNodes", c.name, *benchNodes), func(b *testing.B) {
			p, err := filter.Compile(filter.Node, fettle.Filter(c.text))
			if err != nil {
				b.Fatal(err)
			}
			begun := time.Now()
			a, err := f.v.Query(b.Context(), inventory.Query{Program: p})
			cold := time.Since(begun)
			if err != nil {
				b.Fatal(err)
			}
			scan := f.scan(b.Context(), p)
			begun, n := time.Now(), 0
			for b.Loop() {
				if _, err := f.v.Query(b.Context(), inventory.Query{Program: p}); err != nil {
					b.Fatal(err)
				}
				n++
			}
			warm := time.Since(begun) / time.Duration(n)
			b.ReportMetric(float64(cold.Microseconds()), "cold-µs")
			b.ReportMetric(float64(scan.Microseconds()), "scan-µs")
			b.ReportMetric(float64(scan)/float64(warm), "times-faster")
			b.ReportMetric(float64(a.Matched), "matched")
		})
	}
}

// BenchmarkPage gives the first hundred nodes of a filter, with their facts.
func BenchmarkPage(b *testing.B) {
	f := bench()
	p, err := filter.Compile(filter.Node, `facts.country == "us"`)
	if err != nil {
		b.Fatal(err)
	}
	for name, q := range map[string]inventory.Query{
		"names": {Program: p, Limit: 100}, "documents": {Program: p, Limit: 100, Facts: true}, "byFact": {Program: p, Limit: 100, Sort: fettle.Path{"memory", "system", "used_bytes"}},
	} {
		b.Run(fmt.Sprintf("%s/%dNodes", name, *benchNodes), func(b *testing.B) {
			for b.Loop() {
				if _, err := f.v.Query(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPut replaces whole documents, of which what is volatile has changed; one writer.
func BenchmarkPut(b *testing.B) {
	f := bench()
	b.Run(fmt.Sprintf("%dNodes", *benchNodes), func(b *testing.B) {
		nodes := make([]fettle.Node, 2000)
		for i := range nodes {
			nodes[i] = f.gen.Node(i*7%*benchNodes, 1+i%3)
		}
		i := 0
		for b.Loop() {
			if err := f.v.Put(nodes[i%len(nodes)]); err != nil {
				b.Fatal(err)
			}
			i++
		}
		b.ReportMetric(float64(*benchNodes)/f.load.Seconds(), "loaded/s")
		b.ReportMetric(f.bytes, "bytes/node")
	})
}

// BenchmarkPatch changes five facts of a node; one writer.
func BenchmarkPatch(b *testing.B) {
	f := bench()
	b.Run(fmt.Sprintf("%dNodes", *benchNodes), func(b *testing.B) {
		nodes := make([]fettle.Node, 2000)
		for i := range nodes {
			nodes[i] = f.gen.Node(i*7%*benchNodes, 0)
		}
		i := 0
		for b.Loop() {
			n := json.RawMessage(fmt.Sprint(i))
			done, err := f.v.Patch(nodes[i%len(nodes)], []inventory.Change{
				{Path: fettle.Path{"memory", "system", "used_bytes"}, Value: n},
				{Path: fettle.Path{"memory", "swap", "used_bytes"}, Value: n},
				{Path: fettle.Path{"system_uptime", "seconds"}, Value: n},
				{Path: fettle.Path{"load_averages", "1m"}, Value: json.RawMessage("0.5")},
				{Path: fettle.Path{"environment"}, Value: json.RawMessage(`"qa"`)},
			})
			if err != nil || !done {
				b.Fatal(done, err)
			}
			i++
		}
	})
}

// BenchmarkQueryWhileIngesting asks the and-filter while 2,000 whole documents arrive a second, and tells the percentiles: with nobody else asking, and
// beside somebody who asks again and again what has to be evaluated node by node.
func BenchmarkQueryWhileIngesting(b *testing.B) {
	f := bench()
	p, err := filter.Compile(filter.Node, `facts.os.family == "Debian" && facts.country in ["us", "ca"] && facts.memory.system.used_bytes > 10000000000`)
	if err != nil {
		b.Fatal(err)
	}
	slow, err := filter.Compile(filter.Node, `facts.memory.system.used_bytes > facts.memory.swap.used_bytes`)
	if err != nil {
		b.Fatal(err)
	}
	nodes := make([]fettle.Node, 10_000)
	for i := range nodes {
		nodes[i] = f.gen.Node(i*13%*benchNodes, 5+i%3)
	}
	for _, beside := range []*filter.Program{nil, slow} {
		name := "alone"
		if beside != nil {
			name = "besideScans"
		}
		b.Run(fmt.Sprintf("%s/%dNodes", name, *benchNodes), func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			var others sync.WaitGroup
			put, begun := 0, time.Now()
			others.Go(func() { put = f.ingest(ctx, nodes) })
			if beside != nil {
				others.Go(func() { f.askOn(ctx, beside) })
			}
			took := f.askNowAndThen(b, p)
			lasted := time.Since(begun)
			cancel()
			others.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64(put)/lasted.Seconds(), "documents/s")
		})
	}
}

// askNowAndThen asks every millisecond, and tells how long each answer took.
func (f *benchFleet) askNowAndThen(b *testing.B, p *filter.Program) (took []time.Duration) {
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	for b.Loop() {
		<-pause.C
		at := time.Now()
		if _, err := f.v.Query(b.Context(), inventory.Query{Program: p}); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(at))
	}
	return took
}

// askOn asks without a pause until ctx ends.
func (f *benchFleet) askOn(ctx context.Context, p *filter.Program) {
	for ctx.Err() == nil {
		if _, err := f.v.Query(ctx, inventory.Query{Program: p}); err != nil && ctx.Err() == nil {
			panic(err)
		}
	}
}

// ingest puts 20 documents every 10 ms until ctx ends, and tells how many.
func (f *benchFleet) ingest(ctx context.Context, nodes []fettle.Node) (put int) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return put
		case <-tick.C:
		}
		for range 20 {
			if err := f.v.Put(nodes[put%len(nodes)]); err != nil {
				panic(err)
			}
			put++
		}
	}
}
