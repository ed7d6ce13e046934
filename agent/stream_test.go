package agent_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fettle-dev/fettle/wire"
)

func TestOutputIsSentWhileAnActionRuns(t *testing.T) {
	run(t, func(w *world) {
		w.ask("t1", "test.print")
		w.pass(900 * time.Millisecond)
		if sent := all[wire.Output](w.server, wire.TypeOutput); len(sent) != 0 {
			t.Errorf("sent at once: %+v", sent)
		}
		w.pass(200 * time.Millisecond)
		expect(t, "after a second", []wire.Output{{Task: "t1", Stream: "stdout", Seq: 1, Data: []byte("first\n")}}, all[wire.Output](w.server, wire.TypeOutput))
		close(w.gate)
		synctest.Wait()
		expect(t, "at its end", []wire.Output{
			{Task: "t1", Stream: "stdout", Seq: 1, Data: []byte("first\n")}, {Task: "t1", Stream: "stdout", Seq: 2, Data: []byte("last\n")},
		}, all[wire.Output](w.server, wire.TypeOutput))
		w.forget()
		w.ask("t2", "test.print")
		w.pass(2 * time.Second)
		if sent := all[wire.Output](w.server, wire.TypeOutput); len(sent) != 0 {
			t.Errorf("the output of what was quick is sent: %+v", sent)
		}
	})
}

func TestOutputIsBounded(t *testing.T) {
	run(t, func(w *world) {
		w.ask("t1", "test.flood")
		w.pass(10 * time.Second)
		total, text := 0, ""
		for _, o := range all[wire.Output](w.server, wire.TypeOutput) {
			if total += len(o.Data); len(o.Data) > 16<<10 {
				t.Errorf("a chunk has %d bytes", len(o.Data))
			}
			if o.Stream == "stderr" {
				text += string(o.Data)
			}
		}
		if total != 256<<10 {
			t.Errorf("%d bytes were sent", total)
		}
		for _, r := range text {
			if r != 'é' {
				t.Errorf("a character was cut: %q", r)
			}
		}
		close(w.gate)
	})
}
