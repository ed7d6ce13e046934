package enrol

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/store/storetest"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// office is a registry with a clock, on a database that outlives it.
type office struct {
	*Registry
	t   testing.TB
	cfg Config
	db  *store.Store
	now time.Time

	cutting sync.Mutex
	cut     []string // who was cut off; guarded by cutting
}

func newOffice(t testing.TB, approval string) *office {
	t.Helper()
	db := storetest.Open(t)
	o := &office{t: t, db: db, now: time.Unix(1_800_000_000, 0)}
	root := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	o.cfg = Config{
		Approval: approval, Root: root, LoginKey: []byte(strings.Repeat("k", 32)), Now: func() time.Time { return o.now },
		Cut: func(id fettle.NodeID, _ string) {
			o.cutting.Lock()
			defer o.cutting.Unlock()
			o.cut = append(o.cut, string(id))
		},
	}
	o.restart()
	return o
}

// restart puts a new registry over the same database.
func (o *office) restart() {
	o.t.Helper()
	r, err := New(o.cfg, o.db, nil)
	if err == nil {
		err = r.Load(o.t.Context())
	}
	if err != nil {
		o.t.Fatal(err)
	}
	o.Registry = r
}

// issue makes a token.
func (o *office) issue(order TokenOrder) trust.JoinToken {
	o.t.Helper()
	text, _, err := o.CreateToken(o.t.Context(), order)
	if err != nil {
		o.t.Fatal(err)
	}
	token, err := trust.ParseJoinToken(text)
	if err != nil {
		o.t.Fatal(err)
	}
	return token
}

// machine is a node with its keys.
type machine struct {
	id   fettle.NodeID
	keys trust.NodeKeys
}

func newMachine(t testing.TB, id string) machine {
	t.Helper()
	keys, err := trust.NewNodeKeys()
	if err != nil {
		t.Fatal(err)
	}
	return machine{fettle.NodeID(id), keys}
}

// opens reads the passcode of an answer.
func (m machine) opens(t testing.TB, answer wire.Enrolled) string {
	t.Helper()
	passcode, err := m.keys.OpenPasscode(answer.Passcode)
	if err != nil {
		t.Fatal(err)
	}
	return passcode
}

