package server

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/store/storetest"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// desk is an Enroller that knows the keys of a few nodes, by heart.
type desk struct {
	wire.KeyRing
	keys map[fettle.NodeID]trust.NodeKeys

	mu        sync.Mutex
	contested map[fettle.NodeID]string // guarded by mu
	enrolled  []fettle.NodeID          // guarded by mu
}

func newDesk(t *testing.T, nodes ...fettle.NodeID) *desk {
	t.Helper()
	d := &desk{KeyRing: wire.KeyRing{}, keys: map[fettle.NodeID]trust.NodeKeys{}, contested: map[fettle.NodeID]string{}}
	for _, id := range nodes {
		keys, err := trust.NewNodeKeys()
		if err != nil {
			t.Fatal(err)
		}
		d.keys[id], d.KeyRing[keys.ID()] = keys, wire.OwnedKey{Owner: string(id), Key: keys.SignPublic()}
	}
	return d
}

func (d *desk) OpenEnrol(m wire.Message) (wire.Envelope, wire.Enrol, error) {
	env, err := wire.Open(m, nil, 0)
	if err == nil && env.From == "forger" {
		err = fmt.Errorf("a forgery: %w", fettle.ErrDenied)
	}
	var ask wire.Enrol
	if err == nil {
		err = env.Decode(&ask)
	}
	return env, ask, err
}

func (d *desk) Enrol(_ context.Context, from []fettle.NodeID, asked []wire.Enrol) ([]wire.Enrolled, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]wire.Enrolled, len(from))
	for i := range from {
		d.enrolled = append(d.enrolled, from[i])
		out[i] = wire.Enrolled{Status: wire.EnrolledYes, Key: trust.KeyID(asked[i].Sign)}
	}
	return out, nil
}

func (d *desk) Place(id fettle.NodeID) (string, map[string]string, bool) {
	_, known := d.keys[id]
	return "linux", map[string]string{"dc": "fra"}, known
}

func (d *desk) SealKey(id fettle.NodeID) ([]byte, error) {
	if k, known := d.keys[id]; known {
		return k.SealPublic(), nil
	}
	return nil, fettle.ErrNotFound
}

func (d *desk) RotationDue(id fettle.NodeID) bool { return id == "worn" }

func (d *desk) Contest(id fettle.NodeID, reason string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.contested[id] = reason
}

func (d *desk) Contested(id fettle.NodeID) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.contested[id]
}

// guarded is a fleet whose nodes have keys.
func guarded(t *testing.T, nodes ...fettle.NodeID) (*fleet, *desk) {
	t.Helper()
	f := idleFleet(t, DefaultConfig(), storetest.SQLite(t), newClock())
	d := newDesk(t, nodes...)
	f.Enroller = d
	f.start()
	return f, d
}

// signed has somebody send a message in a name, signed by a key.
func (f *fleet) signed(sender, as fettle.NodeID, key trust.NodeKeys, destination string, kind wire.Type, body any) {
	f.t.Helper()
	m, err := wire.Seal(wire.Envelope{Type: kind, From: string(as), At: fettle.MillisOf(f.clock.Now())}, body, key.Signer())
	if err != nil {
		f.t.Fatal(err)
	}
	done := make(chan error, 1)
	f.Collect(Incoming{Destination: destination, Message: m, Sender: sender, Done: func(err error) { done <- err }})
	if err := <-done; err != nil {
		f.t.Fatal(err)
	}
}

func TestOnlyWhatANodeSignedIsItsWord(t *testing.T) {
	f, d := guarded(t, "n1", "n2")
	f.Verifier = d // set before anything is collected
	hello := func(s string) wire.Hello { return wire.Hello{Session: session, FactsHash: s} }
	f.signed("n1", "n1", d.keys["n1"], f.dest.Facts(), wire.TypeHello, hello("a"))
	f.signed("n2", "n1", d.keys["n2"], f.dest.Facts(), wire.TypeHello, hello("b")) // signed by its own key
	f.signed("n2", "n1", d.keys["n1"], f.dest.Facts(), wire.TypeHello, hello("c")) // a message of n1's, on the connection of n2
	f.say("n1", wire.TypeHello, hello("d"))                                        // not signed
	f.signed("", "forger", d.keys["n1"], f.dest.Enrol(), wire.TypeEnrol, wire.Enrol{})
	f.signed("n2", "n1", d.keys["n2"], f.dest.Enrol(), wire.TypeEnrol, wire.Enrol{})
	letters, err := f.Store.DeadLetters(t.Context(), store.LetterQuery{})
	if err != nil || len(letters) != 5 {
		t.Fatalf("%d dead letters, %v", len(letters), err)
	}
	for reason, want := range map[string]uint64{refusedUnsigned: 2, refusedSender: 2, refusedEnrolment: 1} {
		if got := f.meters.refused[reason].Get(); got != want {
			t.Errorf("%d refused for %s, want %d", got, reason, want)
		}
	}
	if n := len(of[wire.Welcome](t, f.mail, "n1", wire.TypeWelcome)); n != 1 {
		t.Errorf("%d welcomes", n)
	}
	if len(d.enrolled) != 0 {
		t.Errorf("enrolled %v", d.enrolled)
	}
}

