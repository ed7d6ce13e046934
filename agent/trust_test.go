package agent_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// seal makes a message for the node without sending it.
func (w *world) seal(env wire.Envelope, body any, s wire.Signer) wire.Message {
	w.Helper()
	if env.From == "" {
		env.From = wire.Server
	}
	if env.To == "" {
		env.To = string(identity)
	}
	if env.At == 0 {
		env.At = w.now()
	}
	m, err := wire.Seal(env, body, s)
	if err != nil {
		w.Fatal(err)
	}
	return m
}

// refused gives how many messages were refused for a reason.
func (w *world) refused(reason string) uint64 {
	return w.cfg.Metrics.GetOrCreateCounter(`fettle_agent_refused_messages_total{reason="` + reason + `"}`).Get()
}

// metered starts the agent anew with meters that can be read.
func (w *world) metered() {
	w.halt()
	w.cfg.Metrics = metrics.NewSet()
	w.begin()
	w.pass(time.Second)
}

func TestNothingIsDoneThatNoServerSigned(t *testing.T) {
	run(t, func(w *world) {
		w.metered()
		stranger, err := trust.OpenAuthority(t.TempDir(), func() time.Time { return w.now().Time() })
		if err != nil {
			t.Fatal(err)
		}
		thief, err := trust.NewNodeKeys()
		if err != nil {
			t.Fatal(err)
		}
		task := func(id string) fettle.Task { return w.task(id, "test.once", nil) }
		kind := wire.Envelope{Type: wire.TypeTask}
		certified := w.seal(kind, task("f4"), thief.Signer())
		certified.Header = append(certified.Header, wire.Field{Name: wire.HeaderCertificate, Value: w.authority.Certificate().String()})
		tampered := w.seal(kind, task("f5"), w.authority)
		tampered.Body = bytes.Replace(tampered.Body, []byte("f5"), []byte("f6"), 1)
		forged := map[string]wire.Message{
			"unsigned":                                w.seal(kind, task("f1"), nil),
			"signed by a server of another fleet":     w.seal(kind, task("f2"), stranger),
			"signed by a node":                        w.seal(kind, task("f3"), thief.Signer()),
			"signed by a node, under a server's name": certified,
			"tampered with":                           tampered,
			"signed by a server, for another node":    w.seal(wire.Envelope{Type: wire.TypeTask, To: "web2.acme.net"}, task("f7"), w.authority),
			"signed by a server, in a node's name":    w.seal(wire.Envelope{Type: wire.TypeTask, From: "web2.acme.net"}, task("f8"), w.authority),
			"an unsigned cancel":                      w.seal(wire.Envelope{Type: wire.TypeCancel}, wire.Cancel{Tasks: []fettle.TaskID{"t1"}}, nil),
			"an unsigned set of checks":               w.seal(wire.Envelope{Type: wire.TypeChecks}, wire.Checks{Hash: "forged"}, nil),
			"an unsigned question":                    w.seal(wire.Envelope{Type: wire.TypeAsk}, wire.Ask{Facts: true, Filter: "true", Rotate: true, Hello: true}, nil),
			"an unsigned welcome":                     w.seal(wire.Envelope{Type: wire.TypeWelcome}, wire.Welcome{Hello: w.hello, Time: 1, RetryAfter: 1}, nil),
			"a welcome signed by another fleet":       w.seal(wire.Envelope{Type: wire.TypeWelcome}, wire.Welcome{Hello: w.hello, Time: 1, RetryAfter: 1}, stranger),
			"an answer to a rotation, unsigned":       w.seal(wire.Envelope{Type: wire.TypeEnrolled}, wire.Enrolled{Status: wire.EnrolledYes, Passcode: "x"}, nil),
		}
		w.forget()
		for name, m := range forged {
			before := w.refused("denied")
			ack := w.sendMessage(m)
			w.pass(time.Second)
			if w.refused("denied") != before+1 || !w.wasAcked(ack) {
				t.Errorf("%s: it is not counted, or left on the queue", name)
			}
		}
		if n := w.table.count("test.once"); n != 0 || len(w.results()) != 0 || len(w.joins) != 1 {
			t.Errorf("%d tasks are executed, results %v", n, w.results())
		}
		if len(all[wire.Answer](w.server, wire.TypeAnswer))+len(all[wire.Hello](w.server, wire.TypeHello))+len(all[wire.Facts](w.server, wire.TypeFacts)) != 0 {
			t.Error("something was said because of a forged message")
		}
		w.ask("t1", "test.once")
		w.pass(time.Second)
		expect(t, "results", []string{"t1:0"}, w.results())
	})
}

