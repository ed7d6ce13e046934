package nagios

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
)

func TestFormatVerdict(t *testing.T) {
	tests := []struct {
		name    string
		verdict fettle.Verdict
		code    fettle.CheckCode
		want    string
	}{
		{
			"the line that everybody knows",
			fettle.Verdict{
				Check: "check_load", Status: fettle.CheckWarning, Tally: fettle.CheckTally{Total: 42, OK: 41, Warning: 1},
				Nodes: map[fettle.CheckStatus][]fettle.NodeID{fettle.CheckWarning: {"db1"}}, Output: map[fettle.NodeID]string{"db1": "WARNING - load average: 9.1"},
			},
			1,
			"check_load: OK: 41 WARNING: 1 CRITICAL: 0 UNKNOWN: 0|total=42 ok=41 warn=1 crit=0 unknown=0 checktime=0.0061\n" +
				"WARNING:\n   db1: WARNING - load average: 9.1",
		},
		{
			"every state, and what stands beside",
			fettle.Verdict{
				Check: "c", Status: fettle.CheckCritical, Settling: true,
				Tally:  fettle.CheckTally{Total: 4, Critical: 1, Warning: 1, Unknown: 2, Silent: 1, Stale: 1, Undefined: 3},
				Nodes:  map[fettle.CheckStatus][]fettle.NodeID{fettle.CheckUnknown: {"u1", "u2"}, fettle.CheckCritical: {"c1"}, fettle.CheckWarning: {"w1"}},
				Output: map[fettle.NodeID]string{"c1": "a|b\nc", "soft1": "soft critical"},
			},
			2,
			"c: OK: 0 WARNING: 1 CRITICAL: 1 UNKNOWN: 2|total=4 ok=0 warn=1 crit=1 unknown=2 checktime=0.0061\n" +
				"1 silent, 1 stale, 3 undefined, settling: the server has just started, this is its last status\n" +
				"CRITICAL:\n   c1: a/b c\nWARNING:\n   w1\nUNKNOWN:\n   u1\n   u2\nSOFT:\n   soft1: soft critical",
		},
		{
			"nobody matched",
			fettle.Verdict{Check: "c", Status: fettle.CheckUnknown, Reason: "no node matches the filter", Tally: fettle.CheckTally{Undefined: 2}},
			3,
			"c: UNKNOWN: no node matches the filter|total=0 ok=0 warn=0 crit=0 unknown=0 checktime=0.0061\n2 undefined",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, code := FormatVerdict(tt.verdict, 6100*time.Microsecond)
			if diff := cmp.Diff(tt.want, got); diff != "" || code != tt.code {
				t.Errorf("code %d (-want +got):\n%s", code, diff)
			}
		})
	}
}

func TestFormatVerdictIsBounded(t *testing.T) {
	v := fettle.Verdict{Check: "check_disk", Status: fettle.CheckCritical, Nodes: map[fettle.CheckStatus][]fettle.NodeID{}, Output: map[fettle.NodeID]string{}}
	for _, status := range []fettle.CheckStatus{fettle.CheckCritical, fettle.CheckWarning, fettle.CheckUnknown} {
		for i := range 5000 {
			n := fettle.NodeID(fmt.Sprintf("%s%04d.acme.net", status, i))
			v.Nodes[status] = append(v.Nodes[status], n)
			v.Output[n] = strings.Repeat("ü", 500)
		}
	}
	text, _ := FormatVerdict(v, time.Second)
	if len(text) > MaxPluginText {
		t.Errorf("%d bytes", len(text))
	}
	for _, want := range []string{"more: critical[", "\n   warning0000.acme.net: ü", "more: unknown["} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing at the end: %s", want, text[len(text)-400:])
		}
	}
	out, bad := Parse([]byte(text), 2)
	if len(out.Perfdata) != 6 || bad != nil {
		t.Errorf("read again: %+v, %q", out.Perfdata, bad)
	}
}