func TestEnrolmentsAreAnswered(t *testing.T) {
	f, d := guarded(t, "n1")
	f.signed("", "n1", d.keys["n1"], f.dest.Enrol(), wire.TypeEnrol, wire.Enrol{Token: "x", Sign: d.keys["n1"].SignPublic()})
	f.mail.mu.Lock()
	sent := f.mail.sent[f.dest.Join(d.keys["n1"].ID())]
	f.mail.mu.Unlock()
	if len(sent) != 1 || sent[0].Type != wire.TypeEnrolled || sent[0].To != "n1" {
		t.Fatalf("the answer on the queue of its key: %+v", sent)
	}
	f.signed("n1", "n1", d.keys["n1"], f.dest.Enrol(), wire.TypeEnrol, wire.Enrol{Sign: d.keys["n1"].SignPublic()})
	if n := len(of[wire.Enrolled](t, f.mail, "n1", wire.TypeEnrolled)); n != 1 {
		t.Errorf("%d answers to a rotation on the node's own queue", n)
	}
}

func TestLabelsAndPoolComeByTheToken(t *testing.T) {
	f, _ := guarded(t, "n1")
	f.join("n1", `{}`)
	f.join("n2", `{}`) // without a key here
	for _, filter := range []fettle.Filter{`labels.dc == "fra"`, `"linux" in pools`} {
		if n := f.matched(filter); n != 1 {
			t.Errorf("%s matches %d nodes", filter, n)
		}
	}
}

