package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/test/sample"
)

func TestQuestions(t *testing.T) {
	o, fleet := newOurs(), sample.NewFleet()
	const nodes = 400
	for i := range nodes {
		if err := o.add(t.Context(), []fettle.Node{fleet.Node(i, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	doc, err := filter.ParseDocument(fleet.Node(0, 0).Facts)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range questions {
		t.Run(q.name, func(t *testing.T) {
			n, err := o.count(t.Context(), q.name)
			if err != nil || q.name != "nothing" && (n == 0 || n == nodes) {
				t.Errorf("%d of %d nodes match, which shows nothing: %v", n, nodes, err)
			}
			for _, mark := range pathMark.FindAllString(q.maria, -1) {
				at := filter.Object(doc)
				keys := strings.Split(strings.Trim(mark, "{}"), ".")
				for _, key := range keys[:len(keys)-1] {
					v, _ := at.Get(key)
					at, _ = v.(filter.Object)
				}
				if _, ok := at.Get(keys[len(keys)-1]); !ok {
					t.Errorf("no node has %s", mark)
				}
			}
		})
	}
}

func TestRound(t *testing.T) {
	for d, want := range map[time.Duration]string{1234: "1.23µs", 999: "999ns", 12_345_678: "12.3ms", 2 * time.Second: "2s"} {
		if got := round(d).String(); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}

func TestRunSaysWhatIsMissing(t *testing.T) {
	t.Setenv("FETTLE_TEST_POSTGRES_DSN", "")
	t.Setenv("FETTLE_TEST_MYSQL_DSN", "")
	for args, says := range map[string]string{"-nodes=5": "FETTLE_TEST_POSTGRES_DSN", "-nodes=0": "0 nodes"} {
		if err := run(t.Context(), []string{args}, io.Discard); !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