func TestAMessageThatComesTwiceIsDoneOnce(t *testing.T) {
	run(t, func(w *world) {
		w.metered()
		m := w.seal(wire.Envelope{Type: wire.TypeAsk}, wire.Ask{Filter: "true"}, w.authority)
		idempotent := w.seal(wire.Envelope{Type: wire.TypeTask}, w.task("t1", "test.ping", nil), w.authority)
		for range 3 {
			w.sendMessage(m)
			ack := w.sendMessage(idempotent)
			w.pass(time.Second)
			if !w.wasAcked(ack) {
				t.Error("a replay is left on the queue")
			}
		}
		if n := len(all[wire.Answer](w.server, wire.TypeAnswer)); n != 1 || w.table.count("test.ping") != 1 || w.refused("replayed") != 4 {
			t.Errorf("%d answers, %d executions, %d refused", n, w.table.count("test.ping"), w.refused("replayed"))
		}
		late := w.seal(wire.Envelope{Type: wire.TypeTask, Expires: w.now().Add(time.Second)}, w.task("t2", "test.once", nil), w.authority)
		w.pass(2 * time.Second)
		w.sendMessage(late)
		synctest.Wait()
		if w.table.count("test.once") != 0 || w.refused("expired") != 1 {
			t.Error("what has expired is done")
		}
	})
}

// An old welcome, said again, would set the clock back, and an old task with it would be done again once the ledger has forgotten it.
func TestAnOldWelcomeSetsNoClock(t *testing.T) {
	run(t, func(w *world) {
		w.metered()
		welcome := w.seal(wire.Envelope{Type: wire.TypeWelcome}, wire.Welcome{Hello: w.hello, Time: w.now()}, w.authority)
		old := w.seal(wire.Envelope{Type: wire.TypeTask, Expires: w.now().Add(time.Minute)}, w.task("t1", "test.once", nil), w.authority)
		w.pass(time.Hour)
		w.halt()
		w.begin()
		w.pass(time.Second)
		for range 2 {
			w.sendMessage(welcome)
			w.sendMessage(old)
			w.pass(time.Second)
		}
		if w.table.count("test.once") != 0 || w.refused("expired") != 2 || w.refused("replayed") != 2 {
			t.Errorf("executed %d, expired %d, replayed %d", w.table.count("test.once"), w.refused("expired"), w.refused("replayed"))
		}
	})
}

func TestARevokedServerKeyIsRefusedAfterARestartToo(t *testing.T) {
	run(t, func(w *world) {
		w.metered()
		stolen := w.seal(wire.Envelope{Type: wire.TypeTask, Expires: w.now().Add(time.Hour)}, w.task("t1", "test.once", nil), w.authority)
		if err := w.authority.Rotate(true); err != nil {
			t.Fatal(err)
		}
		w.send(wire.TypeAsk, wire.Ask{Hello: true})
		w.pass(time.Second)
		w.halt()
		w.begin()
		w.sendMessage(stolen)
		w.pass(time.Second)
		if w.table.count("test.once") != 0 || w.refused("denied") != 1 {
			t.Error("a revoked key is believed")
		}
	})
}