func TestReplays(t *testing.T) {
	f, _ := guarded(t, "n1")
	f.join("n1", `{}`)
	send := func(m wire.Message) {
		t.Helper()
		if err := f.deliver("n1", m); err != nil {
			t.Fatal(err)
		}
	}
	seal := func(kind wire.Type, at time.Time, body any) wire.Message {
		t.Helper()
		m, err := wire.Seal(wire.Envelope{Type: kind, From: "n1", At: fettle.MillisOf(at)}, body, nil)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	hello := seal(wire.TypeHello, f.clock.Now(), wire.Hello{Session: session})
	welcomes := func() int { return len(of[wire.Welcome](t, f.mail, "n1", wire.TypeWelcome)) }
	before := welcomes()
	send(hello)
	send(hello)
	send(hello)
	f.eventually("the hello is answered", func() bool { return welcomes() == before+1 })
	asked := func() int { return len(of[wire.Ask](t, f.mail, "n1", wire.TypeAsk)) }
	other := wire.Beat{Session: "01980000-0000-7000-8000-000000000009"} // of a session that is not known: the facts are asked for
	send(seal(wire.TypeBeat, f.clock.Now().Add(-freshFor-time.Second), other))
	if n := asked(); n != 0 {
		t.Errorf("an old beat made the server ask %d times", n)
	}
	beat := seal(wire.TypeBeat, f.clock.Now(), other)
	send(beat)
	send(beat)
	send(hello)
	if n := asked(); n != 1 || welcomes() != before+1 {
		t.Errorf("asked %d times, welcomed %d times", n, welcomes()-before)
	}
	if n := f.meters.replays.Get(); n < 3 {
		t.Errorf("%d replays are counted", n)
	}
}

func TestTwoAgentsWithOneKey(t *testing.T) {
	const one, two = "01980000-0000-7000-8000-00000000000a", "01980000-0000-7000-8000-00000000000b"
	hello := func(f *fleet, session string) { f.say("n1", wire.TypeHello, wire.Hello{Session: session}) }
	t.Run("an agent that starts again and again is not contested", func(t *testing.T) {
		f, d := guarded(t, "n1")
		for i := range 8 {
			hello(f, fmt.Sprintf("01980000-0000-7000-8000-0000000000%02d", 10+i))
		}
		if why := d.Contested("n1"); why != "" {
			t.Error(why)
		}
	})
	t.Run("three swaps within ten minutes make it contested, and nothing is asked of it", func(t *testing.T) {
		f, d := guarded(t, "n1", "n2")
		f.join("n2", `{}`)
		for _, s := range []string{one, two, one, two} {
			hello(f, s)
		}
		if why := d.Contested("n1"); why != "" {
			t.Fatalf("two swaps are enough: %s", why)
		}
		hello(f, one)
		if d.Contested("n1") == "" {
			t.Fatal("it is not contested")
		}
		run, err := f.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{All: true}, Timeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if run.Tally.Never != 1 || run.Tally.Pending != 1 || len(run.Refused) != 1 || !strings.Contains(run.Refused[0].Reason, "contested") || run.Refused[0].Nodes[0] != "n1" {
			t.Errorf("%+v, refused %+v", run.Tally, run.Refused)
		}
		if len(f.tasks("n1")) != 0 || len(f.tasks("n2")) != 1 {
			t.Errorf("tasks: %d for n1, %d for n2", len(f.tasks("n1")), len(f.tasks("n2")))
		}
	})
	t.Run("after an operator has cleared it, swaps are counted anew", func(t *testing.T) {
		f, d := guarded(t, "n1")
		for _, s := range []string{one, two, one, two, one} {
			hello(f, s)
		}
		d.Contest("n1", "") // what is cleared
		hello(f, two)
		hello(f, one)
		if why := d.Contested("n1"); why != "" {
			t.Fatalf("two swaps after it was cleared are enough: %s", why)
		}
		hello(f, two)
		if d.Contested("n1") == "" {
			t.Error("it is not contested again")
		}
	})
	t.Run("swaps that are far apart are nothing", func(t *testing.T) {
		f, d := guarded(t, "n1")
		for range 3 {
			hello(f, one)
			hello(f, two)
			f.clock.add(swapWindow + time.Minute)
		}
		if why := d.Contested("n1"); why != "" {
			t.Error(why)
		}
	})
}

func TestSecretInputsAreSealed(t *testing.T) {
	f, d := guarded(t, "n1", "n2")
	f.lookUp = func(string) (plugins.Action, error) {
		return plugins.Action{Name: "vault.set", Inputs: []plugins.Input{
			{Name: "user", Type: plugins.String}, {Name: "password", Type: plugins.String, Secret: true, Required: true},
		}}, nil
	}
	for _, id := range []fettle.NodeID{"n1", "n2", "n3"} { // n3 has no key
		f.join(id, `{}`)
	}
	run, err := f.StartRun(t.Context(), RunRequest{
		Action: "vault.set", Inputs: map[string]any{"user": "ann", "password": "hunter2"}, Selection: Selection{All: true}, Timeout: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	if run.Inputs["password"] != masked || run.Inputs["user"] != "ann" || run.Tally.Never != 1 || len(run.Refused) != 1 {
		t.Errorf("the run shows %v; %+v, refused %+v", run.Inputs, run.Tally, run.Refused)
	}
	stored, err := f.Store.Tasks(t.Context(), store.TaskQuery{Run: run.ID})
	if err != nil || len(stored) != 2 {
		t.Fatalf("%d tasks, %v", len(stored), err)
	}
	kept, err := json.Marshal(stored)
	if err != nil || strings.Contains(string(kept), "hunter2") {
		t.Fatalf("stored %s, %v", kept, err)
	}
	for _, id := range []fettle.NodeID{"n1", "n2"} {
		task := f.tasks(id)[0]
		inputs, err := trust.OpenInputs(d.keys[id].Seal, task.ID, task.Inputs)
		if err != nil || inputs["password"] != "hunter2" || inputs["user"] != "ann" {
			t.Errorf("%s reads %v, %v", id, inputs, err)
		}
		if _, err := trust.OpenInputs(d.keys["n1"].Seal, "another", task.Inputs); err == nil {
			t.Error("it opens in another task")
		}
	}
	t.Run("a server that was started again sends the same", func(t *testing.T) {
		first := f.tasks("n1")[0]
		f.stop()
		g := idleFleet(t, f.cfg, f.dsn, f.clock)
		g.Enroller = d
		g.start()
		g.say("n1", wire.TypeHello, wire.Hello{Session: session})
		g.eventually("the task comes again", func() bool { return len(g.tasks("n1")) == 1 })
		again := g.tasks("n1")[0]
		if inputs, err := trust.OpenInputs(d.keys["n1"].Seal, again.ID, again.Inputs); err != nil || again.ID != first.ID || inputs["password"] != "hunter2" {
			t.Errorf("%+v, %v", inputs, err)
		}
	})
}
