package main

import (
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func TestProgressSaysWhatIsWaitedFor(t *testing.T) {
	some := func(ok, failed, pending int) client.RunSummary {
		return client.RunSummary{Tally: fettle.Tally{Roster: ok + failed + pending, OK: ok, Failed: failed, Pending: pending}}
	}
	gate := some(50, 0, 50)
	gate.Batch, gate.Batches, gate.WaitingFor = new(int64(2)), new(int64(4)), new("gate: verdict is critical")
	for want, tt := range map[string]struct {
		run client.RunSummary
		progressed
	}{
		"[          ] 0/100  ok 0  failed 0  300ms":                                            {some(0, 0, 100), progressed{since: 340 * time.Millisecond, bar: 10}},
		"[======    ] 600/1000  ok 590  failed 10  300/s  2s":                                  {some(590, 10, 400), progressed{since: 2 * time.Second, bar: 10}},
		"[======    ] 6/10  ok 6  failed 0  12/min  30s":                                       {some(6, 0, 4), progressed{since: 30 * time.Second, bar: 10}},
		"[======    ] 6/10  ok 6  failed 0  30s":                                               {some(6, 0, 4), progressed{since: 30 * time.Second, first: 6, bar: 10}},
		"[======== ] 998/1000  ok 998  failed 0  7.5s  waits for 2: web[07,19]":                {some(998, 0, 2), progressed{since: 7500 * time.Millisecond, missed: []fettle.NodeID{"web07", "web19"}, bar: 9}},
		"[==  ] 50/100  ok 50  failed 0  batch 2 of 4  1m0s  waits: gate: verdict is critical": {gate, progressed{since: time.Minute, bar: 4}},
		"[] 0/0  ok 0  failed 0  0s":                                                           {some(0, 0, 0), progressed{}},
	} {
		if got := progressLine(&tt.run, tt.progressed); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	if got := fitted("0123456789", 5); got != "0123…" {
		t.Error(got)
	}
}
