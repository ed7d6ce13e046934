package store

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fettle-dev/fettle"
)

func testObserve(t *testing.T, open opener) {
	var mu sync.Mutex // guards names and faults
	var names []string
	var faults int
	s := open(t, Config{Observe: func(name string, took time.Duration, err error) {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, name)
		if took < 0 {
			t.Errorf("%s took %v", name, took)
		}
		if err != nil {
			faults++
		}
	}})
	commit(t, s, Batch{Nodes: writes(node("a"))})
	_ = s.LoadNodes(t.Context(), func(fettle.Node) error { return context.Canceled })
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"begin", "write nodes", "write seen", "commit", "load nodes"} {
		if !slices.Contains(names, want) {
			t.Errorf("%q is not among %q", want, names)
		}
	}
	if faults != 1 {
		t.Errorf("%d statements are told as failed, want 1", faults)
	}
}
