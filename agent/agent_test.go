package agent_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/agent"
	"github.com/fettle-dev/fettle/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func expect[T any](t testing.TB, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestHelloAndFacts(t *testing.T) {
	run(t, func(w *world) {
		hellos := all[wire.Hello](w.server, wire.TypeHello)
		if len(hellos) != 1 {
			t.Fatalf("%d hellos", len(hellos))
		}
		h := hellos[0]
		if h.Agent.Version != "1.2.3" || h.Agent.Plugins["test"] != "1.2.3" || h.FactsHash == "" || h.Session == "" {
			t.Errorf("hello is %+v", h)
		}
		expect(t, "names in hello", [][]string{{"base"}, {"check_load"}}, [][]string{h.Classes, h.Commands})

		sent := all[wire.Facts](w.server, wire.TypeFacts)
		if len(sent) != 1 || sent[0].Seq != 1 || sent[0].Hash != h.FactsHash {
			t.Fatalf("facts are %+v", sent)
		}
		expect(t, "document", `{"load":0.5,"os":{"family":"Debian","major":12}}`, string(sent[0].Full))

		w.source.set("role", "db")
		w.source.set("load", 0.9)
		w.changed <- struct{}{}
		synctest.Wait()
		sent = all[wire.Facts](w.server, wire.TypeFacts)
		if len(sent) != 2 || sent[1].Patch == nil || sent[1].Full != nil || sent[1].Seq != 2 {
			t.Fatalf("facts are %+v", sent[1:])
		}
		doc, err := wire.Canonical([]byte(`{"load":0.5,"os":{"family":"Debian","major":12}}`))
		if err != nil {
			t.Fatal(err)
		}
		doc, _, err = wire.Apply(doc, *sent[1].Patch)
		expect(t, "patched, the volatile fact as it was", `{"load":0.5,"os":{"family":"Debian","major":12},"role":"db"}`, string(doc.Raw))
		if err != nil || sent[1].Classes != nil {
			t.Errorf("%v, names %v", err, sent[1].Classes)
		}

		w.pass(25 * time.Minute)
		sent = all[wire.Facts](w.server, wire.TypeFacts)
		if len(sent) != 3 || sent[2].Patch == nil || len(sent[2].Patch.Set) != 1 || sent[2].Patch.Set[0].Path.String() != "load" {
			t.Errorf("25 minutes later: %+v", sent[2:])
		}
		if beats := all[wire.Beat](w.server, wire.TypeBeat); len(beats) < 49 || len(beats) > 51 || beats[49-1].FactsHash != sent[2].Patch.Result {
			t.Errorf("%d beats in 25 minutes", len(beats))
		}
	})
}

func TestFactsAfterAConnectionIsLost(t *testing.T) {
	run(t, func(w *world) {
		first := all[wire.Facts](w.server, wire.TypeFacts)[0]
		w.with(func() { w.known, w.withhold = first.Hash, true })
		w.source.set("role", "db")
		w.changed <- struct{}{}
		synctest.Wait()
		w.with(func() { w.withhold = false })
		w.forget()
		w.hangUp()
		w.pass(5 * time.Second)
		h := all[wire.Hello](w.server, wire.TypeHello)
		sent := all[wire.Facts](w.server, wire.TypeFacts)
		if len(h) != 1 || h[0].FactsHash != first.Hash || len(sent) != 1 || sent[0].Patch == nil || sent[0].Patch.Base != first.Hash || sent[0].Seq != 3 {
			t.Errorf("hello %+v, facts %+v: want the change again, on the document that has a receipt", h, sent)
		}
		w.forget()
		w.with(func() { w.known = "something else" })
		w.hangUp()
		w.pass(5 * time.Second)
		if sent := all[wire.Facts](w.server, wire.TypeFacts); len(sent) != 1 || sent[0].Full == nil || sent[0].Classes == nil {
			t.Errorf("the whole document was asked for: %+v", sent)
		}
		w.forget()
		w.send(wire.TypeAsk, wire.Ask{Facts: true})
		synctest.Wait()
		if sent := all[wire.Facts](w.server, wire.TypeFacts); len(sent) != 1 || sent[0].Full == nil {
			t.Errorf("asked for facts: %+v", sent)
		}
	})
}

