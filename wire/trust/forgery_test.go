package trust_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// seal has a server send something.
func seal(t testing.TB, c *clock, s wire.Signer) wire.Message {
	t.Helper()
	m, err := wire.Seal(wire.Envelope{Type: wire.TypeCancel, From: wire.Server, To: "web1", At: c.millis()}, wire.Cancel{Tasks: []fettle.TaskID{"t"}}, s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// with gives m with another value in one header.
func with(m wire.Message, name, value string) wire.Message {
	out := wire.Message{Body: m.Body}
	for _, f := range m.Header {
		if f.Name == name {
			f.Value = value
		}
		out.Header = append(out.Header, f)
	}
	return out
}

func TestAServersMessageIsTaken(t *testing.T) {
	c := newClock()
	a, _ := authority(t, c)
	pin := trust.NewPinned(a.Root(), 0, c.exact)
	for range 3 {
		if _, err := wire.Open(seal(t, c, a), pin, c.millis()); err != nil {
			t.Fatal(err)
		}
	}
	if pin.MinEpoch() != 1 {
		t.Errorf("epoch %d", pin.MinEpoch())
	}
}

func TestForgeries(t *testing.T) {
	c := newClock()
	a, _ := authority(t, c)
	other, _ := authority(t, c)
	node := keys(t)
	good := seal(t, c, a)
	open := func(m wire.Message) error {
		_, err := wire.Open(m, trust.NewPinned(a.Root(), 0, c.exact), c.millis())
		return err
	}
	if err := open(good); err != nil {
		t.Fatal(err)
	}
	cert := func(m wire.Message) string { return m.Get(wire.HeaderCertificate) }

	t.Run("unsigned", func(t *testing.T) { denied(t, open(seal(t, c, nil)), "not signed") })
	t.Run("signed by a node, without a certificate", func(t *testing.T) { denied(t, open(seal(t, c, node.Signer())), "no server's certificate") })
	t.Run("signed by a node, with the server's certificate", func(t *testing.T) {
		m := seal(t, c, node.Signer())
		m.Header = append(m.Header, wire.Field{Name: wire.HeaderCertificate, Value: cert(good)})
		denied(t, open(m), "another key")
	})
	t.Run("signed by a wrong key under the server's name", func(t *testing.T) {
		m := seal(t, c, wire.KeySigner{ID: trust.KeyID(a.Certificate().Key), Key: node.Sign})
		m.Header = append(m.Header, wire.Field{Name: wire.HeaderCertificate, Value: cert(good)})
		denied(t, open(m), "is not right")
	})
	t.Run("tampered body", func(t *testing.T) {
		denied(t, open(wire.Message{Header: good.Header, Body: bytes.Replace(good.Body, []byte(`"t"`), []byte(`"u"`), 1)}), "is not right")
	})
	t.Run("the signature of another message", func(t *testing.T) {
		denied(t, open(with(good, "fettle-sig", seal(t, c, a).Get("fettle-sig"))), "is not right")
	})
	t.Run("a certificate signed by another root", func(t *testing.T) {
		denied(t, open(seal(t, c, other)), "not signed by this fleet's root")
	})
	t.Run("another root's certificate on a good message", func(t *testing.T) {
		denied(t, open(with(good, wire.HeaderCertificate, cert(seal(t, c, other)))), "not signed by this fleet's root")
	})
	t.Run("a tampered certificate", func(t *testing.T) {
		text := []byte(cert(good))
		for i := range text {
			was := text[i]
			if text[i] = 'A'; was == 'A' {
				text[i] = 'B'
			}
			if err := open(with(good, wire.HeaderCertificate, string(text))); !errors.Is(err, fettle.ErrDenied) {
				t.Errorf("character %d: %v", i, err)
			}
			text[i] = was
		}
	})
	t.Run("no certificate at all in the header", func(t *testing.T) {
		for _, text := range []string{"x", string(make([]byte, 600))} {
			denied(t, open(with(good, wire.HeaderCertificate, text)), "certificate")
		}
	})
	t.Run("a server's message in a node's name", func(t *testing.T) {
		m, err := wire.Seal(wire.Envelope{Type: wire.TypeBeat, From: "web2", At: c.millis()}, wire.Beat{}, a)
		if err != nil {
			t.Fatal(err)
		}
		denied(t, open(m), "from web2, and server signed it")
	})
}

func TestCertificateDates(t *testing.T) {
	c := newClock()
	a, _ := authority(t, c)
	m := seal(t, c, a)
	at := func(d time.Duration, exact bool) error {
		now := c.millis().Add(d)
		_, err := wire.Open(m, trust.NewPinned(a.Root(), 0, func() (fettle.Millis, bool) { return now, exact }), 0)
		return err
	}
	const year = 365 * 24 * time.Hour
	for _, d := range []time.Duration{0, -time.Minute, time.Hour, year} {
		if err := at(d, true); err != nil {
			t.Errorf("after %v: %v", d, err)
		}
	}
	denied(t, at(year+time.Hour, true), "certificate ended")
	denied(t, at(-time.Hour, true), "certificate begins")
	denied(t, at(year+time.Hour, false), "certificate ended")
	if err := at(-time.Hour, false); err != nil {
		t.Errorf("a node that does not know the time yet: %v", err)
	}
	pin := trust.NewPinned(a.Root(), 0, c.exact)
	denied(t, pin.Holds(m, c.millis().Add(2*year)), "certificate ended")
	if err := pin.Holds(m, c.millis()); err != nil {
		t.Error(err)
	}
}

func TestRotationOfTheServerKey(t *testing.T) {
	c := newClock()
	a, dir := authority(t, c)
	away := trust.NewPinned(a.Root(), 0, c.exact) // hears nothing meanwhile
	pin := trust.NewPinned(a.Root(), 0, c.exact)
	open := func(p *trust.Pinned, m wire.Message) error {
		_, err := wire.Open(m, p, c.millis())
		return err
	}
	first, login := seal(t, c, a), a.LoginKey()
	if err := a.Rotate(false); err != nil {
		t.Fatal(err)
	}
	second := seal(t, c, a)
	for range 2 { // in either order: nothing on its way is lost
		if err := errors.Join(open(pin, second), open(pin, first)); err != nil {
			t.Fatal(err)
		}
	}
	if first.Get(wire.HeaderCertificate) == second.Get(wire.HeaderCertificate) {
		t.Fatal("the key was not changed")
	}
	c.pass(25 * time.Hour)
	again, err := trust.OpenAuthority(dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, trust.RootFile)); err != nil { // the overlap ends without the root
		t.Fatal(err)
	}
	if err := open(pin, seal(t, c, again)); err != nil {
		t.Fatal(err)
	}
	denied(t, open(pin, first), "epoch 1, and keys before 2 were revoked")
	if err := open(away, seal(t, c, again)); err != nil {
		t.Errorf("a node that was away: %v", err)
	}
	if !bytes.Equal(login, again.LoginKey()) {
		t.Error("nodes have to get new passcodes")
	}
}

func TestRevokingTheOldServerKey(t *testing.T) {
	c := newClock()
	a, _ := authority(t, c)
	stolen := seal(t, c, a)
	pin := trust.NewPinned(a.Root(), 0, c.exact)
	if err := a.Rotate(true); err != nil {
		t.Fatal(err)
	}
	if _, err := wire.Open(seal(t, c, a), pin, 0); err != nil {
		t.Fatal(err)
	}
	_, err := wire.Open(stolen, pin, 0)
	denied(t, err, "revoked")
	_, err = wire.Open(stolen, trust.NewPinned(a.Root(), pin.MinEpoch(), c.exact), 0)
	denied(t, err, "revoked")
}

func TestTheFleetRootMayBeMovedAway(t *testing.T) {
	c := newClock()
	a, dir := authority(t, c)
	here, away := filepath.Join(dir, trust.RootFile), filepath.Join(t.TempDir(), "safe")
	if err := os.Rename(here, away); err != nil {
		t.Fatal(err)
	}
	reopen := func() *trust.Authority {
		a, err := trust.OpenAuthority(dir, c.now)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if b := reopen(); b.HasRoot() || !b.Root().Equal(a.Root()) || b.Certificate().String() != a.Certificate().String() {
		t.Error("without its root the server is another one")
	}
	if err := a.Rotate(false); !errors.Is(err, fettle.ErrUnavailable) {
		t.Errorf("a key is certified without a root: %v", err)
	}
	c.pass(200 * 24 * time.Hour)
	if renewed, err := a.Renew(); renewed || err != nil {
		t.Errorf("with months left: %v, %v", renewed, err)
	}
	c.pass(150 * 24 * time.Hour)
	if renewed, err := reopen().Renew(); renewed || !errors.Is(err, fettle.ErrUnavailable) {
		t.Errorf("with days left: %v, %v", renewed, err)
	}
	before := a.Certificate()
	if err := os.Rename(away, here); err != nil {
		t.Fatal(err)
	}
	if renewed, err := a.Renew(); !renewed || err != nil {
		t.Errorf("with the root back: %v, %v", renewed, err)
	}
	if after := a.Certificate(); !after.Key.Equal(before.Key) || after.NotAfter <= before.NotAfter || after.Epoch != before.Epoch {
		t.Error("it is not the same key for longer")
	}
	other, otherDir := authority(t, c)
	if err := errors.Join(os.Remove(here), os.Rename(filepath.Join(otherDir, trust.RootFile), here)); err != nil {
		t.Fatal(err)
	}
	if err := a.Rotate(false); !errors.Is(err, fettle.ErrConflict) || other == nil {
		t.Errorf("another fleet's root certifies: %v", err)
	}
}

func TestAServerKeyThatIsLostIsReplacedUnderTheSameRoot(t *testing.T) {
	c := newClock()
	a, dir := authority(t, c)
	if err := os.Remove(filepath.Join(dir, trust.ServerFile)); err != nil {
		t.Fatal(err)
	}
	b, err := trust.OpenAuthority(dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	if !b.Root().Equal(a.Root()) || b.Certificate().Epoch <= a.Certificate().Epoch {
		t.Error("an epoch is given twice, or the root is another one")
	}
	for _, name := range []string{trust.RootFile, trust.ServerFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	for _, text := range []string{"", "{}", `{"key":"AA=="}`} {
		if err := os.WriteFile(filepath.Join(dir, trust.ServerFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := trust.OpenAuthority(dir, c.now)
		invalid(t, err, "server key")
	}
}
