package wire_test

import (
	"errors"
	"fmt"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

func TestWhoLogsInIsAskedBeforeEachConnection(t *testing.T) {
	asked, refused := 0, 0
	var why error
	link(t, func(c *wire.LinkConfig) {
		c.Identify = func() wire.LinkIdentity {
			asked++
			return wire.LinkIdentity{Login: "me", Passcode: fmt.Sprint("pass", asked), ClientID: "id"}
		}
		c.Refused = func(err error) { refused++; why = err }
	}, func(l linkTest) {
		f := <-l.calls
		if got := f.read(t); got.Header.Get("login") != "me" || got.Header.Get("passcode") != "pass1" || got.Header.Get("client-id") != "id" {
			t.Errorf("the first login: %v", got.Header)
		}
		f.say(t, "ERROR", "message", "the passcode is not right")
		f = <-l.calls
		if refused != 1 || !errors.Is(why, fettle.ErrUnavailable) {
			t.Errorf("told %d times: %v", refused, why)
		}
		f.read(t)
		f.say(t, "ERROR", "message", "too many at once", "retry-after", "1000")
		f = <-l.calls
		if refused != 1 {
			t.Error("a login that came too soon is taken for a refusal")
		}
		if got := f.accept(t); got.Header.Get("passcode") != "pass3" {
			t.Errorf("the third login: %v", got.Header)
		}
		<-l.connected
	})
}

// vouched signs with a certificate.
type vouched struct{ wire.KeySigner }

func (v vouched) Sign(body []byte) wire.Signature {
	sig := v.KeySigner.Sign(body)
	sig.Certificate = "certificate"
	return sig
}

// witness keeps the signature that it was shown.
type witness struct {
	wire.KeyRing
	seen wire.Signature
}

func (w *witness) Verify(sig wire.Signature, body []byte) (string, error) {
	w.seen = sig
	return w.KeyRing.Verify(sig, body)
}

func TestACertificateTravelsWithTheSignature(t *testing.T) {
	m, err := wire.Seal(envelope(), wire.Ask{}, vouched{wire.KeySigner{ID: "s1", Key: key(1)}})
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{KeyRing: ring()}
	if _, err := wire.Open(m, w, now); err != nil || w.seen.Certificate != "certificate" || w.seen.KeyID != "s1" {
		t.Errorf("%+v, %v", w.seen, err)
	}
	m.Header = append([]wire.Field{{Name: wire.HeaderCertificate, Value: string(make([]byte, 1000))}}, m.Header...)
	if _, err := wire.Open(m, w, now); !errors.Is(err, fettle.ErrDenied) {
		t.Errorf("a certificate of any size is looked at: %v", err)
	}
}

func TestJoinDestinations(t *testing.T) {
	eu := wire.Destinations{Collective: "eu"}
	if eu.Join("k") != "/queue/eu.join.k" {
		t.Error(eu.Join("k"))
	}
	for dest, want := range map[string]string{"/queue/eu.join.k": "k", "/queue/eu.join.": "", "/queue/fettle.join.k": "", "/queue/eu.node.k": "", "/topic/eu.join.k": ""} {
		if got, ok := eu.IsJoin(dest); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %v", dest, got, ok)
		}
	}
}