func TestEnrolment(t *testing.T) {
	t.Run("a node asks until an operator has approved it", func(t *testing.T) {
		run(t, func(w *world) {
			w.halt()
			w.cfg.State = t.TempDir()
			w.verdict = func(wire.Enrol) wire.Enrolled { return wire.Enrolled{Status: wire.EnrolledPending, Reason: "wait"} }
			w.with(func() { w.joins = nil })
			w.forget()
			w.begin()
			w.pass(10 * time.Minute)
			var asked []wire.Enrol
			w.with(func() { asked = w.joins })
			if len(asked) < 10 || len(asked) > 20 || !bytes.Equal(asked[0].Sign, asked[len(asked)-1].Sign) {
				t.Errorf("it asked %d times in ten minutes", len(asked))
			}
			if len(all[wire.Hello](w.server, wire.TypeHello)) != 0 {
				t.Error("hello without having been enrolled")
			}
			state := w.freeze() // a kill while it waits
			w.reborn(state)
			w.with(func() { w.verdict = nil })
			w.pass(2 * time.Minute)
			w.with(func() {
				if last := w.joins[len(w.joins)-1]; !bytes.Equal(last.Sign, asked[0].Sign) || last.Token != w.token.ID {
					t.Error("after a kill the node is another one")
				}
			})
			if len(all[wire.Hello](w.server, wire.TypeHello)) == 0 {
				t.Error("it was approved, and does not say hello")
			}
		})
	})
	t.Run("a node that is refused asks every five minutes", func(t *testing.T) {
		run(t, func(w *world) {
			w.halt()
			w.cfg.State = t.TempDir()
			w.verdict = func(wire.Enrol) wire.Enrolled { return wire.Enrolled{Status: wire.EnrolledRefused, Reason: "no"} }
			w.with(func() { w.joins = nil })
			w.begin()
			w.pass(31 * time.Minute)
			w.with(func() {
				if len(w.joins) < 6 || len(w.joins) > 8 {
					t.Errorf("it asked %d times", len(w.joins))
				}
				w.verdict = nil
			})
			w.pass(6 * time.Minute)
		})
	})
	t.Run("an answer that leads to another root is not believed", func(t *testing.T) {
		run(t, func(w *world) {
			w.halt()
			w.cfg.State, w.cfg.Metrics = t.TempDir(), metrics.NewSet()
			token, own := w.token, w.authority
			w.found() // a stolen broker answers with a root of its own
			w.server.token = token
			w.forget()
			w.begin()
			w.pass(5 * time.Minute)
			if len(all[wire.Hello](w.server, wire.TypeHello)) != 0 || w.refused("denied") == 0 {
				t.Error("a node joined a stranger's fleet")
			}
			w.with(func() { w.authority = own })
			w.pass(2 * time.Minute)
		})
	})
	t.Run("an enrolled node needs its token no more", func(t *testing.T) {
		run(t, func(w *world) {
			w.halt()
			w.forget()
			token := w.token
			w.server.token = trust.JoinToken{}
			w.begin()
			w.pass(time.Second)
			if len(all[wire.Hello](w.server, wire.TypeHello)) != 1 || len(w.joins) != 1 {
				t.Error("it does not log in with its own passcode")
			}
			w.server.token = token
		})
	})
}

func TestANodeThatIsNotLetInAnyMoreJoinsAgain(t *testing.T) {
	run(t, func(w *world) {
		w.with(func() { w.lock = true })
		w.hangUp()
		w.pass(time.Minute)
		w.with(func() { w.lock = false })
		w.pass(2 * time.Minute)
		w.with(func() {
			if len(w.joins) < 2 || !bytes.Equal(w.joins[0].Sign, w.joins[1].Sign) {
				t.Errorf("it asked %d times", len(w.joins))
			}
		})
		w.ask("t1", "test.once")
		w.pass(time.Second)
		expect(t, "results", []string{"t1:0"}, w.results())
	})
}

func TestLoginsOfANode(t *testing.T) {
	run(t, func(w *world) {
		file, err := trust.ReadNodeFile(filepath.Join(w.cfg.State, trust.NodeFileName))
		if err != nil {
			t.Fatal(err)
		}
		id := file.Keys.ID()
		want := []string{
			"join " + w.token.LoginPasscode(id) + " join." + id,
			fmt.Sprintf("%s %s %s", identity, trust.NodePasscode(w.authority.LoginKey(), identity, id), identity),
		}
		w.with(func() { expect(t, "logins", want, w.logins) })
		for _, login := range want {
			if strings.Contains(login, string(w.token.Secret)) {
				t.Error("the token's secret travels")
			}
		}
	})
}

