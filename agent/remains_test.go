package agent_test

import (
	"context"
	"maps"
	"testing"
	"testing/synctest"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

func TestWhatWasLeftRunningIsInTheResult(t *testing.T) {
	run(t, func(w *world) {
		w.ask("b0", "test.block")
		w.ask("b1", "test.block")
		synctest.Wait()
		frozen := w.freeze()
		close(w.gate)
		w.cfg.Remains = func(ctx context.Context) map[fettle.TaskID]string {
			return map[fettle.TaskID]string{"b0": "two were ended"}
		}
		w.reborn(frozen)
		const died = "the agent died while this ran: the outcome is unknown"
		messages := map[fettle.TaskID]string{}
		for _, list := range all[wire.Results](w.server, wire.TypeResults) {
			for _, r := range list.Results {
				messages[r.Task] = r.Message
			}
		}
		if want := (map[fettle.TaskID]string{"b0": died + "; two were ended", "b1": died}); !maps.Equal(messages, want) {
			t.Errorf("said %v", messages)
		}
		w.cfg.Remains = nil
	})
}

func TestAnAgentOnTrialEndsNothing(t *testing.T) {
	run(t, func(w *world) {
		w.halt()
		w.cfg.Trial, w.cfg.Remains = true, func(context.Context) map[fettle.TaskID]string { t.Error("asked"); return nil }
		w.begin()
	})
}