func TestHelloWaitsForTheFirstFactsNotForEver(t *testing.T) {
	run(t, func(w *world) {
		w.halt()
		w.forget()
		w.hang = true
		w.begin()
		w.pass(3 * time.Second)
		if n := len(all[wire.Hello](w.server, wire.TypeHello)); n != 0 {
			t.Errorf("%d hellos without facts", n)
		}
		w.pass(3 * time.Second)
		if n := len(all[wire.Hello](w.server, wire.TypeHello)); n != 1 {
			t.Errorf("%d hellos after six seconds", n)
		}
	})
}

func TestHelloIsSaidAgainUntilItIsAnswered(t *testing.T) {
	run(t, func(w *world) {
		w.with(func() { w.mute = true })
		w.hangUp()
		w.pass(100 * time.Second)
		if n := len(all[wire.Hello](w.server, wire.TypeHello)); n < 3 || n > 5 {
			t.Errorf("%d hellos in 100 seconds", n)
		}
	})
}

// TestHelloIsSaidAgainLessAndLess: a server that is behind with its answers would be asked more, the more it is behind.
func TestHelloIsSaidAgainLessAndLess(t *testing.T) {
	run(t, func(w *world) {
		w.halt()
		w.cfg.BeatInterval = time.Second
		w.with(func() { w.mute = true })
		w.begin()
		w.forget()
		w.pass(10 * time.Minute)
		if n := len(all[wire.Hello](w.server, wire.TypeHello)); n < 10 || n > 20 {
			t.Errorf("%d hellos in ten minutes without an answer", n)
		}
		w.hangUp()
		w.forget()
		w.pass(10 * time.Second)
		if n := len(all[wire.Hello](w.server, wire.TypeHello)); n < 2 || n > 5 {
			t.Errorf("%d hellos in the first ten seconds of a new connection", n)
		}
	})
}

func TestASecondWelcomeTellsTheTimeOnly(t *testing.T) {
	run(t, func(w *world) {
		w.pass(time.Millisecond)
		w.set("a", int64(1))
		w.changed <- struct{}{}
		w.pass(time.Millisecond)
		w.forget()
		w.send(wire.TypeWelcome, wire.Welcome{Time: w.now()})
		w.pass(time.Millisecond)
		w.set("a", int64(2))
		w.changed <- struct{}{}
		w.pass(time.Millisecond)
		sent := all[wire.Facts](w.server, wire.TypeFacts)
		if len(sent) != 1 || sent[0].Patch == nil || len(sent[0].Patch.Set) != 1 || string(sent[0].Patch.Set[0].Value) != "2" || sent[0].Patch.Base == "" {
			t.Fatalf("sent %+v", sent)
		}
		doc, err := wire.Canonical([]byte(`{"a":1,"load":0.5,"os":{"family":"Debian","major":12}}`))
		if err != nil {
			t.Fatal(err)
		}
		if sent[0].Patch.Base != doc.Hash {
			t.Error("the patch fits a document of before, and not what the server has")
		}
	})
}

func TestTheServerSaysHowOftenToBeat(t *testing.T) {
	run(t, func(w *world) {
		w.pass(time.Millisecond)
		w.send(wire.TypeWelcome, wire.Welcome{Time: w.now(), BeatMS: 1000})
		w.pass(10 * time.Second)
		if n := len(all[wire.Beat](w.server, wire.TypeBeat)); n < 9 || n > 11 {
			t.Errorf("%d beats in 10 s, want one a second from now on and not from the next of our own", n)
		}
	})
}

func TestTheServerSaysWhenToComeBack(t *testing.T) {
	run(t, func(w *world) {
		w.with(func() { w.retry = time.Minute })
		w.hangUp()
		w.pass(50 * time.Second)
		w.forget()
		w.pass(40 * time.Second)
		if n := len(all[wire.Hello](w.server, wire.TypeHello)); n != 1 {
			t.Errorf("%d hellos after a minute", n)
		}
	})
}