// sign makes a message of a machine's, signed by the key that is given.
func sign(t testing.TB, from fettle.NodeID, kind wire.Type, body any, key trust.NodeKeys) wire.Message {
	t.Helper()
	m, err := wire.Seal(wire.Envelope{Type: kind, From: string(from), To: wire.Server, At: 1_800_000_000_000}, body, key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wants is what a machine asks with a token.
func (m machine) wants(token trust.JoinToken) wire.Enrol {
	return wire.Enrol{
		Token: token.ID, Sign: m.keys.SignPublic(), Seal: m.keys.SealPublic(), Machine: "m-" + string(m.id), Agent: fettle.AgentInfo{Version: "1"},
		Proof: trust.EnrolProof(token.Secret, m.id, m.keys.SignPublic(), m.keys.SealPublic()),
	}
}

// ask has a machine enrol, through a message as it comes.
func (o *office) ask(m machine, token trust.JoinToken) wire.Enrolled {
	o.t.Helper()
	return o.take(sign(o.t, m.id, wire.TypeEnrol, m.wants(token), m.keys))
}

// rotate has a machine ask for new keys.
func (o *office) rotate(m machine, next trust.NodeKeys) wire.Enrolled {
	o.t.Helper()
	body := wire.Enrol{Sign: next.SignPublic(), Seal: next.SealPublic(), KeyProof: trust.KeyProof(next, m.id)}
	return o.take(sign(o.t, m.id, wire.TypeEnrol, body, m.keys))
}

func (o *office) take(m wire.Message) wire.Enrolled {
	o.t.Helper()
	env, ask, err := o.OpenEnrol(m)
	if err != nil {
		o.t.Fatalf("open: %v", err)
	}
	answers, err := o.Enrol(o.t.Context(), []fettle.NodeID{fettle.NodeID(env.From)}, []wire.Enrol{ask})
	if err != nil {
		o.t.Fatalf("enrol: %v", err)
	}
	return answers[0]
}

// speaks tells whether what a machine signs is taken as its own.
func (o *office) speaks(m machine) bool {
	o.t.Helper()
	_, err := wire.Open(sign(o.t, m.id, wire.TypeBeat, wire.Beat{}, m.keys), o.Registry, 0)
	if err != nil && !errors.Is(err, fettle.ErrDenied) {
		o.t.Fatalf("verify: %v", err)
	}
	return err == nil
}

func (o *office) want(answer wire.Enrolled, status, reason string) wire.Enrolled {
	o.t.Helper()
	if answer.Status != status || !strings.Contains(answer.Reason, reason) {
		o.t.Fatalf("the answer is %s, %q; want %s, %q", answer.Status, answer.Reason, status, reason)
	}
	return answer
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) kind(err, kind error) {
	o.t.Helper()
	if !errors.Is(err, kind) {
		o.t.Fatalf("error is %v, want one that is %q", err, kind)
	}
}

func TestJoinTokens(t *testing.T) {
	t.Run("lets in as many as it says, and the same key again", func(t *testing.T) {
		o := newOffice(t, "")
		token := o.issue(TokenOrder{Uses: 2, Pool: "linux", Labels: map[string]string{"dc": "fra"}})
		a := newMachine(t, "a")
		got := o.want(o.ask(a, token), wire.EnrolledYes, "")
		if got.Pool != "linux" || got.Labels["dc"] != "fra" || token.CheckRoot(got.Root) != nil || got.Key != a.keys.ID() {
			t.Errorf("the answer is %+v", got)
		}
		o.must(o.NodeLogin("a", a.opens(t, got)))
		if _, err := newMachine(t, "a").keys.OpenPasscode(got.Passcode); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("another machine reads the passcode: %v", err)
		}
		for range 3 {
			o.want(o.ask(a, token), wire.EnrolledYes, "")
		}
		o.want(o.ask(newMachine(t, "b"), token), wire.EnrolledYes, "")
		o.want(o.ask(newMachine(t, "c"), token), wire.EnrolledRefused, "used up")
		o.restart()
		o.want(o.ask(newMachine(t, "c"), token), wire.EnrolledRefused, "used up")
		o.want(o.ask(a, token), wire.EnrolledYes, "")
		if list := o.Tokens(); len(list) != 1 || list[0].Used != 2 {
			t.Errorf("tokens %+v", list)
		}
		if pool, labels, is := o.Place("a"); !is || pool != "linux" || labels["dc"] != "fra" {
			t.Errorf("place %q %v %v", pool, labels, is)
		}
	})
	t.Run("ends, and is deleted", func(t *testing.T) {
		o := newOffice(t, "")
		token := o.issue(TokenOrder{Uses: -1, TTL: time.Hour})
		o.now = o.now.Add(time.Hour)
		o.want(o.ask(newMachine(t, "a"), token), wire.EnrolledRefused, "expired")
		o.must(o.DeleteToken(t.Context(), token.ID, "ann"))
		o.want(o.ask(newMachine(t, "a"), token), wire.EnrolledRefused, "not known")
		o.kind(o.DeleteToken(t.Context(), token.ID, "ann"), fettle.ErrNotFound)
	})
	t.Run("the local one never ends, and is the same after a restart", func(t *testing.T) {
		o := newOffice(t, ApproveManual)
		local := o.Local()
		for i := range 20 {
			o.want(o.ask(newMachine(t, fmt.Sprint("n", i)), local), wire.EnrolledYes, "")
		}
		o.restart()
		if o.Local().String() != local.String() {
			t.Error("it is another one")
		}
	})
	t.Run("what cannot be is refused, by its key", func(t *testing.T) {
		o := newOffice(t, "")
		for key, order := range map[string]TokenOrder{
			"ttl": {TTL: -1}, "approval": {Approval: "maybe"}, "pool": {Pool: "a\nb"}, "labels": {Labels: map[string]string{"": "x"}},
			"name": {Name: strings.Repeat("x", 300)},
		} {
			_, _, err := o.CreateToken(t.Context(), order)
			var fault *fettle.Fault
			if !errors.As(err, &fault) || fault.Key != key {
				t.Errorf("%s: %v", key, err)
			}
		}
	})
}

func TestForgedEnrolments(t *testing.T) {
	o := newOffice(t, "")
	token := o.issue(TokenOrder{Uses: -1})
	a, thief := newMachine(t, "a"), newMachine(t, "thief")
	o.ask(a, token)
	wrong := token
	wrong.Secret = []byte(strings.Repeat("x", 32))
	changed := sign(t, "b", wire.TypeEnrol, machine{"b", thief.keys}.wants(token), thief.keys)
	changed.Body[len(changed.Body)-2] ^= 1
	for name, m := range map[string]wire.Message{
		"a proof with another secret":             sign(t, "b", wire.TypeEnrol, machine{"b", thief.keys}.wants(wrong), thief.keys),
		"a proof for another identity":            sign(t, "b", wire.TypeEnrol, thief.wants(token), thief.keys),
		"signed by another key":                   sign(t, "b", wire.TypeEnrol, machine{"b", newMachine(t, "b").keys}.wants(token), thief.keys),
		"changed on its way":                      changed,
		"a rotation that a stranger signed":       sign(t, "a", wire.TypeEnrol, rotation(thief.keys, "a"), thief.keys),
		"a rotation of another node":              sign(t, "b", wire.TypeEnrol, rotation(thief.keys, "b"), a.keys),
		"a rotation to a key that did not prove":  sign(t, "a", wire.TypeEnrol, wire.Enrol{Sign: thief.keys.SignPublic(), Seal: thief.keys.SealPublic()}, a.keys),
		"keys of the wrong length":                sign(t, "b", wire.TypeEnrol, wire.Enrol{Token: token.ID, Sign: []byte("x")}, thief.keys),
		"more of a machine than there is to tell": sign(t, "b", wire.TypeEnrol, wire.Enrol{Machine: strings.Repeat("x", 2000)}, thief.keys),
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := o.OpenEnrol(m); !errors.Is(err, fettle.ErrDenied) && !errors.Is(err, fettle.ErrInvalid) {
				t.Errorf("it is let through: %v", err)
			}
		})
	}
	if _, err := o.Member("b"); !errors.Is(err, fettle.ErrNotFound) {
		t.Error("b is enrolled")
	}
}

