package broker

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3"
	stompframe "github.com/go-stomp/stomp/v3/frame"
)

// versionsOf are those that go-stomp's client speaks with us.
var versionsOf = []stomp.Version{stomp.V11, stomp.V12}

func dialStomp(t *testing.T, r *rig, v stomp.Version, opts ...func(*stomp.Conn) error) *stomp.Conn {
	t.Helper()
	opts = append([]func(*stomp.Conn) error{
		stomp.ConnOpt.Login("joe", "secret"), stomp.ConnOpt.AcceptVersion(v), stomp.ConnOpt.HeartBeat(time.Minute, time.Minute),
		stomp.ConnOpt.UnsubscribeReceiptTimeout(200 * time.Millisecond),
	}, opts...)
	c, err := stomp.Dial("tcp", r.addr, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.MustDisconnect() })
	if c.Version() != v {
		t.Fatalf("agreed on %s, want %s", c.Version(), v)
	}
	return c
}

// unsubscribe ends s. The client's wait for the receipt misses it now and then, because it looks before it listens: so the broker is asked.
func unsubscribe(t *testing.T, r *rig, s *stomp.Subscription) {
	t.Helper()
	before := r.Stats().Subscriptions
	if err := s.Unsubscribe(); err != nil && !strings.Contains(err.Error(), "unsubscribe receipt timeout") {
		t.Fatal(err)
	}
	if n := r.Stats().Subscriptions; n != before-1 {
		t.Errorf("%d subscriptions, want %d", n, before-1)
	}
}

func receive(t *testing.T, s *stomp.Subscription) *stomp.Message {
	t.Helper()
	select {
	case m := <-s.C:
		if m == nil || m.Err != nil {
			t.Fatalf("the subscription ended: %+v", m)
		}
		return m
	case <-time.After(patience):
		t.Fatal("no message came")
		return nil
	}
}

func TestStompClient(t *testing.T) {
	for _, v := range versionsOf {
		t.Run(string(v), func(t *testing.T) {
			t.Run("a topic reaches its subscribers", func(t *testing.T) { stompTopic(t, newRig(t, nil), v) })
			t.Run("a queue's messages are acknowledged one by one", func(t *testing.T) { stompQueue(t, newRig(t, nil), v) })
			t.Run("a transaction is all or nothing", func(t *testing.T) { stompTransaction(t, newRig(t, nil), v) })
			t.Run("a receipt follows the commit", func(t *testing.T) { stompCollected(t, newRig(t, nil), v) })
		})
	}
}

func stompTopic(t *testing.T, r *rig, v stomp.Version) {
	a, b := dialStomp(t, r, v), dialStomp(t, r, v)
	sub, err := a.Subscribe("/topic/news", stomp.AckAuto)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "subscription", func() bool { return r.Stats().Subscriptions == 1 })
	odd := "a:b\\c\nd"
	if err := b.Send("/topic/news", "text/plain", []byte("one\x00two"), stomp.SendOpt.Receipt, stomp.SendOpt.Header("odd", odd)); err != nil {
		t.Fatal(err)
	}
	m := receive(t, sub)
	if string(m.Body) != "one\x00two" || m.ContentType != "text/plain" || m.Header.Get("odd") != odd || m.Destination != "/topic/news" {
		t.Errorf("got %+v", m)
	}
	if s := m.Header.Get(SenderHeader); s != "@joe" {
		t.Errorf("sender is %q", s)
	}
	unsubscribe(t, r, sub)
	if s := r.Stats(); len(r.Destinations()) != 0 {
		t.Errorf("the topic is still there: %+v", s)
	}
	if err := a.Disconnect(); err != nil {
		t.Fatal(err)
	}
}

