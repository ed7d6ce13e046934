package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server/api/client"
)

func TestNamesAreShortWhereNothingIsWrong(t *testing.T) {
	var nodes []fettle.NodeID
	for i := range 500 {
		nodes = append(nodes, fettle.NodeID(fmt.Sprintf("n%05d.example.net", i*2)))
	}
	for _, width := range []int{40, 80, 120, 400} {
		got := shortNames(nodes, width)
		_, rest, found := strings.Cut(got, " and ")
		if len(got) > width || len(got) < width-30 || !found || !strings.HasSuffix(rest, " more") {
			t.Errorf("%d columns: %q", width, got)
		}
	}
	if got := shortNames(nodes[:2], 80); got != "n[00000,00002].example.net" {
		t.Error(got)
	}
	if got := shortNames([]fettle.NodeID{"a-very-long-name.example.net", "b-very-long-name.example.net"}, 10); got != "a-very-long-name.example.net and 1 more" {
		t.Error(got)
	}
}

func TestQuantities(t *testing.T) {
	for want, q := range map[string]struct {
		v    float64
		unit string
	}{
		"0": {0, ""}, "17": {17, ""}, "-3 s": {-3, "s"}, "1234567": {1234567, ""}, "0.333 ms": {1.0 / 3, "ms"}, "12.3": {12.3456, ""}, "1235": {1234.56, ""}, "123": {123.456, ""}, "8.12": {8.1234, ""},
		"512 bytes": {512, "bytes"}, "9999 bytes": {9999, "bytes"}, "1.5 MiB": {1.5 * (1 << 20), "bytes"}, "2 TiB": {2 << 40, "bytes"}, "4096 PiB": {1 << 62, "bytes"},
	} {
		if got := quantity(q.v, q.unit); got != want {
			t.Errorf("%v %s: %q, want %q", q.v, q.unit, got, want)
		}
	}
}

func TestSummariesAreDrawn(t *testing.T) {
	var out bytes.Buffer
	a := &app{stdout: &out}
	manifest := plugins.Action{
		Outputs: []plugins.Output{
			{Name: "count", Type: plugins.Int, Display: "updates"}, {Name: "version", Type: plugins.String}, {Name: "size", Type: plugins.Int, Unit: "bytes"},
		},
		Summaries: []plugins.Summary{
			{Output: "count", Function: plugins.Sum}, {Output: "count", Function: plugins.Max}, {Output: "version", Function: plugins.Histogram}, {Output: "size", Function: plugins.Histogram},
		},
	}
	var results []client.ResultItem
	for i := range 100 {
		data, _ := json.Marshal(map[string]any{"count": i % 7, "version": "1." + fmt.Sprint(min(i/40, 1)), "size": (i + 1) << 20})
		results = append(results, client.ResultItem{Node: "n", Data: data})
	}
	results = append(results, client.ResultItem{Node: "bad", Status: fettle.StatusFailed})
	a.printAggregates(aggregate(manifest, results))
	want := `updates: sum 295, max 6
version:
  1.1  60  ========================================
  1.0  40  ===========================
size:
`
	text := out.String()
	if diff := cmp.Diff(want, text[:min(len(want), len(text))]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !strings.Contains(text, " MiB  ") {
		t.Error(text)
	}
}