func TestRefresh(t *testing.T) {
	run(t, func(w *world) {
		w.forget()
		w.source.set("load", 3.5)
		w.with(func() { w.withhold = true })
		w.ask("t1", "test.facts")
		synctest.Wait()
		if got := w.results(); got != nil {
			t.Errorf("answered before the facts have their receipt: %v", got)
		}
		if sent := all[wire.Facts](w.server, wire.TypeFacts); len(sent) != 1 || sent[0].Patch == nil || len(sent[0].Patch.Set) != 1 {
			t.Fatalf("facts: %+v", sent)
		}
		w.with(func() { w.withhold = false })
		w.hangUp()
		w.pass(3 * time.Second)
		r := all[wire.Results](w.server, wire.TypeResults)
		if len(r) == 0 || r[0].Results[0].Status != fettle.StatusFailed && r[0].Results[0].Data["leaves"] != 3.0 {
			t.Errorf("results: %+v", r)
		}
		w.forget()
		w.ask("t2", "test.facts")
		synctest.Wait()
		if r := all[wire.Results](w.server, wire.TypeResults); len(r) != 1 || r[0].Results[0].Data["leaves"] != 3.0 || r[0].Results[0].Data["hash"] == "" {
			t.Errorf("results: %+v", r)
		}
	})
}

func TestTasks(t *testing.T) {
	run(t, func(w *world) {
		for i, c := range []struct {
			action string
			status fettle.Status
			ran    int
		}{
			{"test.once", fettle.StatusOK, 1}, {"test.ping", fettle.StatusOK, 1}, {"test.none", fettle.StatusUnknownAction, 0}, {"test.panic", fettle.StatusOther, 1}, {"test.big", fettle.StatusOK, 1},
		} {
			w.forget()
			id := fmt.Sprint("t", i)
			ack := w.ask(id, c.action)
			synctest.Wait()
			expect(t, c.action, []string{fmt.Sprintf("%s:%d", id, c.status)}, w.results())
			r := all[wire.Results](w.server, wire.TypeResults)[0].Results[0]
			if r.Node != identity || r.Run != "run1" || r.Action != c.action || !w.wasAcked(ack) || w.table.count(c.action) != c.ran {
				t.Errorf("%+v, acknowledged %v, ran %d times", r, w.wasAcked(ack), w.table.count(c.action))
			}
			again := w.ask(id, c.action)
			synctest.Wait()
			if w.table.count(c.action) != c.ran || c.ran > 0 && len(w.results()) != 1 || !w.wasAcked(again) {
				t.Errorf("%s came twice: ran %d times, %v", c.action, w.table.count(c.action), w.results())
			}
		}
	})
}

func TestATaskIsAcknowledgedWhenItIsNotedAndNotWhenItIsDone(t *testing.T) {
	run(t, func(w *world) {
		ack := w.ask("t1", "test.block")
		synctest.Wait()
		if !w.wasAcked(ack) || w.results() != nil {
			t.Errorf("acknowledged %v, results %v", w.wasAcked(ack), w.results())
		}
		again := w.ask("t1", "test.block")
		synctest.Wait()
		if !w.wasAcked(again) || w.table.count("test.block") != 1 {
			t.Errorf("a duplicate of what is running: ran %d times", w.table.count("test.block"))
		}
		close(w.gate)
		synctest.Wait()
		expect(t, "results", []string{"t1:0"}, w.results())
	})
}

