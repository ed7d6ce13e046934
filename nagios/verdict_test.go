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
				"CRITICAL:\n   c1: a/b c\nWARNING:\n   w1\nUNKNOWN:\n   u[1-2]\nSOFT:\n   soft1: soft critical",
		},
		{
			"nodes that say the same are folded, and what is left out stands beside",
			fettle.Verdict{
				Check: "check_disk", Status: fettle.CheckCritical, Tally: fettle.CheckTally{Total: 9, OK: 3, Critical: 3, Silenced: 2, Shadowed: 1, Flapping: 1},
				Nodes:    map[fettle.CheckStatus][]fettle.NodeID{fettle.CheckCritical: {"db1", "web01", "web02"}},
				Silenced: []fettle.NodeID{"web07", "web08"}, Shadowed: []fettle.NodeID{"web09"},
				SilencedBy: []fettle.SilencedBy{{ID: "s", Reason: "new | disks\n", Author: "ann", Until: 1_763_700_000_000, Nodes: 2}},
				Output:     map[fettle.NodeID]string{"web01": "DISK CRITICAL", "web02": "DISK CRITICAL", "db1": "DISK CRITICAL - 1%", "web07": "DISK WARNING", "web08": "DISK WARNING"},
				Perf:       []fettle.PerfFold{{Label: "/var lib", Unit: "B", Nodes: 9, Avg: 1.0 / 3, Max: 12345678}},
			},
			2,
			"check_disk: OK: 3 WARNING: 0 CRITICAL: 3 UNKNOWN: 0 SILENCED: 2 SHADOWED: 1|total=9 ok=3 warn=0 crit=3 unknown=0 silenced=2 shadowed=1 checktime=0.0061 " +
				"'/var lib_avg'=0.333333B '/var lib_max'=12345700B\n" +
				"1 flapping, 2 silenced until 2025-11-21T04:40:00Z by ann: new / disks\n" +
				"CRITICAL:\n   db1: DISK CRITICAL - 1%\n   web[01-02]: DISK CRITICAL\nSILENCED:\n   web[07-08]: DISK WARNING\nSHADOWED:\n   web09",
		},
		{
			"a group, and its customers",
			fettle.Verdict{
				Check: "shop", Kind: fettle.KindGroup, Status: fettle.CheckCritical, Tally: fettle.CheckTally{Total: 2, OK: 1, Critical: 1}, ByFact: "customer",
				Members: []fettle.VerdictMember{
					{Name: "check_http", Filter: `facts.role == "web"`, Status: fettle.CheckCritical, Tally: fettle.CheckTally{Total: 3, OK: 2, Critical: 1}},
					{Name: "gone", Status: fettle.CheckUnknown, Reason: "there is no such check"},
				},
				By: []fettle.Verdict{{Value: "acme", Status: fettle.CheckCritical, Tally: fettle.CheckTally{Total: 2, Critical: 1, OK: 1}}, {Value: "globex", Status: fettle.CheckOK, Tally: fettle.CheckTally{Total: 2, OK: 2}}},
			},
			2,
			"shop: OK: 1 WARNING: 0 CRITICAL: 1 UNKNOWN: 0|total=2 ok=1 warn=0 crit=1 unknown=0 checktime=0.0061\n" +
				"MEMBERS:\n   check_http where facts.role == \"web\": CRITICAL (OK: 2 WARNING: 0 CRITICAL: 1 UNKNOWN: 0)\n   gone: UNKNOWN (there is no such check)\n" +
				"BY customer:\n   acme: CRITICAL (OK: 1 WARNING: 0 CRITICAL: 1 UNKNOWN: 0)\n   globex: OK (OK: 2 WARNING: 0 CRITICAL: 0 UNKNOWN: 0)",
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
			v.Output[n] = fmt.Sprint(i, strings.Repeat("ü", 500))
		}
	}
	text, _ := FormatVerdict(v, time.Second)
	if len(text) > MaxPluginText {
		t.Errorf("%d bytes", len(text))
	}
	for _, want := range []string{"more: critical[", "\n   warning0000.acme.net: 0ü", "more: unknown["} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing at the end: %s", want, text[len(text)-400:])
		}
	}
	out, bad := Parse([]byte(text), 2)
	if len(out.Perfdata) != 6 || bad != nil {
		t.Errorf("read again: %+v, %q", out.Perfdata, bad)
	}
}