func stompQueue(t *testing.T, r *rig, v stomp.Version) {
	c := dialStomp(t, r, v)
	const n = 100
	for i := range n {
		if err := c.Send("/queue/work", "text/plain", fmt.Appendf(nil, "%d", i), stomp.SendOpt.Receipt); err != nil {
			t.Fatal(err)
		}
	}
	for _, mode := range []stomp.AckMode{stomp.AckClientIndividual, stomp.AckClient} {
		sub, err := c.Subscribe("/queue/work", mode, stomp.SubscribeOpt.Header("prefetch-count", "10"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range n / 2 {
			m := receive(t, sub)
			want := fmt.Sprint(i)
			if mode == stomp.AckClient {
				want = fmt.Sprint(i + n/2)
			}
			if string(m.Body) != want {
				t.Fatalf("message %s came, want %s", m.Body, want)
			}
			if mode == stomp.AckClientIndividual || i%10 == 9 {
				if err := c.Ack(m); err != nil {
					t.Fatal(err)
				}
			}
		}
		go func() {
			for range sub.C { // what was given beyond, and comes back
			}
		}()
		unsubscribe(t, r, sub)
	}
	until(t, "queue freed", func() bool { return len(r.Destinations()) == 0 })
	if s := r.Stats(); s.HeldMessages != 0 || s.HeldBytes != 0 {
		t.Errorf("held: %+v", s)
	}
}

func stompTransaction(t *testing.T, r *rig, v stomp.Version) {
	c := dialStomp(t, r, v)
	sub, err := c.Subscribe("/queue/tx", stomp.AckAuto)
	if err != nil {
		t.Fatal(err)
	}
	for _, commit := range []bool{false, true} {
		tx := c.Begin()
		for i := range 3 {
			if err := tx.Send("/queue/tx", "text/plain", fmt.Appendf(nil, "%v %d", commit, i)); err != nil {
				t.Fatal(err)
			}
		}
		if commit {
			err = tx.Commit()
		} else {
			err = tx.Abort()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		if m := receive(t, sub); string(m.Body) != fmt.Sprintf("true %d", i) {
			t.Fatalf("got %q", m.Body)
		}
	}
}

func stompCollected(t *testing.T, r *rig, v stomp.Version) {
	c := dialStomp(t, r, v, stomp.ConnOpt.Header("client-id", "web1.acme.net"))
	sent := make(chan error, 1)
	go func() {
		sent <- c.Send("/queue/collected.facts", "application/json", []byte(`{"v":1}`), stomp.SendOpt.Receipt, stomp.SendOpt.Header("fettle-sig", "k:s"))
	}()
	until(t, "commit", func() bool { return r.desk.count() == 1 })
	m := r.desk.msgs[0]
	if m.Get("content-type") != "application/json" || m.Get("fettle-sig") != "k:s" || m.Get(SenderHeader) != "web1.acme.net" || string(m.Body) != `{"v":1}` || m.Sender.Node != "web1.acme.net" {
		t.Errorf("got %+v", m)
	}
	select {
	case err := <-sent:
		t.Fatalf("the receipt came before the commit: %v", err)
	default:
	}
	r.desk.finish(1, nil)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	go func() {
		sent <- c.Send("/queue/collected.facts", "application/json", []byte(`{"v":1}`), stomp.SendOpt.Receipt)
	}()
	until(t, "commit", func() bool { return r.desk.count() == 2 })
	r.desk.finish(1, errors.New("disk full"))
	if err := <-sent; err == nil {
		t.Error("there was no error, though the message was not kept")
	}
}

func TestStompRefusedLogin(t *testing.T) {
	r := newRig(t, nil)
	_, err := stomp.Dial("tcp", r.addr, stomp.ConnOpt.Login("joe", "wrong"))
	var e stomp.Error
	if !errors.As(err, &e) || e.Frame.Command != stompframe.ERROR {
		t.Fatalf("got %v", err)
	}
	if want := `CONNECT: wrong passcode for "joe": denied`; e.Message != want {
		t.Errorf("the message is %q, want %q", e.Message, want)
	}
}
