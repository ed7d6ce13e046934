package agent_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fettle-dev/fettle/wire"
)

// TestAWelcomeBehindACrowdOfTasks has more tasks wait for a node than may be unacknowledged, before the message that tells it the time. A broker that
// keeps to the prefetch would never deliver that one.
func TestAWelcomeBehindACrowdOfTasks(t *testing.T) {
	run(t, func(w *world) {
		w.halt()
		w.with(func() { w.mute = true })
		w.begin()
		const tasks, prefetch = 40, 32
		var acks []string
		for i := range tasks {
			acks = append(acks, w.ask(fmt.Sprintf("t%02d", i), "test.once"))
		}
		w.pass(time.Second)
		var again []int
		for i, ack := range acks {
			if w.wasAcked(ack) {
				again = append(again, i)
			}
		}
		if waiting := tasks - len(again); waiting >= prefetch || waiting == 0 {
			t.Fatalf("%d of %d wait for the time, and %d may", waiting, tasks, prefetch-1)
		}
		if n := w.table.count("test.once"); n != 0 {
			t.Errorf("%d were begun before the time is known", n)
		}
		w.send(wire.TypeWelcome, wire.Welcome{Time: w.now()})
		for _, i := range again { // as a server does behind its welcome
			w.ask(fmt.Sprintf("t%02d", i), "test.once")
		}
		w.pass(time.Second)
		synctest.Wait()
		got := w.results()
		slices.Sort(got)
		if len(got) != tasks || len(slices.Compact(got)) != tasks || w.table.count("test.once") != tasks {
			t.Errorf("%d results, %d executions: %v", len(got), w.table.count("test.once"), got)
		}
	})
}
