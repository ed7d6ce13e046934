package filter_test

import (
	"testing"

	"github.com/fettle-dev/fettle/filter"
)

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := filter.Compile(filter.Node, `facts.os.family == "Debian" && (facts.n > 3 || "web" in classes)`); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	p, err := filter.Compile(filter.Node, `facts.os.family == "Debian" && (facts.n > 3 || "web" in classes)`)
	if err != nil {
		b.Fatal(err)
	}
	doc, err := filter.ParseDocument([]byte(`{"n":5,"os":{"family":"Debian"}}`))
	if err != nil {
		b.Fatal(err)
	}
	rec := &filter.Record{Identity: "a", Facts: doc}
	for b.Loop() {
		p.Match(b.Context(), rec)
	}
}