func TestKeysAreRotatedWithoutAGap(t *testing.T) {
	run(t, func(w *world) {
		w.pass(time.Second)
		key := func() (id string) { w.with(func() { id = w.lastKey }); return id }
		w.ask("t1", "test.once")
		w.pass(time.Second)
		first := key()

		w.with(func() { w.verdict = func(wire.Enrol) wire.Enrolled { return wire.Enrolled{} } }) // the answer is lost
		w.send(wire.TypeAsk, wire.Ask{Rotate: true})
		w.ask("t2", "test.once")
		w.pass(time.Second)
		if key() != first {
			t.Error("a key signs that the server has not taken")
		}
		expect(t, "results", []string{"t1:0", "t2:0"}, w.results())
		sealed, err := trust.SealInput(w.joins[0].Seal, "t4", "password", "secret")
		if err != nil {
			t.Fatal(err)
		}
		state := w.freeze() // a kill now leaves both
		w.reborn(state)
		w.with(func() { w.verdict = nil })
		w.pass(time.Minute)
		w.ask("t3", "test.once")
		w.pass(time.Second)
		if key() == first || key() != trust.KeyID(w.joins[len(w.joins)-1].Sign) || !bytes.Equal(w.joins[1].Sign, w.joins[len(w.joins)-1].Sign) {
			t.Error("the new key does not sign, or there were more than one")
		}
		expect(t, "results", []string{"t3:0"}, w.results())
		w.send(wire.TypeTask, w.task("t4", "test.once", map[string]any{"password": sealed}))
		w.pass(time.Second)
		expect(t, "results", []string{"t3:0", "t4:0"}, w.results())
		if w.inputs["password"] != "secret" {
			t.Error("what was sealed for the old key cannot be read any more")
		}
		w.halt()
		w.begin()
		w.ask("t5", "test.once")
		w.pass(time.Second)
		expect(t, "results", []string{"t3:0", "t4:0", "t5:0"}, w.results())
	})
}

func TestKeysThatAreTooOldAreRotated(t *testing.T) {
	run(t, func(w *world) {
		w.halt()
		w.cfg.KeyMaxAge = 30 * time.Hour
		w.begin()
		w.pass(29 * time.Hour)
		w.with(func() { expect(t, "enrolments", 1, len(w.joins)) })
		w.pass(2 * time.Hour)
		w.with(func() {
			if expect(t, "enrolments", 2, len(w.joins)); w.joins[1].Token != "" || w.lastKey != trust.KeyID(w.joins[1].Sign) {
				t.Error("it is no rotation")
			}
		})
	})
}

func TestWhatIsNotThisNodesIsPutAside(t *testing.T) {
	aside := func(w *world, what string) {
		t.Helper()
		dirs, _ := filepath.Glob(filepath.Join(w.cfg.State, "aside-*"))
		if len(dirs) != 1 {
			t.Fatalf("%s: %d folders", what, len(dirs))
		}
		for _, name := range []string{trust.NodeFileName, "ledger"} {
			if _, err := os.Stat(filepath.Join(dirs[0], name)); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		w.with(func() {
			if len(w.joins) != 2 || bytes.Equal(w.joins[0].Sign, w.joins[1].Sign) {
				t.Errorf("%s: it enrolled %d times, or with the same keys", what, len(w.joins))
			}
		})
	}
	for what, change := range map[string]func(w *world){
		"a cloned image":           func(w *world) { w.cfg.Machine.ID = "another" },
		"a cloned machine":         func(w *world) { w.cfg.Machine.DMI = "another" },
		"a token of another fleet": func(w *world) { w.found() },
	} {
		run(t, func(w *world) {
			w.halt()
			w.cfg.Machine, w.cfg.State = trust.Machine{ID: "m", DMI: "d"}, t.TempDir()
			w.with(func() { w.joins = nil })
			w.begin()
			w.ask("t1", "test.once")
			w.pass(time.Second)
			w.halt()
			change(w)
			w.begin()
			w.pass(time.Second)
			aside(w, what)
		})
	}
}

func TestSealedInputs(t *testing.T) {
	run(t, func(w *world) {
		w.pass(time.Second)
		pub := w.joins[0].Seal
		sealed := func(task fettle.TaskID) map[string]any {
			s, err := trust.SealInput(pub, task, "password", "hunter2")
			if err != nil {
				t.Fatal(err)
			}
			return map[string]any{"password": s, "user": "root"}
		}
		w.send(wire.TypeTask, w.task("t1", "test.once", sealed("t1")))
		w.pass(time.Second)
		expect(t, "inputs", map[string]any{"password": "hunter2", "user": "root"}, w.inputs)
		if state, _ := os.ReadFile(filepath.Join(w.cfg.State, "ledger")); bytes.Contains(state, []byte("hunter2")) {
			t.Error("the ledger has the secret")
		}
		w.send(wire.TypeTask, w.task("t2", "test.once", sealed("t1"))) // of another task
		w.pass(time.Second)
		expect(t, "results", []string{"t1:0", "t2:6"}, w.results())
		for _, m := range all[wire.Results](w.server, wire.TypeResults) {
			if r := m.Results[0]; r.Task == "t2" && !strings.Contains(r.Message, "input password") {
				t.Errorf("the reason is %q", r.Message)
			}
		}
		if w.table.count("test.once") != 1 {
			t.Error("an action saw an input that was not opened")
		}
	})
}