func TestAKillAtAnyStep(t *testing.T) {
	run(t, func(w *world) {
		for i := range w.cfg.RunSlots {
			w.ask(fmt.Sprint("b", i), "test.block")
		}
		w.ask("q1", "test.once")
		synctest.Wait()
		running := w.freeze() // four have begun, one waits for a slot
		w.with(func() { w.withhold = true })
		close(w.gate)
		synctest.Wait()
		spooled := w.freeze() // all have results, none a receipt
		expect(t, "results", []string{"b0:0", "b1:0", "b2:0", "b3:0", "q1:0"}, sorted(w.results()))
		w.with(func() { w.withhold = false })
		w.hangUp()
		w.pass(3 * time.Second)
		done := w.freeze() // all have receipts

		w.reborn(running)
		expect(t, "killed while they ran", []string{"b0:8", "b1:8", "b2:8", "b3:8", "q1:0"}, sorted(w.results()))
		if n := w.table.count("test.block"); n != 4 {
			t.Errorf("begun %d times, want 4", n)
		}
		for i := range w.cfg.RunSlots {
			w.ask(fmt.Sprint("b", i), "test.block")
		}
		w.ask("q1", "test.once")
		synctest.Wait()
		if n, once := w.table.count("test.block"), w.table.count("test.once"); n != 4 || once != 2 {
			t.Errorf("after a second sending: begun %d and %d times, want 4 and 2", n, once)
		}
		running = w.freeze()
		w.reborn(running)
		if got := w.results(); got != nil {
			t.Errorf("results once more: %v", got)
		}

		w.reborn(spooled)
		expect(t, "killed before the receipt", []string{"b0:0", "b1:0", "b2:0", "b3:0", "q1:0"}, sorted(w.results()))
		w.reborn(done)
		w.ask("b0", "test.block")
		w.ask("q1", "test.once")
		synctest.Wait()
		if got := w.results(); got != nil || w.table.count("test.block") != 4 || w.table.count("test.once") != 2 {
			t.Errorf("killed after the receipt: %v, begun %d and %d times", got, w.table.count("test.block"), w.table.count("test.once"))
		}
	})
}

