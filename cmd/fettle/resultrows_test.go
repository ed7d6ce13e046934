package main

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server/api/client"
)

func TestTableOfResults(t *testing.T) {
	manifest := plugins.Action{Outputs: []plugins.Output{
		{Name: "count", Type: plugins.Int, Display: "updates"},
		{Name: "size", Type: plugins.Int, Unit: "bytes"},
		{Name: "list", Type: plugins.Any},
		{Name: "age", Type: plugins.Int, Unit: "s"},
		{Name: "nobody", Type: plugins.String},
	}}
	seen := &seenRun{
		results: []client.ResultItem{
			{Node: "a", TookMs: 1500, Message: "OK", Data: json.RawMessage(`{"count":2,"size":1048576,"list":[{"name":"x"}],"age":7,"time":1}`)},
			{Node: "b", Status: fettle.StatusFailed, Message: "no", Data: json.RawMessage(`{"extra":"a\nb"}`)},
		},
		missing: []*gathered{{rank: rankSilent, text: "silent: no answer", nodes: []fettle.NodeID{"c"}}},
	}
	for format, want := range map[string][][]string{
		"table": {
			{"NODE", "STATUS", "+TOOK", "UPDATES", "SIZE", "AGE s", "EXTRA", "MESSAGE"},
			{"a", "ok", "1.50 s", "2", "1 MiB", "7", "", "OK"},
			{"b", "failed", "0 ms", "", "", "", "a b", "no"},
			{"c", "silent", "", "", "", "", "", "silent: no answer"},
		},
		"csv": {
			{"NODE", "STATUS", "TOOK_MS", "count", "size", "list", "age", "extra", "time", "MESSAGE"},
			{"a", "0", "1500", "2", "1048576", `[{"name":"x"}]`, "7", "", "1", "OK"},
			{"b", "1", "0", "", "", "", "", "a\nb", "", "no"},
			{"c", "", "", "", "", "", "", "", "", "silent: no answer"},
		},
	} {
		l := (&app{output: format}).resultRows(manifest, seen)
		if diff := cmp.Diff(want, append([][]string{l.columns}, l.rows...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
}