func rotation(next trust.NodeKeys, id fettle.NodeID) wire.Enrol {
	return wire.Enrol{Sign: next.SignPublic(), Seal: next.SealPublic(), KeyProof: trust.KeyProof(next, id)}
}

func TestIdentities(t *testing.T) {
	t.Run("nobody is called server", func(t *testing.T) {
		o := newOffice(t, "")
		o.want(o.ask(newMachine(t, "server"), o.Local()), wire.EnrolledRefused, "server's own name")
		o.kind(o.NodeLogin("server", trust.NodePasscode(o.cfg.LoginKey, "server", strings.Repeat("0", 32))), fettle.ErrDenied)
	})
	t.Run("a second machine is refused and remembered", func(t *testing.T) {
		o := newOffice(t, "")
		a, clone := newMachine(t, "a"), newMachine(t, "a")
		o.ask(a, o.Local())
		for range 3 {
			o.want(o.ask(clone, o.Local()), wire.EnrolledRefused, "bound to another key")
			o.now = o.now.Add(2 * time.Minute)
		}
		if !o.speaks(a) || o.speaks(clone) {
			t.Error("the wrong one is believed")
		}
		o.restart()
		list, more := o.List(Query{Contested: true})
		if len(list) != 1 || more || len(list[0].Claims) != 1 || list[0].Claims[0].Tries != 3 || list[0].Claims[0].Claim != clone.keys.ID() {
			t.Fatalf("contested %+v", list)
		}
		if why := o.Contested("a"); why != "" {
			t.Errorf("the rightful one is asked nothing: %s", why)
		}
		o.must(o.Release(t.Context(), "a", "ann"))
		o.want(o.ask(clone, o.Local()), wire.EnrolledYes, "")
		o.want(o.ask(a, o.Local()), wire.EnrolledRefused, "bound to another key")
		if list, _ := o.List(Query{}); len(list) != 1 || o.speaks(a) || !o.speaks(clone) || len(o.cut) != 1 {
			t.Errorf("after the release %+v, cut %v", list, o.cut)
		}
	})
	t.Run("two of one batch who want one identity", func(t *testing.T) {
		o := newOffice(t, "")
		token := o.issue(TokenOrder{Uses: 1})
		one, two := newMachine(t, "a"), newMachine(t, "a")
		answers, err := o.Enrol(t.Context(), []fettle.NodeID{"a", "a", "a"}, []wire.Enrol{one.wants(token), two.wants(token), one.wants(token)})
		o.must(err)
		o.want(answers[0], wire.EnrolledYes, "")
		o.want(answers[1], wire.EnrolledRefused, "bound to another key")
		o.want(answers[2], wire.EnrolledYes, "")
	})
	t.Run("a key is of one identity", func(t *testing.T) {
		o := newOffice(t, "")
		a := newMachine(t, "a")
		o.ask(a, o.Local())
		o.want(o.ask(machine{"b", a.keys}, o.Local()), wire.EnrolledRefused, "belongs to a")
	})
	t.Run("a revoked one is out until it is released", func(t *testing.T) {
		o := newOffice(t, "")
		a := newMachine(t, "a")
		passcode := a.opens(t, o.ask(a, o.Local()))
		o.must(o.Revoke(t.Context(), "a", "ann"))
		if o.speaks(a) || len(o.cut) != 1 {
			t.Error("it is still believed, or still connected")
		}
		o.kind(o.NodeLogin("a", passcode), fettle.ErrDenied)
		o.restart()
		o.want(o.ask(a, o.Local()), wire.EnrolledRefused, "revoked")
		o.want(o.ask(newMachine(t, "a"), o.Local()), wire.EnrolledRefused, "bound to another key")
		o.kind(o.Revoke(t.Context(), "a", "ann"), fettle.ErrConflict)
		o.must(o.Release(t.Context(), "a", "ann"))
		o.want(o.ask(newMachine(t, "a"), o.Local()), wire.EnrolledYes, "")
	})
	t.Run("who has never enrolled cannot be changed", func(t *testing.T) {
		o := newOffice(t, "")
		for _, change := range []func(context.Context, fettle.NodeID, string) error{o.Approve, o.Revoke, o.Release, o.Rotate, o.Clear} {
			o.kind(change(t.Context(), "ghost", "ann"), fettle.ErrNotFound)
		}
	})
	t.Run("two agents with one key are contested until an operator has looked", func(t *testing.T) {
		o := newOffice(t, "")
		o.ask(newMachine(t, "a"), o.Local())
		o.Registry.Contest("a", "two agents")
		o.tidy(t.Context())
		o.restart()
		if o.Contested("a") != "two agents" {
			t.Fatal("it is forgotten by a restart")
		}
		o.must(o.Clear(t.Context(), "a", "ann"))
		if o.Contested("a") != "" {
			t.Error("it is contested still")
		}
	})
}

