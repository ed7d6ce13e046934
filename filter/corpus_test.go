package filter_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// corpus is testdata/corpus.json: the cases that every user of this package answers alike.
type corpus struct {
	About string                `json:"about"`
	Nodes map[string]corpusNode `json:"nodes"`
	Cases []struct {
		Filter  fettle.Filter       `json:"filter"`
		Short   fettle.Filter       `json:"short"`
		Want    map[string]string   `json:"want"`
		Missing map[string][]string `json:"missing"`
	} `json:"cases"`
}

type corpusNode struct {
	fettle.Node
	Now    fettle.Millis `json:"now"`
	Checks map[string]struct {
		Status fettle.CheckStatus `json:"status"`
		Since  fettle.Millis      `json:"since"`
		Output string             `json:"output"`
	} `json:"checks"`
}

func readCorpus(t *testing.T) corpus {
	t.Helper()
	text, err := os.ReadFile("testdata/corpus.json")
	if err != nil {
		t.Fatal(err)
	}
	var c corpus
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func (n corpusNode) record(t *testing.T) *filter.Record {
	t.Helper()
	doc, err := filter.ParseDocument(n.Facts)
	if err != nil {
		t.Fatal(err)
	}
	rec := &filter.Record{
		Identity: n.Identity, Facts: doc, Classes: n.Classes, Agent: &n.Agent, Checks: map[string]filter.CheckView{}, Now: n.Now,
		Pools: n.Pools, Labels: n.Labels, Liveness: n.Liveness, Seen: n.Seen, Enrolled: n.Enrolled,
	}
	if n.Agent.Version == "" {
		rec.Agent = nil
	}
	for name, c := range n.Checks {
		rec.Checks[name] = filter.CheckView{Status: c.Status, Since: c.Since, Output: c.Output}
	}
	return rec
}

func TestCorpus(t *testing.T) {
	c := readCorpus(t)
	for _, k := range c.Cases {
		t.Run(string(k.Filter), func(t *testing.T) {
			if k.Short != "" {
				got, err := filter.Parse(k.Short)
				if err != nil || got != k.Filter {
					t.Fatalf("Parse(%s) = %s, %v", k.Short, got, err)
				}
			}
			p, err := filter.Compile(filter.Node, k.Filter)
			if err != nil {
				t.Fatal(err)
			}
			for node, want := range k.Want {
				truth, missing := p.Match(t.Context(), c.Nodes[node].record(t))
				if truth.String() != want {
					t.Errorf("%s: %v %v, want %s", node, truth, missing, want)
				}
				var got []string
				for _, m := range missing {
					got = append(got, m.String())
				}
				if (truth == filter.Undefined) != (len(got) > 0) {
					t.Errorf("%s: %v with the reasons %q", node, truth, got)
				}
				if reasons, ok := k.Missing[node]; ok && !slices.Equal(got, reasons) {
					t.Errorf("%s: reasons differ:\n%s", node, cmp.Diff(reasons, got))
				}
			}
		})
	}
}
