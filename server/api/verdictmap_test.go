package api

import (
	"strings"
	"testing"
)

func TestVerdictMap(t *testing.T) {
	b := newBench(t, Config{})
	a := b.get("/api/v1/verdicts/check_load/map?x=rack&y=role&rows=7")
	for _, part := range []string{`"columns":["r1"]`, `"status":"critical","total":2,"ok":1`, `"more_y":7`, `"more_x":0`} {
		if !strings.Contains(a, part) {
			t.Errorf("%s is not in %s", part, a)
		}
	}
}