func TestApproval(t *testing.T) {
	for name, c := range map[string]struct{ server, token, want string }{
		"as the server is set":                     {ApproveManual, "", wire.EnrolledPending},
		"the token wants it":                       {ApproveAuto, ApproveManual, wire.EnrolledPending},
		"the token does not want what others must": {ApproveManual, ApproveAuto, wire.EnrolledYes},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, c.server)
			o.want(o.ask(newMachine(t, "a"), o.issue(TokenOrder{Approval: c.token})), c.want, "")
		})
	}
	t.Run("a pending machine is nobody until it is approved", func(t *testing.T) {
		o := newOffice(t, ApproveManual)
		token, a := o.issue(TokenOrder{}), newMachine(t, "a")
		o.want(o.ask(a, token), wire.EnrolledPending, "fettle enrol approve a")
		if o.speaks(a) {
			t.Error("it is believed")
		}
		if _, err := o.SealKey("a"); !errors.Is(err, fettle.ErrNotFound) {
			t.Error("secrets are sealed for it")
		}
		list, _ := o.List(Query{State: store.KeyPending})
		if len(list) != 1 || list[0].Keys[0].Machine != "m-a" {
			t.Fatalf("pending %+v", list)
		}
		o.restart()
		o.must(o.Approve(t.Context(), "a", "ann"))
		o.want(o.ask(a, token), wire.EnrolledYes, "")
		if m, err := o.Member("a"); err != nil || m.Keys[0].ApprovedBy != "ann" || !o.speaks(a) {
			t.Errorf("%+v, %v", m, err)
		}
		o.kind(o.Approve(t.Context(), "a", "ann"), fettle.ErrConflict)
	})
}