func sorted(list []string) []string {
	out := append([]string(nil), list...)
	for i := range out {
		for j := i; j > 0 && out[j] < out[j-1]; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}

func TestCancel(t *testing.T) {
	run(t, func(w *world) {
		for i := range w.cfg.RunSlots {
			w.ask(fmt.Sprint("b", i), "test.block")
		}
		w.ask("q1", "test.once")
		synctest.Wait()
		ack := w.send(wire.TypeCancel, wire.Cancel{Tasks: []fettle.TaskID{"q1", "b0", "later"}})
		synctest.Wait()
		expect(t, "queued and running ones", []string{"b0:9", "q1:9"}, sorted(w.results()))
		if !w.wasAcked(ack) {
			t.Error("not acknowledged")
		}
		w.reborn(w.freeze())
		w.ask("later", "test.once")
		synctest.Wait()
		if !contains(w.results(), "later:9") || w.table.count("test.once") != 0 {
			t.Errorf("cancelled before it came: %v", w.results())
		}
		w.ask("later", "test.once")
		w.ask("q1", "test.once")
		synctest.Wait()
		if w.table.count("test.once") != 0 {
			t.Error("a cancelled task is executed when it comes again")
		}
	})
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func TestABusyNodeStillAnswers(t *testing.T) {
	run(t, func(w *world) {
		for i := range w.cfg.RunSlots {
			w.ask(fmt.Sprint("b", i), "test.block")
		}
		for i := range w.cfg.Queue {
			w.ask(fmt.Sprint("q", i), "test.once")
		}
		w.ask("over", "test.once")
		w.ask("ping", "test.ping")
		live := w.task("live", "test.check", nil)
		live.Check = "load"
		w.send(wire.TypeTask, live)
		synctest.Wait()
		expect(t, "results", []string{"over:6", "ping:0"}, sorted(w.results()))
		if r := all[wire.Results](w.server, wire.TypeResults); !strings.Contains(fmt.Sprint(r), "live") {
			t.Errorf("a check waits for runs: %+v", r)
		}
		w.pass(31 * time.Second)
		if beats := all[wire.Beat](w.server, wire.TypeBeat); beats[0].Slots != 8 || beats[0].Busy != 4 || !slices.Equal(beats[0].Running, []string{"test.block", "test.daemon"}) {
			t.Errorf("beat: %+v", beats)
		}
		close(w.gate)
		w.pass(time.Second)
		if got := w.results(); len(got) != w.cfg.Queue+w.cfg.RunSlots+2 {
			t.Errorf("%d results", len(got))
		}
	})
}

func TestExpiryIsJudgedByTheServersClock(t *testing.T) {
	run(t, func(w *world) {
		w.halt()
		w.with(func() { w.skew = -10 * 365 * 24 * time.Hour; w.mute = true })
		w.found() // a certificate has begun, by the server's clock
		w.begin()
		ack := w.ask("t1", "test.once")
		w.pass(time.Second)
		if w.wasAcked(ack) || w.table.count("test.once") != 0 {
			t.Error("a task is taken before the time is known")
		}
		w.send(wire.TypeWelcome, wire.Welcome{Time: w.now()})
		synctest.Wait()
		expect(t, "results", []string{"t1:0"}, w.results())

		w.pass(time.Minute)
		old := w.task("t2", "test.once", nil)
		old.Expires = w.now() - 1
		ack = w.send(wire.TypeTask, old)
		late := w.sendAs(wire.Envelope{Type: wire.TypeTask, From: wire.Server, To: string(identity), At: w.now() - 10, Expires: w.now() - 1}, w.task("t3", "test.once", nil))
		synctest.Wait()
		if !w.wasAcked(ack) || !w.wasAcked(late) || w.table.count("test.once") != 1 {
			t.Error("an expired task is not dropped")
		}
		for i := range w.cfg.RunSlots {
			w.ask(fmt.Sprint("b", i), "test.block")
		}
		soon := w.task("t4", "test.once", nil)
		soon.Expires = w.now().Add(5 * time.Second)
		w.send(wire.TypeTask, soon)
		w.pass(6 * time.Second)
		close(w.gate)
		w.pass(time.Second)
		if w.table.count("test.once") != 1 {
			t.Error("a task that expired while it waited for a slot is begun")
		}
	})
}

func TestMessagesThatAreRefused(t *testing.T) {
	run(t, func(w *world) {
		me, ask := string(identity), w.task("t1", "test.once", nil)
		other := ask
		other.Node = "web2.acme.net"
		nameless := ask
		nameless.ID = ""
		for what, ack := range map[string]string{
			"from another node":       w.sendAs(wire.Envelope{Type: wire.TypeTask, From: "web2.acme.net", To: me}, ask),
			"to another node":         w.sendAs(wire.Envelope{Type: wire.TypeTask, From: wire.Server, To: "web2.acme.net"}, ask),
			"to everyone":             w.sendAs(wire.Envelope{Type: wire.TypeTask, From: wire.Server}, ask),
			"of another collective":   w.sendAs(wire.Envelope{Type: wire.TypeTask, From: wire.Server, To: me, Collective: "eu"}, ask),
			"a task for another node": w.send(wire.TypeTask, other),
			"a task without an id":    w.send(wire.TypeTask, nameless),
			"no task":                 w.send(wire.TypeTask, []int{1}),
			"no checks":               w.send(wire.TypeChecks, wire.Checks{Checks: []fettle.Check{{Name: "a"}}}),
			"an unknown type":         w.send("nonsense", nil),
		} {
			synctest.Wait()
			if !w.wasAcked(ack) {
				t.Errorf("%s: it would come again for ever", what)
			}
		}
		if w.table.count("test.once") != 0 || w.results() != nil {
			t.Errorf("ran %d times, %v", w.table.count("test.once"), w.results())
		}
	})
}

func TestChecks(t *testing.T) {
	run(t, func(w *world) {
		set := wire.Checks{Hash: "h1", Checks: []fettle.Check{{Name: "load", Rev: 3, Action: "test.check", Interval: 60_000, Timeout: 10_000, Attempts: 1}}}
		ack := w.send(wire.TypeChecks, set)
		w.pass(5 * time.Minute)
		got := w.checkResults()
		if len(got) < 5 || len(got) > 7 || !w.wasAcked(ack) {
			t.Fatalf("%d results in five minutes", len(got))
		}
		if r := got[0]; r.Check != "load" || r.CheckRev != 3 || r.Output == nil || r.Output.Line != "code 0" || r.Task == "" || r.Node != identity {
			t.Errorf("%+v", r)
		}
		if beats := all[wire.Beat](w.server, wire.TypeBeat); beats[len(beats)-1].ChecksHash != "h1" {
			t.Errorf("beat: %+v", beats[len(beats)-1])
		}

		w.with(func() { w.down = true }) // the server is away, and the node is restarted
		w.hangUp()
		w.reborn(w.freeze())
		w.pass(time.Hour)
		w.table.mu.Lock()
		w.table.code = fettle.CodeCritical
		w.table.mu.Unlock()
		w.pass(time.Hour)
		if size := w.spoolSize(); size == 0 || size > 300<<10 {
			t.Errorf("the spool has %d bytes", size)
		}
		w.reborn(w.freeze())
		w.with(func() { w.down = false })
		w.pass(2 * time.Minute)
		var line []string
		var total int64
		for _, r := range w.checkResults() {
			line = append(line, r.Output.Line)
			total += max(1, r.Count)
		}
		if len(line) < 4 || len(line) > 7 || line[0] != "code 0" || line[1] != "code 0" || line[2] != "code 2" || total < 115 {
			t.Errorf("after two hours without a server: %v, standing for %d", line, total)
		}
		if h := all[wire.Hello](w.server, wire.TypeHello); h[0].ChecksHash != "h1" {
			t.Errorf("hello: %+v", h[0])
		}
	})
}

func (w *world) checkResults() (got []fettle.Result) {
	for _, m := range all[wire.Results](w.server, wire.TypeResults) {
		for _, r := range m.Results {
			if r.Check != "" {
				got = append(got, r)
			}
		}
	}
	return got
}

func TestResultsAreNumberedAndBatched(t *testing.T) {
	run(t, func(w *world) {
		w.with(func() { w.down = true })
		w.hangUp()
		w.with(func() { w.withhold = true; w.down = false })
		w.pass(time.Minute)
		for i := range 100 {
			w.ask(fmt.Sprint("t", i), "test.once")
		}
		w.pass(time.Second)
		w.with(func() { w.withhold = false })
		w.forget()
		w.hangUp()
		w.pass(10 * time.Second)
		messages := all[wire.Results](w.server, wire.TypeResults)
		if len(messages) != 2 || len(messages[0].Results) != 64 || messages[1].Seq != messages[0].Seq+1 || messages[0].Session != messages[1].Session {
			t.Errorf("%d messages", len(messages))
		}
		if w.spoolSize() != 0 {
			t.Error("the spool is not empty after all receipts")
		}
	})
}

func TestStopping(t *testing.T) {
	run(t, func(w *world) {
		w.ask("b", "test.block")
		w.ask("s", "test.stuck")
		synctest.Wait()
		w.halt() // which checks that it takes no more than five seconds
		expect(t, "what ran when it was stopped", []string{"b:8"}, w.results())
		close(w.gate)
		w.forget()
		w.begin()
		expect(t, "what did not end", []string{"s:8"}, w.results())
	})
}

func TestConfigTellsAllFaults(t *testing.T) {
	err := agent.Config{Identity: "A b", Broker: "kafka", StopTimeout: time.Hour}.Validate()
	if !errors.Is(err, fettle.ErrInvalid) {
		t.Fatal(err)
	}
	for _, key := range []string{"identity:", "state:", "broker:", "facts_interval:", "volatile_interval:", "beat_interval:", "run_slots:", "check_slots:", "queue:", "ledger_tasks:", "spool_bytes:", "stop_timeout:"} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("nothing is said of %s", key)
		}
	}
	good := agent.DefaultConfig()
	good.Identity, good.State, good.Servers = "web1", "x", []string{"stomp://a"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	good.Servers, good.Identity = []string{"http://a"}, wire.Server
	if err := good.Validate(); err == nil || !strings.Contains(err.Error(), "servers:") || !strings.Contains(err.Error(), "name of the server") {
		t.Error(err)
	}
}
