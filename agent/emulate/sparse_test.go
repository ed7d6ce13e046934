package emulate

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestAFleetTellsATroubleOnce(t *testing.T) {
	var out bytes.Buffer
	h := newSparse(slog.NewTextHandler(&out, nil))
	began := time.Now()
	say := func(node string, after time.Duration, message string, lines int) {
		t.Helper()
		one := h.WithAttrs([]slog.Attr{slog.String("node", node)})
		if err := one.Handle(t.Context(), slog.NewRecord(began.Add(after), slog.LevelWarn, message, 0)); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n != lines {
			t.Errorf("%d lines, not %d:\n%s", n, lines, &out)
		}
	}
	slog.New(h).Info("connected") // what is well is not told
	say("n1", 0, "this node is not enrolled yet", 1)
	say("n2", time.Second, "this node is not enrolled yet", 1)
	say("n2", time.Second, "connection lost", 2)
	say("n1", sparseFor-1, "this node is not enrolled yet", 2)
	say("n1", sparseFor, "this node is not enrolled yet", 3)
	if !strings.Contains(out.String(), "node=n1") {
		t.Errorf("whose trouble it is: %s", &out)
	}
}