func TestRotation(t *testing.T) {
	t.Run("both keys hold until the new one has spoken, and a while longer", func(t *testing.T) {
		o := newOffice(t, "")
		old := newMachine(t, "a")
		first := o.ask(old, o.issue(TokenOrder{Pool: "linux"}))
		next := newMachine(t, "a")
		o.must(o.Rotate(t.Context(), "a", "ann"))
		if !o.RotationDue("a") {
			t.Error("it is not told")
		}
		second := o.want(o.rotate(old, next.keys), wire.EnrolledYes, "")
		o.want(o.rotate(old, next.keys), wire.EnrolledYes, "") // the answer was lost
		if o.RotationDue("a") || second.Pool != "linux" {
			t.Errorf("still due, or moved to another pool: %+v", second)
		}
		o.restart() // at any time
		if key, err := o.SealKey("a"); err != nil || string(key) != string(old.keys.SealPublic()) {
			t.Error("secrets are sealed with a key that the node has not used yet")
		}
		if !o.speaks(old) || !o.speaks(next) {
			t.Fatal("one of them is not believed")
		}
		if key, err := o.SealKey("a"); err != nil || string(key) != string(next.keys.SealPublic()) {
			t.Error("secrets are not sealed with the new key")
		}
		o.must(errors.Join(o.NodeLogin("a", old.opens(t, first)), o.NodeLogin("a", next.opens(t, second))))
		o.now = o.now.Add(overlap - time.Second)
		if !o.speaks(old) {
			t.Error("what was on its way is lost")
		}
		o.now = o.now.Add(2 * time.Second)
		if o.speaks(old) || !o.speaks(next) {
			t.Error("the old key is still believed, or the new one is not")
		}
		o.kind(o.NodeLogin("a", old.opens(t, first)), fettle.ErrDenied)
		o.tidy(t.Context())
		o.restart()
		if m, err := o.Member("a"); err != nil || len(m.Keys) != 1 || m.Keys[0].ID != next.keys.ID() {
			t.Errorf("%+v, %v", m, err)
		}
	})
	t.Run("of many attempts the last counts, and no more than two keys are kept", func(t *testing.T) {
		o := newOffice(t, "")
		a := newMachine(t, "a")
		o.ask(a, o.Local())
		var last machine
		for range 5 {
			last = newMachine(t, "a")
			o.want(o.rotate(a, last.keys), wire.EnrolledYes, "")
			o.now = o.now.Add(time.Second)
		}
		if m, _ := o.Member("a"); len(m.Keys) != 2 || !o.speaks(last) || !o.speaks(a) {
			t.Errorf("%d keys", len(m.Keys))
		}
	})
	t.Run("a pending or revoked machine has nothing to rotate with", func(t *testing.T) {
		o := newOffice(t, ApproveManual)
		a := newMachine(t, "a")
		o.ask(a, o.issue(TokenOrder{}))
		if _, _, err := o.OpenEnrol(sign(t, "a", wire.TypeEnrol, rotation(newMachine(t, "a").keys, "a"), a.keys)); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("pending: %v", err)
		}
	})
}

