package wire_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// far is the broker's end of a connection.
type far struct {
	net.Conn
	address string
	in      *frame.Reader
}

// calls takes the place of the network: each dial gives one far end.
type calls chan *far

func (c calls) dial(ctx context.Context, _, address string) (net.Conn, error) {
	near, other := net.Pipe()
	select {
	case c <- &far{Conn: other, address: address, in: frame.NewReader(other)}:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *far) read(t *testing.T) *frame.Frame {
	t.Helper()
	for {
		got, err := f.in.Read()
		if err != nil {
			t.Fatal(err)
		}
		if got != nil {
			return got
		}
	}
}

func (f *far) say(t *testing.T, command string, header ...string) {
	f.sayWith(t, nil, command, header...)
}

func (f *far) sayWith(t *testing.T, body []byte, command string, header ...string) {
	t.Helper()
	fr := frame.New(command, header...)
	fr.Body = body
	var b bytes.Buffer
	if err := frame.NewWriter(&b).Write(fr); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
}

// accept logs the link in and reads its subscriptions.
func (f *far) accept(t *testing.T, header ...string) *frame.Frame {
	t.Helper()
	connect := f.read(t)
	f.say(t, "CONNECTED", append([]string{"version", "1.2"}, header...)...)
	for range 2 {
		if got := f.read(t); got.Command != "SUBSCRIBE" || got.Header.Get("receipt") != "" {
			t.Fatalf("got %v, want a SUBSCRIBE without a receipt", got)
		}
	}
	return connect
}

// heard records what a link says.
type heard struct {
	connected chan string
	received  chan *wire.Delivery
	lost      chan error
}

func (h heard) Connected(server string)   { h.connected <- server }
func (h heard) Received(d *wire.Delivery) { h.received <- d }
func (h heard) Lost(err error)            { h.lost <- err }

type linkTest struct {
	*testing.T
	*wire.Link
	heard
	calls
	stop context.CancelFunc
	end  chan error
}

// link runs a link in a bubble, where time passes only when everyone waits.
func link(t *testing.T, change func(*wire.LinkConfig), f func(l linkTest)) {
	synctest.Test(t, func(t *testing.T) {
		cfg := wire.DefaultLink()
		cfg.Servers, cfg.Login, cfg.Passcode, cfg.ClientID = []string{"stomp://one", "stomp://two:99"}, "node", `pa:ss\word`, "web1"
		cfg.Dialect, _ = wire.DialectOf("embedded")
		cfg.Subscriptions = []wire.Subscription{
			{Destination: "/queue/fettle.node.web1", Prefetch: 32, Header: []wire.Field{{Name: "x", Value: "y"}}},
			{Destination: "/topic/fettle.all", Auto: true},
		}
		h := heard{make(chan string, 100), make(chan *wire.Delivery, 100), make(chan error, 100)}
		c := make(calls)
		cfg.Dial = c.dial
		if change != nil {
			change(&cfg)
		}
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		l := linkTest{t, wire.NewLink(cfg, h, slog.New(slog.DiscardHandler)), h, c, stop, make(chan error, 1)}
		go func() { l.end <- l.Link.Run(ctx) }()
		f(l)
		stop()
		if err := <-l.end; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestLinkLogsInAndSubscribes(t *testing.T) {
	link(t, nil, func(l linkTest) {
		f := <-l.calls
		if f.address != "one:61613" {
			t.Errorf("dialled %s", f.address)
		}
		raw := make([]byte, 1024)
		n, err := f.Read(raw)
		if err != nil {
			t.Fatal(err)
		}
		want := "CONNECT\naccept-version:1.1,1.2\nhost:one\nheart-beat:30000,30000\nlogin:node\npasscode:pa:ss\\word\nclient-id:web1\n\n\x00"
		if diff := cmp.Diff(want, string(raw[:n])); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		f.say(t, "CONNECTED", "version", "1.2")
		for _, want := range []string{"id:0 destination:/queue/fettle.node.web1 ack:client-individual prefetch-count:32 x:y", "id:1 destination:/topic/fettle.all ack:auto"} {
			got := f.read(t)
			var header []string
			for i := range got.Header.Len() {
				name, value := got.Header.GetAt(i)
				header = append(header, name+":"+value)
			}
			if diff := cmp.Diff(want, strings.Join(header, " ")); diff != "" {
				t.Errorf("SUBSCRIBE (-want +got):\n%s", diff)
			}
		}
		if server := <-l.connected; server != "stomp://one" || !l.Link.Connected() {
			t.Errorf("connected to %s", server)
		}
	})
}

func TestLinkReceivesAndAcknowledges(t *testing.T) {
	link(t, nil, func(l linkTest) {
		f := <-l.calls
		f.accept(t)
		f.sayWith(t, []byte("one"), "MESSAGE", "subscription", "0", "message-id", "m1", "ack", "a1", "destination", "/queue/fettle.node.web1", "fettle-sig", "k:s")
		f.sayWith(t, []byte("two"), "MESSAGE", "subscription", "1", "message-id", "m2", "destination", "/topic/fettle.all")
		one, two := <-l.received, <-l.received
		if string(one.Message.Body) != "one" || one.Message.Get("fettle-sig") != "k:s" || one.Destination != "/queue/fettle.node.web1" {
			t.Errorf("received %+v", one)
		}
		go func() {
			if err := errors.Join(two.Ack(), one.Ack()); err != nil {
				t.Error(err)
			}
		}()
		if got := f.read(t); got.Command != "ACK" || got.Header.Get("id") != "a1" {
			t.Errorf("got %v", got)
		}
		f.Close()
		<-l.lost
		if err := one.Ack(); !errors.Is(err, fettle.ErrUnavailable) {
			t.Errorf("an ACK on a connection that is gone: %v", err)
		}
	})
}

func TestLinkAcknowledgesInSTOMP11(t *testing.T) {
	link(t, nil, func(l linkTest) {
		f := <-l.calls
		f.read(t)
		f.say(t, "CONNECTED", "version", "1.1")
		f.read(t)
		f.read(t)
		f.say(t, "MESSAGE", "subscription", "0", "message-id", "m1")
		d := <-l.received
		go func() { _ = d.Ack() }()
		if got := f.read(t); got.Header.Get("subscription") != "0" || got.Header.Get("message-id") != "m1" {
			t.Errorf("got %v", got)
		}
	})
}

func TestLinkPostsUntilTheReceipt(t *testing.T) {
	link(t, func(c *wire.LinkConfig) { c.Window, c.WindowBytes = 3, 100 }, func(l linkTest) {
		if err := l.Send("/queue/x", wire.Message{}); !errors.Is(err, fettle.ErrUnavailable) {
			t.Errorf("send before there is a connection: %v", err)
		}
		f := <-l.calls
		f.accept(t)
		<-l.connected
		done := make(chan error, 10)
		post := func(n int) error {
			return l.Post("/queue/fettle.results", wire.Message{Body: make([]byte, n)}, func(err error) { done <- err })
		}
		var sent []*frame.Frame
		reading := make(chan struct{})
		go func() {
			defer close(reading)
			for range 4 {
				if fr, err := f.in.Read(); err == nil {
					sent = append(sent, fr)
				}
			}
		}()
		for i, n := range []int{50, 50} {
			if err := post(n); err != nil {
				t.Fatalf("post %d: %v", i, err)
			}
		}
		if err := post(1); !errors.Is(err, wire.ErrWindow) {
			t.Errorf("more bytes than the window has: %v", err)
		}
		synctest.Wait()
		f.say(t, "RECEIPT", "receipt-id", sent[0].Header.Get("receipt"))
		f.say(t, "RECEIPT", "receipt-id", "never asked for")
		if err := <-done; err != nil {
			t.Error(err)
		}
		for _, n := range []int{1, 1} {
			if err := post(n); err != nil {
				t.Fatal(err)
			}
		}
		if err := post(1); !errors.Is(err, wire.ErrWindow) {
			t.Errorf("more messages than the window has: %v", err)
		}
		<-reading
		f.Close()
		for range 3 {
			if err := <-done; !errors.Is(err, fettle.ErrUnavailable) {
				t.Errorf("a post without a receipt: %v", err)
			}
		}
		<-l.lost
	})
}

func TestLinkTakesALateReceiptForADeadConnection(t *testing.T) {
	link(t, nil, func(l linkTest) {
		f := <-l.calls
		f.accept(t)
		<-l.connected
		began := time.Now()
		go func() { _, _ = f.in.Read() }()
		done := make(chan error, 1)
		if err := l.Post("/queue/x", wire.Message{}, func(err error) { done <- err }); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, fettle.ErrUnavailable) || time.Since(began) < 30*time.Second || time.Since(began) > 31*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		<-l.lost
		(<-l.calls).accept(t)
	})
}

func TestLinkBeats(t *testing.T) {
	link(t, nil, func(l linkTest) {
		f := <-l.calls
		f.accept(t, "heart-beat", "0,40000")
		began := time.Now()
		for want := 26 * time.Second; want < 2*time.Minute; want += 80 * time.Second / 3 {
			var b [1]byte
			if _, err := io.ReadFull(f, b[:]); err != nil || b[0] != '\n' {
				t.Fatalf("got %q, %v", b, err)
			}
			if at := time.Since(began); at < want-time.Second || at > want+2*time.Second {
				t.Errorf("a heart-beat after %v, want one after %v", at, want)
			}
		}
	})
}

func TestLinkHangsUpOnASilentBroker(t *testing.T) {
	link(t, nil, func(l linkTest) {
		f := <-l.calls
		f.accept(t, "heart-beat", "20000,0")
		began := time.Now()
		<-time.After(50 * time.Second)
		if _, err := f.Write([]byte("\n")); err != nil {
			t.Fatal(err)
		}
		<-l.lost
		if took := time.Since(began); took != 110*time.Second {
			t.Errorf("hung up after %v, want twice 30s after the last sign of life at 50s", took)
		}
		(<-l.calls).Close()
	})
}

func TestLinkFailsOverAndWaitsLonger(t *testing.T) {
	link(t, nil, func(l linkTest) {
		began, last := time.Now(), time.Duration(0)
		for i := range 8 {
			f := <-l.calls
			want, limit := []string{"one:61613", "two:99"}[i%2], min(time.Second<<i, time.Minute)
			if at := time.Since(began); f.address != want || at-last > limit {
				t.Errorf("call %d to %s after %v more, want %s within %v", i, f.address, at-last, want, limit)
			}
			last = time.Since(began)
			f.Close()
		}
		f := <-l.calls
		f.accept(t)
		<-time.After(11 * time.Second)
		f.Close()
		began = time.Now()
		f = <-l.calls
		if took := time.Since(began); f.address != "one:61613" || took > time.Second {
			t.Errorf("after a stable connection: %s after %v", f.address, took)
		}
		f.Close()
	})
}

func TestLinkIsBackWithinASpan(t *testing.T) {
	link(t, nil, func(l linkTest) {
		l.BackWithin(6 * time.Second)
		for range 30 { // without the bound the waits are 20 s in the mean
			(<-l.calls).Close()
			began := time.Now()
			f := <-l.calls
			if waited := time.Since(began); waited > 4*time.Second {
				t.Errorf("it waited %v, and 6s were asked for", waited)
			}
			f.Close()
		}
	})
}

func TestLinkIsToldWhenToComeBack(t *testing.T) {
	link(t, nil, func(l linkTest) {
		f := <-l.calls
		f.accept(t)
		<-l.connected
		l.Redial(20 * time.Second)
		began := time.Now()
		if err := <-l.lost; !strings.Contains(err.Error(), "come back later") {
			t.Errorf("lost: %v", err)
		}
		f = <-l.calls
		if took := time.Since(began); took < 20*time.Second || took > 25*time.Second {
			t.Errorf("back after %v", took)
		}
		f.accept(t)
		began = time.Now()
		f.sayWith(t, []byte("draining\n"), "ERROR", "message", "going down", "retry-after", "40000")
		if err := <-l.lost; !strings.Contains(err.Error(), "the broker says: going down: draining") {
			t.Errorf("lost: %v", err)
		}
		f = <-l.calls
		if took := time.Since(began); took < 40*time.Second || took > 50*time.Second {
			t.Errorf("back after %v", took)
		}
		f.Close()
	})
}

func TestALoginThatComesTooSoonIsToldWhenToComeBack(t *testing.T) {
	link(t, nil, func(l linkTest) {
		f := <-l.calls
		f.read(t)
		began := time.Now()
		f.say(t, "ERROR", "message", "too many at once", "retry-after", "20000")
		f = <-l.calls
		if took := time.Since(began); took < 20*time.Second || took > 25*time.Second {
			t.Errorf("back after %v", took)
		}
		f.Close()
	})
}

func TestLinkRefusals(t *testing.T) {
	for name, answer := range map[string]func(f *far){
		"a login that is refused":    func(f *far) { f.say(t, "ERROR", "message", "access refused") },
		"another version":            func(f *far) { f.say(t, "CONNECTED", "version", "1.0") },
		"something else":             func(f *far) { f.say(t, "RECEIPT", "receipt-id", "1") },
		"no frame at all":            func(f *far) { fmt.Fprint(f, "HTTP/1.1 400 Bad Request\r\n") },
		"a body of four GiB":         func(f *far) { fmt.Fprint(f, "CONNECTED\ncontent-length:4294967295\n\n") },
		"a head without end":         func(f *far) { _, _ = f.Write(bytes.Repeat([]byte("x"), 17<<10)) },
		"a broker that says nothing": func(*far) {},
	} {
		t.Run(name, func(t *testing.T) {
			link(t, nil, func(l linkTest) {
				f := <-l.calls
				f.read(t)
				go answer(f)
				began := time.Now()
				f = <-l.calls // it tries another
				if f.address != "two:99" || time.Since(began) > 12*time.Second {
					t.Errorf("%s after %v", f.address, time.Since(began))
				}
				f.accept(t)
			})
		})
	}
}

func TestLinkHangsUpOnAFrameOutOfBounds(t *testing.T) {
	for name, raw := range map[string]string{
		"content-length": "MESSAGE\nsubscription:0\ncontent-length:4194305\n\n",
		"no length":      "MESSAGE\nsubscription:0\n\n" + strings.Repeat("x", 5<<20),
	} {
		t.Run(name, func(t *testing.T) {
			link(t, nil, func(l linkTest) {
				f := <-l.calls
				f.accept(t)
				go fmt.Fprint(f, raw)
				if err := <-l.lost; !errors.Is(err, fettle.ErrInvalid) {
					t.Errorf("lost: %v", err)
				}
			})
		})
	}
}

func TestLinkSaysGoodbye(t *testing.T) {
	link(t, nil, func(l linkTest) {
		f := <-l.calls
		f.accept(t)
		<-l.connected
		l.stop()
		if got := f.read(t); got.Command != "DISCONNECT" {
			t.Errorf("got %v", got)
		}
	})
}

func TestLinkToABrokerThatDoesNotRead(t *testing.T) {
	link(t, nil, func(l linkTest) {
		f := <-l.calls
		f.accept(t)
		<-l.connected
		began := time.Now()
		if err := l.Send("/queue/x", wire.Message{}); !errors.Is(err, fettle.ErrUnavailable) || time.Since(began) != 10*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		<-l.lost
	})
}

func TestLinkConfig(t *testing.T) {
	for _, bad := range []string{"", "http://a", "stomp://", "a:1", "stomp://a/b", "stomp://u:p@a", "stomp://a:b"} {
		cfg := wire.DefaultLink()
		cfg.Servers = []string{"stomp://good", bad}
		if err := cfg.Validate(); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	cfg := wire.DefaultLink()
	cfg.Passcode = "a\nb"
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "none is given") || !strings.Contains(err.Error(), "line break") {
		t.Errorf("not all faults are told: %v", err)
	}
}

// certificate makes one for a name, signed by itself, and a pool that trusts it.
func certificate(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: private}, pool
}

func TestLinkByTLS(t *testing.T) {
	for name, ok := range map[string]bool{"broker.acme.net": true, "other.acme.net": false} {
		t.Run(name, func(t *testing.T) {
			var cert tls.Certificate
			trust := func(c *wire.LinkConfig) {
				var pool *x509.CertPool
				cert, pool = certificate(t, name)
				c.Servers, c.TLS = []string{"stomps://broker.acme.net"}, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
			}
			link(t, trust, func(l linkTest) {
				f := <-l.calls
				if f.address != "broker.acme.net:61614" {
					t.Errorf("dialled %s", f.address)
				}
				secure := tls.Server(f.Conn, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13})
				err := secure.HandshakeContext(l.Context())
				if !ok {
					if err == nil {
						_, err = secure.Read(make([]byte, 1))
					}
					if err == nil || !strings.Contains(err.Error(), "certificate") {
						t.Errorf("the certificate of another name is taken: %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				f.Conn, f.in = secure, frame.NewReader(secure)
				if got := f.accept(t); got.Header.Get("client-id") != "web1" {
					t.Errorf("got %v", got)
				}
				<-l.connected
			})
		})
	}
}
