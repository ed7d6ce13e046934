package web

import (
	"testing"
	"time"
)

// eventually waits until what is promised is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !so(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

// counted waits until a check's verdict counts so many nodes, for nodes are put in their places behind what they say.
func (h *house) counted(check string, total int) {
	h.t.Helper()
	eventually(h.t, check+" counts its nodes", func() bool {
		list, err := h.Verdicts(h.t.Context())
		if err != nil {
			h.t.Fatal(err)
		}
		for _, v := range list {
			if v.Check == check && v.Tally.Total == total {
				return true
			}
		}
		return false
	})
}