func TestJoinLogin(t *testing.T) {
	o := newOffice(t, "")
	token := o.issue(TokenOrder{})
	key := newMachine(t, "a").keys.ID()
	if got, err := o.JoinLogin(trust.JoinClientID(key), token.LoginPasscode(key)); err != nil || got != key {
		t.Fatalf("%q, %v", got, err)
	}
	stranger := trust.NewJoinToken(o.cfg.Root, nil)
	for name, c := range map[string][2]string{
		"for another key":   {trust.JoinClientID(strings.Repeat("0", 32)), token.LoginPasscode(key)},
		"an unknown token":  {trust.JoinClientID(key), stranger.LoginPasscode(key)},
		"no passcode":       {trust.JoinClientID(key), ""},
		"no client-id":      {"", token.LoginPasscode(key)},
		"a node's identity": {"web1.acme.net", token.LoginPasscode(key)},
	} {
		if _, err := o.JoinLogin(c[0], c[1]); err == nil {
			t.Errorf("%s is let in", name)
		}
	}
}

// TestConcurrent is for the race detector: everything at once, and in the end as many are enrolled as the token allows.
func TestConcurrent(t *testing.T) {
	o := newOffice(t, "")
	token := o.issue(TokenOrder{Uses: 40})
	ctx, stop := context.WithCancel(t.Context())
	var wg, tidy sync.WaitGroup
	tidy.Go(func() {
		if err := o.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	for w := range 8 {
		wg.Go(func() {
			for i := range 10 {
				m := newMachine(t, fmt.Sprintf("n%d-%d", w, i))
				answers, err := o.Enrol(ctx, []fettle.NodeID{m.id}, []wire.Enrol{m.wants(token)})
				if err != nil {
					t.Error(err)
					return
				}
				_ = o.speaks(m)
				_, _ = o.List(Query{Limit: 5})
				_, _, _ = o.Place(m.id)
				if answers[0].Status == wire.EnrolledYes && i%3 == 0 {
					_ = o.Rotate(ctx, m.id, "ann")
					_ = o.Revoke(ctx, m.id, "ann")
				}
				o.Registry.Contest(m.id, "x")
			}
		})
	}
	wg.Wait()
	stop()
	tidy.Wait()
	if list, _ := o.List(Query{}); len(list) != 40 {
		t.Errorf("%d are enrolled", len(list))
	}
}

// FuzzOpenEnrol has no message of a stranger's trip the registry, or get anything by it.
func FuzzOpenEnrol(f *testing.F) {
	o := newOffice(f, "")
	m := newMachine(f, "a")
	good := sign(f, "a", wire.TypeEnrol, m.wants(o.Local()), m.keys)
	f.Add(good.Body, good.Get("fettle-sig"))
	f.Add([]byte(`{"v":1,"type":"enrol"}`), "x:y")
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		_, ask, err := o.OpenEnrol(wire.Message{Body: body, Header: []wire.Field{{Name: "fettle-sig", Value: signature}}})
		if err == nil && trust.KeyID(ask.Sign) != m.keys.ID() {
			t.Errorf("a stranger's enrolment is let through: %+v", ask)
		}
	})
}

// BenchmarkEnrol10k has 10,000 machines ask, in batches as the server takes them.
func BenchmarkEnrol10k(b *testing.B) {
	const nodes, batch = 10_000, 1_000
	token := trust.NewJoinToken(make([]byte, 32), nil)
	machines := make([]machine, nodes)
	for i := range machines {
		id := fettle.NodeID(fmt.Sprintf("n%d.example.net", i))
		keys, err := trust.DeriveNodeKeys(token.Secret, id)
		if err != nil {
			b.Fatal(err)
		}
		machines[i] = machine{id, keys}
	}
	for b.Loop() {
		b.StopTimer()
		o := newOffice(b, "")
		local := o.Local()
		messages := make([]wire.Message, nodes)
		for i, m := range machines {
			messages[i] = sign(b, m.id, wire.TypeEnrol, m.wants(local), m.keys)
		}
		b.StartTimer()
		for at := 0; at < nodes; at += batch {
			var from []fettle.NodeID
			var asked []wire.Enrol
			for _, m := range messages[at : at+batch] {
				env, ask, err := o.OpenEnrol(m)
				if err != nil {
					b.Fatal(err)
				}
				from, asked = append(from, fettle.NodeID(env.From)), append(asked, ask)
			}
			if _, err := o.Enrol(b.Context(), from, asked); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(nodes*float64(b.N)/b.Elapsed().Seconds(), "nodes/s")
}
