package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

func TestANodeWhoseSpoolIsFullRefusesTasks(t *testing.T) {
	run(t, func(w *world) {
		w.halt()
		w.cfg.SpoolBytes = 2 << 20
		w.with(func() { w.withhold = true })
		w.begin()
		for i := range 8 { // results of almost half a MiB, of which none gets its receipt
			w.ask(fmt.Sprint("t", i), "test.large")
			w.pass(time.Second)
		}
		w.ask("ping", "test.ping")
		w.pass(time.Second)
		got := strings.Join(w.results(), " ")
		if !strings.Contains(got, ":6") || !strings.Contains(got, "t0:0") || !strings.Contains(got, "ping:0") {
			t.Errorf("results: %s", got)
		}
		ran := w.table.count("test.large")
		if ran < 3 || ran > 5 {
			t.Errorf("%d of 8 tasks were begun", ran)
		}
		if size := w.spoolSize(); size > 3<<20 {
			t.Errorf("the spool has %d bytes, and %d are allowed", size, w.cfg.SpoolBytes)
		}
		w.forget()
		w.with(func() { w.withhold = false })
		w.hangUp()
		w.pass(time.Minute)
		ok := 0
		for _, r := range w.results() {
			if strings.HasSuffix(r, ":0") && r != "ping:0" {
				ok++
			}
		}
		if ok != ran {
			t.Errorf("%d results arrive of %d tasks that were begun", ok, ran)
		}
		w.ask("after", "test.large")
		synctest.Wait()
		if !contains(w.results(), "after:0") {
			t.Error("it refuses tasks though the spool is empty again")
		}
	})
}

func TestANodeThatCannotWriteRefusesTasks(t *testing.T) {
	run(t, func(w *world) {
		w.halt()
		w.cfg.State = t.TempDir()
		if err := os.Symlink(filepath.Join(w.cfg.State, "gone", "ledger"), filepath.Join(w.cfg.State, "ledger")); err != nil {
			t.Fatal(err)
		}
		w.begin()
		w.ask("t1", "test.once")
		w.ask("t2", "test.ping")
		synctest.Wait()
		if got := sorted(w.results()); len(got) != 2 || got[0] != "t1:6" || got[1] != "t2:0" || w.table.count("test.once") != 0 {
			t.Errorf("results %v, executed %d times", got, w.table.count("test.once"))
		}
		if err := os.Mkdir(filepath.Join(w.cfg.State, "gone"), 0o700); err != nil {
			t.Fatal(err)
		}
		w.ask("t3", "test.once")
		synctest.Wait()
		if !contains(w.results(), "t3:0") {
			t.Errorf("when it can write again: %v", w.results())
		}
	})
}

func TestStoppingWhileTheBrokerTakesNothing(t *testing.T) {
	run(t, func(w *world) {
		deaf := make(chan struct{})
		w.with(func() { w.deaf = deaf })
		w.pass(40 * time.Second) // a beat is read, and nothing after it
		w.send(wire.TypeAsk, wire.Ask{Facts: true})
		w.pass(time.Second)
		w.halt() // which checks that it takes no more than five seconds
		close(deaf)
		w.begin()
	})
}

