//go:build unix

package main

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func deeds(lines ...string) (list []deed) {
	for _, l := range lines {
		w := strings.Fields(l)
		list = append(list, deed{node: "n", number: w[0], code: w[1], last: len(w) > 2})
	}
	return list
}

func TestBrokenPromisesOfChecksAreSeen(t *testing.T) {
	made := deeds("a-0 0", "a-1 0", "a-2 2", "a-3 2", "a-4 1 last", "b-0 0", "b-1 2 last")
	for name, row := range map[string]struct {
		stored []string
		want   string // part of the fault; empty: none
	}{
		"all is there":                      {[]string{"count a-0", "count a-2", "count a-4", "count b-0", "count b-1"}, ""},
		"what died with its agent may lack": {[]string{"count a-0", "count a-2", "count b-0"}, ""},
		"a change is lost":                  {[]string{"count a-0", "count a-4", "count b-0"}, "number a-2 is not in the store"},
		"a change is there twice":           {[]string{"count a-0", "count a-0", "count a-2", "count a-4", "count b-0", "count b-1"}, "number a-2 is not in the store, or not in its place"},
		"changes are in another order":      {[]string{"count a-2", "count a-0", "count a-4", "count b-0", "count b-1"}, "number a-0"},
		"it was stale for a while":          {[]string{"count a-0", "stale", "count a-1", "count a-2", "count a-4", "stale", "count b-0", "count b-1", "stale"}, ""},
		"stale, and a change is lost":       {[]string{"count a-0", "stale", "count a-4", "count b-0"}, "number a-2 is not in the store"},
		"one was never made":                {[]string{"count a-0", "count a-2", "count a-4", "count b-0", "count b-1", "count c-0"}, "never made"},
	} {
		t.Run(name, func(t *testing.T) {
			var f found
			judgeChecks(&f, "n", made, row.stored)
			if (len(f.faults) > 0) != (row.want != "") || len(f.faults) > 0 && !strings.Contains(f.faults[0].Error(), row.want) {
				t.Errorf("faults %v, want %q", f.faults, row.want)
			}
		})
	}
}

func TestBrokenPromisesOfRunsAreSeen(t *testing.T) {
	for name, row := range map[string]struct {
		executed, results map[string]int
		want              int // faults
	}{
		"once, and answered":            {map[string]int{"n 1": 1}, map[string]int{"n 1": 0}, 0},
		"once, and outcome unknown":     {map[string]int{"n 1": 1}, map[string]int{"n 1": 8}, 0},
		"another was refused":           {map[string]int{"n 1": 1}, map[string]int{"n 1": 0, "n 2": 6}, 0},
		"twice":                         {map[string]int{"n 1": 2}, map[string]int{"n 1": 0}, 1},
		"the result is lost":            {map[string]int{"n 1": 1}, nil, 1},
		"executed and said to be not":   {map[string]int{"n 1": 1}, map[string]int{"n 1": 6}, 1},
		"never, and a result all alike": {map[string]int{"n 1": 1}, map[string]int{"n 1": 0, "n 2": 0}, 1},
		"nothing happened":              {nil, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := found{executed: len(row.executed)}
			judgeRuns(&f, row.executed, row.results)
			if len(f.faults) != row.want {
				t.Errorf("%v", f.faults)
			}
		})
	}
}

func TestRepeaterLosesNothing(t *testing.T) {
	in := "CONNECT\nlogin:a\n\n\x00\nSEND\ndestination:/queue/q\ncontent-length:3\n\n1\x002\x00"
	for n := range 200 {
		if n%10 == 0 {
			in += "\n" // a heart-beat
		}
		in += "SEND\nreceipt:" + strings.Repeat("x", n) + "\n\nbody\x00"
	}
	in += "ACK\nid:1\n\n\x00"
	r := &repeater{}
	r.on.Store(true)
	var out bytes.Buffer
	r.disturb(&out, frames(bufio.NewReader(strings.NewReader(in))), rand.New(rand.NewPCG(1, 2)))
	all := func(s string) (list []string) {
		for f := range frames(bufio.NewReader(strings.NewReader(s))) {
			list = append(list, string(f))
		}
		slices.Sort(list)
		return list
	}
	want, got := all(in), all(out.String())
	if unique := slices.Compact(slices.Clone(got)); !slices.Equal(unique, slices.Compact(want)) {
		t.Errorf("%d frames became %d others", len(want), len(unique))
	}
	if r.sent.Load() != 201 || r.repeated.Load() == 0 || r.swapped.Load() == 0 || len(got) <= len(want) {
		t.Errorf("%d sent, %d repeated, %d swapped: %d frames became %d", r.sent.Load(), r.repeated.Load(), r.swapped.Load(), len(want), len(got))
	}
}

func TestSettingsThatDoNotFit(t *testing.T) {
	for _, args := range [][]string{{"-nodes", "2", "-groups", "3"}, {"-database", "postgres"}, {"-away", "1m"}} {
		if err := run(t.Context(), args, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "do not fit") {
			t.Errorf("%v: %v", args, err)
		}
	}
}
