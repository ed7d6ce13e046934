package emulate

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAFleetTellsATroubleOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(newSparse(slog.NewTextHandler(&out, nil)))
		one, two := log.With("node", "n1"), log.With("node", "n2")
		lines := func() int { return strings.Count(out.String(), "\n") }
		one.Info("connected")
		if lines() != 0 {
			t.Errorf("what is well is told: %s", &out)
		}
		one.Warn("this node is not enrolled yet", "err", "the token was deleted")
		two.Warn("this node is not enrolled yet", "err", "the token was deleted")
		if lines() != 1 || !strings.Contains(out.String(), "the token was deleted") {
			t.Errorf("one trouble of two nodes: %s", &out)
		}
		two.Warn("connection lost")
		if lines() != 2 {
			t.Errorf("another trouble: %s", &out)
		}
		time.Sleep(sparseFor)
		two.Warn("this node is not enrolled yet")
		if lines() != 3 {
			t.Errorf("the same, a minute later: %s", &out)
		}
	})
}