func TestDamagedStateFiles(t *testing.T) {
	run(t, func(w *world) {
		set := wire.Checks{Hash: "h1", Checks: []fettle.Check{{Name: "load", Rev: 1, Action: "test.check", Interval: 60_000, Timeout: 10_000}}}
		w.send(wire.TypeChecks, set)
		w.ask("t1", "test.once")
		w.pass(30 * time.Second)
		for _, name := range []string{"checks.json", "spool", "ledger"} {
			if err := os.WriteFile(filepath.Join(w.cfg.State, name), []byte("{nonsense\x00\xff"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w.reborn(w.freeze())
		w.ask("t2", "test.once")
		synctest.Wait()
		if h := all[wire.Hello](w.server, wire.TypeHello); len(h) != 1 || h[0].ChecksHash != "" {
			t.Errorf("hello: %+v", h)
		}
		if got := w.results(); len(got) != 1 || got[0] != "t2:0" {
			t.Errorf("results: %v", got)
		}
	})
}

func TestAResultThatMemoryDidNotHoldIsMadeAgain(t *testing.T) {
	run(t, func(w *world) {
		w.with(func() { w.withhold = true })
		for i := range 12 { // six MiB, and four are held
			w.ask(fmt.Sprint("t", i), "test.bulk")
			synctest.Wait()
		}
		w.forget()
		w.with(func() { w.withhold = false })
		w.hangUp()
		w.pass(time.Minute)
		arrived := w.results()
		if len(arrived) == 0 || len(arrived) > 8 {
			t.Fatalf("%d of 12 results arrive", len(arrived))
		}
		for i := range 12 { // as a server does on hello with what it has no result of, and here with the others too
			w.ask(fmt.Sprint("t", i), "test.bulk")
			synctest.Wait()
		}
		if got := w.results(); len(got) != 12 {
			t.Errorf("%d results after the server has asked again: %v", len(got), got)
		}
	})
}

// TestNoChangeOfACheckCanBeOvertaken: the server folds results in the order in which they were sent. Whatever swaps two messages on their way, a
// broker that says one of them again or an unlucky proxy, must not make it drop a change of state as something of the past.
func TestNoChangeOfACheckCanBeOvertaken(t *testing.T) {
	run(t, func(w *world) {
		w.send(wire.TypeChecks, wire.Checks{Hash: "h1", Checks: []fettle.Check{
			{Name: "load", Rev: 1, Action: "test.check", Interval: 1000, Timeout: 1000, Attempts: 1},
		}})
		w.with(func() { w.withhold = true })
		for n := range 6 {
			w.table.mu.Lock()
			w.table.code = fettle.CheckCode(n % 2)
			w.table.mu.Unlock()
			w.pass(2 * time.Second)
		}
		w.ask("t1", "test.ping")
		synctest.Wait()
		messages := 0
		for _, body := range all[wire.Results](w.server, wire.TypeResults) {
			for _, r := range body.Results {
				if r.Check != "" {
					messages++
					break
				}
			}
		}
		if messages != 1 {
			t.Errorf("%d messages with results of checks are on their way at once", messages)
		}
		if !contains(w.results(), "t1:0") {
			t.Error("the result of a run has to wait for those of checks")
		}
		w.forget()
		w.with(func() { w.withhold = false })
		w.hangUp()
		w.pass(time.Minute)
		var codes []string
		for _, r := range w.checkResults() {
			if c := fmt.Sprint(r.Output.Code); len(codes) == 0 || codes[len(codes)-1] != c {
				codes = append(codes, c)
			}
		}
		if len(codes) < 6 || len(codes) > 7 { // the first may come again
			t.Errorf("the changes that arrive are %v", codes)
		}
	})
}

// TestARefusedTaskIsNotBegunLater: a copy of it may still be on its way when the server has its result, and meanwhile the disk may have room again.
func TestARefusedTaskIsNotBegunLater(t *testing.T) {
	run(t, func(w *world) {
		w.halt()
		w.cfg.State = t.TempDir()
		if err := os.Symlink(filepath.Join(w.cfg.State, "gone", "ledger"), filepath.Join(w.cfg.State, "ledger")); err != nil {
			t.Fatal(err)
		}
		w.begin()
		w.ask("t1", "test.once")
		for i := range 40 { // more than the results that are remembered beside the ledger
			w.ask(fmt.Sprint("p", i), "test.ping")
			synctest.Wait()
		}
		if err := os.Mkdir(filepath.Join(w.cfg.State, "gone"), 0o700); err != nil {
			t.Fatal(err)
		}
		w.ask("t1", "test.once")
		synctest.Wait()
		if n := w.table.count("test.once"); n != 0 {
			t.Errorf("it was refused, and then executed %d times", n)
		}
	})
}

func TestANodeIsBackBeforeItIsJudged(t *testing.T) {
	const beat = 2 * time.Second
	for name, own := range map[string]time.Duration{"it was told the beat": 30 * time.Second, "the beat is its own": beat} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				w.halt()
				w.cfg.BeatInterval = own
				w.begin()
				for range 10 {
					w.pass(time.Millisecond)
					w.send(wire.TypeWelcome, wire.Welcome{Time: w.now(), BeatMS: beat.Milliseconds()})
					w.pass(time.Second)
					w.with(func() { w.down = true })
					w.hangUp()
					w.pass(5 * time.Minute)
					w.forget()
					w.with(func() { w.down = false })
					w.pass(2 * beat) // for so long a server that was away blames nobody
					if n := len(all[wire.Hello](w.server, wire.TypeHello)); n != 1 {
						w.Fatalf("%d hellos within two beats after the server is back", n)
					}
				}
			})
		})
	}
}
