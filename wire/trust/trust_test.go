package trust_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// clock is a server's clock that a test sets.
type clock struct{ at time.Time }

func newClock() *clock { return &clock{at: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time               { return c.at }
func (c *clock) millis() fettle.Millis        { return fettle.MillisOf(c.at) }
func (c *clock) pass(d time.Duration)         { c.at = c.at.Add(d) }
func (c *clock) exact() (fettle.Millis, bool) { return c.millis(), true }

func authority(t testing.TB, c *clock) (*trust.Authority, string) {
	t.Helper()
	dir := t.TempDir()
	a, err := trust.OpenAuthority(dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return a, dir
}

func keys(t testing.TB) trust.NodeKeys {
	t.Helper()
	k, err := trust.NewNodeKeys()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// denied wants an ErrDenied that says why.
func denied(t *testing.T, err error, why string) {
	t.Helper()
	if !errors.Is(err, fettle.ErrDenied) || !strings.Contains(err.Error(), why) {
		t.Errorf("got %v, want a denial that says %q", err, why)
	}
}

func invalid(t *testing.T, err error, why string) {
	t.Helper()
	if !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), why) {
		t.Errorf("got %v, want an invalid thing that says %q", err, why)
	}
}

func TestJoinToken(t *testing.T) {
	a, _ := authority(t, newClock())
	for _, ca := range [][]byte{nil, trust.Fingerprint([]byte("a certificate's key"))} {
		token := trust.NewJoinToken(a.Root(), ca)
		text := token.String()
		got, err := trust.ParseJoinToken(" " + text + "\n")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(token, got); diff != "" || got.None() {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if err := got.CheckRoot(a.Root()); err != nil {
			t.Error(err)
		}
		other, _ := authority(t, newClock())
		denied(t, got.CheckRoot(other.Root()), "not the one that the join token names")
		denied(t, got.CheckRoot(nil), "not the one")

		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("made", "token", token)
		if strings.Contains(log.String(), text[8:40]) || !strings.Contains(log.String(), token.ID) {
			t.Errorf("a log tells the secret: %s", log.String())
		}
		for i := len("fjt1_"); i < len(text); i += 7 { // one character of it changed
			swap := byte('A')
			if text[i] == swap {
				swap = 'B'
			}
			_, err := trust.ParseJoinToken(text[:i] + string(swap) + text[i+1:])
			if invalid(t, err, "join token"); err != nil && strings.Contains(err.Error(), text[20:30]) {
				t.Errorf("an error tells the secret: %v", err)
			}
		}
	}
	if (trust.JoinToken{}).String() != "" || !(trust.JoinToken{}).None() {
		t.Error("no token has a text")
	}
	for _, text := range []string{"", "fjt1_", "fjt2_AAAA", "fjt1_AAAA", "fjt1_" + strings.Repeat("A", 500), "fjt1_=!"} {
		_, err := trust.ParseJoinToken(text)
		invalid(t, err, "join token")
	}
}

func TestProofOfAJoinTokenIsOfOneKeyAndOneIdentity(t *testing.T) {
	secret, other := []byte(strings.Repeat("s", 32)), []byte(strings.Repeat("o", 32))
	k, thief := keys(t), keys(t)
	proof := trust.EnrolProof(secret, "web1", k.SignPublic(), k.SealPublic())
	if err := trust.CheckEnrolProof(secret, proof, "web1", k.SignPublic(), k.SealPublic()); err != nil {
		t.Fatal(err)
	}
	denied(t, trust.CheckEnrolProof(other, proof, "web1", k.SignPublic(), k.SealPublic()), "proof")
	denied(t, trust.CheckEnrolProof(secret, proof, "web2", k.SignPublic(), k.SealPublic()), "proof")
	denied(t, trust.CheckEnrolProof(secret, proof, "web1", thief.SignPublic(), k.SealPublic()), "proof")
	denied(t, trust.CheckEnrolProof(secret, proof, "web1", k.SignPublic(), thief.SealPublic()), "proof")
	denied(t, trust.CheckEnrolProof(secret, nil, "web1", k.SignPublic(), k.SealPublic()), "proof")
	invalid(t, trust.CheckEnrolProof(secret, proof, "web1", k.SignPublic()[:31], k.SealPublic()), "31 and 32")
}

func TestProofOfTheNewKey(t *testing.T) {
	next, thief := keys(t), keys(t)
	proof := trust.KeyProof(next, "web1")
	if err := trust.CheckKeyProof(proof, "web1", next.SignPublic(), next.SealPublic()); err != nil {
		t.Fatal(err)
	}
	denied(t, trust.CheckKeyProof(proof, "web2", next.SignPublic(), next.SealPublic()), "new key")
	denied(t, trust.CheckKeyProof(proof, "web1", next.SignPublic(), thief.SealPublic()), "new key")
	denied(t, trust.CheckKeyProof(trust.KeyProof(thief, "web1"), "web1", next.SignPublic(), next.SealPublic()), "new key")
	invalid(t, trust.CheckKeyProof(proof, "web1", nil, nil), "keys of 0 and 0 bytes")
}

func TestLogins(t *testing.T) {
	a, _ := authority(t, newClock())
	token, other := trust.NewJoinToken(a.Root(), nil), trust.NewJoinToken(a.Root(), nil)
	key, thief := keys(t).ID(), keys(t).ID()

	t.Run("joining", func(t *testing.T) {
		pass := token.LoginPasscode(key)
		if id, err := trust.JoinTokenID(pass); err != nil || id != token.ID {
			t.Errorf("%q, %v", id, err)
		}
		if err := trust.CheckJoinLogin(token.Secret, pass, key); err != nil {
			t.Error(err)
		}
		denied(t, trust.CheckJoinLogin(token.Secret, pass, thief), "proof")
		denied(t, trust.CheckJoinLogin(other.Secret, pass, key), "proof")
		denied(t, trust.CheckJoinLogin(token.Secret, token.ID+".", key), "passcode")
		denied(t, trust.CheckJoinLogin(token.Secret, "", key), "passcode")
		denied(t, trust.CheckJoinLogin(token.Secret, strings.Repeat("x", 200)+".AAAA", key), "passcode")
		if got, err := trust.ParseJoinClientID(trust.JoinClientID(key)); err != nil || got != key {
			t.Errorf("%q, %v", got, err)
		}
		for _, id := range []string{"", "join.", "join.web1", key, "join." + strings.ToUpper(key), "join." + key + "0"} {
			_, err := trust.ParseJoinClientID(id)
			invalid(t, err, "client-id")
		}
	})
	t.Run("enrolled", func(t *testing.T) {
		pass := trust.NodePasscode(a.LoginKey(), "web1", key)
		if got, err := trust.CheckNodePasscode(a.LoginKey(), "web1", pass); err != nil || got != key {
			t.Errorf("%q, %v", got, err)
		}
		mac := pass[strings.IndexByte(pass, '.'):]
		for _, c := range []struct {
			id   fettle.NodeID
			pass string
		}{{"web2", pass}, {"web1", thief + mac}, {"web1", key + ".AAAA"}, {"web1", key}, {"web1", ""}, {"web1", token.LoginPasscode(key)}} {
			_, err := trust.CheckNodePasscode(a.LoginKey(), c.id, c.pass)
			denied(t, err, "passcode")
		}
		_, err := trust.CheckNodePasscode(token.Secret, "web1", pass)
		denied(t, err, "passcode")
	})
}

func TestSealedInputs(t *testing.T) {
	k, thief := keys(t), keys(t)
	value := map[string]any{"user": "root", "words": []any{"correct", "horse"}}
	sealed, err := trust.SealInput(k.SealPublic(), "task1", "password", value)
	if err != nil {
		t.Fatal(err)
	}
	inputs := map[string]any{"password": sealed, "name": "db1", "object": map[string]any{"a": "b"}}
	got, err := trust.OpenInputs(k.Seal, "task1", inputs)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"password": value, "name": "db1", "object": map[string]any{"a": "b"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !trust.IsSealed(inputs["password"]) || trust.IsSealed(inputs["object"]) || trust.IsSealed("x") {
		t.Error("what is sealed is not told apart; or opening changed the inputs")
	}

	t.Run("opened with another node's key", func(t *testing.T) {
		_, err := trust.OpenInputs(thief.Seal, "task1", inputs)
		denied(t, err, "input password")
	})
	t.Run("opened with another task's id", func(t *testing.T) {
		_, err := trust.OpenInputs(k.Seal, "task2", inputs)
		denied(t, err, "input password")
	})
	t.Run("moved to another input", func(t *testing.T) {
		_, err := trust.OpenInputs(k.Seal, "task1", map[string]any{"message": sealed})
		denied(t, err, "input message")
	})
	t.Run("tampered with", func(t *testing.T) {
		text := []byte(sealed[trust.SealedKey].(string))
		text[60] ^= 1
		_, err := trust.OpenInputs(k.Seal, "task1", map[string]any{"password": map[string]any{trust.SealedKey: string(text)}})
		if !errors.Is(err, fettle.ErrDenied) && !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("it is opened: %v", err)
		}
	})
	t.Run("no key", func(t *testing.T) {
		_, err := trust.OpenInputs(nil, "task1", inputs)
		denied(t, err, "no key")
	})
	for _, bad := range []any{7, "!", "", "QUJD"} {
		_, err := trust.OpenInputs(k.Seal, "task1", map[string]any{"x": map[string]any{trust.SealedKey: bad}})
		if err == nil {
			t.Errorf("%v is opened", bad)
		}
	}
	_, err = trust.SealInput([]byte("short"), "t", "x", 1)
	invalid(t, err, "seal input x")
	_, err = trust.SealInput(k.SealPublic(), "t", "x", func() {})
	invalid(t, err, "seal input x")
}

func TestDerivedKeysAreTheSameAgain(t *testing.T) {
	secret := []byte(strings.Repeat("s", 32))
	derive := func(secret []byte, id fettle.NodeID) trust.NodeKeys {
		k, err := trust.DeriveNodeKeys(secret, id)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	a, b := derive(secret, "emu00001"), derive(secret, "emu00001")
	if a.ID() != b.ID() || string(a.SealPublic()) != string(b.SealPublic()) || !trust.IsKeyID(a.ID()) {
		t.Error("the same node has other keys")
	}
	if a.ID() == derive(secret, "emu00002").ID() || a.ID() == derive([]byte("another"), "emu00001").ID() {
		t.Error("another node has the same keys")
	}
}

func TestNodeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), trust.NodeFileName)
	a, _ := authority(t, newClock())
	f := trust.NodeFile{
		Identity: "web1", Keys: keys(t), Next: keys(t), Before: keys(t), Machine: trust.Machine{ID: "m", DMI: "d"}, Root: a.Root(), CA: "pem",
		Passcode: "p", Enrolled: true, MinEpoch: 3, Seen: 4, Made: 5,
	}
	for range 2 { // the second replaces the first
		if err := f.Write(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := trust.ReadNodeFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.Keys.ID() != f.Keys.ID() || got.Next.ID() != f.Next.ID() || !got.Before.Seal.Equal(f.Before.Seal) {
		t.Error("the keys are others")
	}
	if diff := cmp.Diff(f, got, cmpopts.IgnoreFields(trust.NodeFile{}, "Keys", "Next", "Before")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if list, _ := os.ReadDir(filepath.Dir(path)); len(list) != 1 {
		t.Errorf("%d files are left", len(list))
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err = trust.ReadNodeFile(path)
	denied(t, err, "chmod 600")
	if _, err = trust.ReadNodeFile(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for _, text := range []string{"", "{", "{}", `{"identity":"web1"}`, `{"identity":"web1","keys":{"sign":"AA==","seal":"AA=="}}`} {
		if err := os.WriteFile(path+"y", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := trust.ReadNodeFile(path + "y")
		invalid(t, err, "node key")
	}
}

func TestACopiedMachineIsKnown(t *testing.T) {
	a := trust.Machine{ID: "1", DMI: "x"}
	for other, want := range map[trust.Machine]bool{
		a: false, {}: false, {ID: "1"}: false, {DMI: "x"}: false,
		{ID: "2", DMI: "x"}: true, {ID: "1", DMI: "y"}: true, {DMI: "y"}: true,
	} {
		if a.CopiedTo(other) != want {
			t.Errorf("%+v to %+v: want %v", a, other, want)
		}
	}
	if a.Digest() == (trust.Machine{ID: "1", DMI: "y"}).Digest() || (trust.Machine{}).Digest() != "" {
		t.Error("digests")
	}
	trust.ThisMachine() // whatever it is, there is one
}

func TestReplays(t *testing.T) {
	r := trust.NewReplays(8)
	id := wire.NewID()
	if err := r.Check(id, 100); err != nil {
		t.Fatal(err)
	}
	r.Note(id, 100, 200, 100)
	denied(t, r.Check(id, 100), "came before")
	denied(t, r.Check(strings.ToUpper(id), 100), "came before")
	invalid(t, r.Check("x", 100), "message id")

	t.Run("what has expired makes room", func(t *testing.T) {
		r := trust.NewReplays(8)
		for i := range 8 {
			r.Note(wire.NewID(), 100, fettle.Millis(200+i), 100)
		}
		r.Note(wire.NewID(), 300, 400, 300)
		if r.Len() != 1 {
			t.Errorf("%d are remembered", r.Len())
		}
		if err := r.Check(wire.NewID(), 50); err != nil {
			t.Errorf("nothing was let go, and yet: %v", err)
		}
	})
	t.Run("a full memory refuses what is older than what it let go", func(t *testing.T) {
		r := trust.NewReplays(8)
		var ids []string
		for i := range 20 {
			ids = append(ids, wire.NewID())
			r.Note(ids[i], fettle.Millis(1000+i), 1e6, 1000)
		}
		if r.Len() > 8 {
			t.Errorf("%d are remembered", r.Len())
		}
		for i, id := range ids {
			if err := r.Check(id, fettle.Millis(1000+i)); err == nil {
				t.Errorf("message %d is taken again", i)
			}
		}
		if err := r.Check(wire.NewID(), 1020); err != nil {
			t.Errorf("a new one is refused: %v", err)
		}
	})
}
