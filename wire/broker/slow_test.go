package broker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// TestSlowConsumer holds that one subscriber that stops reading is cut off, counted, and costs the others nothing.
func TestSlowConsumer(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxOut = 5 << 20 })
	slow, good, p := r.login(""), r.login(""), r.login("")
	slow.subscribe("1", "/topic/t", "")
	good.subscribe("1", "/topic/t", "")
	body := strings.Repeat("x", 64<<10)
	n := 0
	for ; r.Stats().Slow == 0; n++ {
		if n > 2000 {
			t.Fatalf("after %d messages, the slow one is still there: %+v", n, r.Stats())
		}
		p.fill("/topic/t", body)
		if g := good.want("MESSAGE"); len(g.body) != len(body) {
			t.Fatalf("message %d has %d bytes", n, len(g.body))
		}
	}
	until(t, "end", func() bool { s := r.Stats(); return s.Connections == 2 && s.OutBytes == 0 })
	if s := r.Stats(); s.Subscriptions != 1 || s.Slow != 1 {
		t.Errorf("%+v", s)
	}
	_, err := io.Copy(io.Discard, slow)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the slow one sees %v", err)
	}
}

// TestStuckNode holds that a node that reads and never acknowledges is cut off too, before its queue has taken everybody's room.
func TestStuckNode(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxOut = 5 << 20 })
	c := r.login("client-id:web1\n")
	c.subscribe("1", "/queue/node.web1", "ack:client-individual\n")
	go func() { _, _ = io.Copy(io.Discard, c) }()
	var err error
	n := 0
	for ; err == nil; n++ {
		_, err = r.Publish("/queue/node.web1", nil, make([]byte, 64<<10))
	}
	if !errors.Is(err, fettle.ErrUnavailable) || n < 70 || n > 82 {
		t.Errorf("after %d messages: %v", n, err)
	}
	until(t, "cut", func() bool { s := r.Stats(); return s.Slow == 1 && s.Connections == 0 && s.HeldMessages == 0 })
}

// TestOutTotal holds that when all connections together have too much to be written, those who lag pay for it.
func TestOutTotal(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxOutTotal = 4 << 20 })
	p := r.login("")
	var lagging []*client
	for range 4 {
		c := r.login("")
		c.subscribe("1", "/topic/t", "")
		lagging = append(lagging, c)
	}
	good := r.login("")
	good.subscribe("1", "/topic/t", "")
	body := strings.Repeat("x", 1<<20)
	for range 40 {
		p.fill("/topic/t", body)
		good.want("MESSAGE")
		if n := r.Stats().OutBytes; n > 10<<20 {
			t.Fatalf("%d bytes wait", n)
		}
	}
	if s := r.Stats(); s.Slow == 0 || s.Slow > uint64(len(lagging)) {
		t.Errorf("%d were cut off", s.Slow)
	}
}

func TestWriteTimeout(t *testing.T) {
	r := newRig(t, func(c *Config) { c.WriteTimeout = 50 * time.Millisecond })
	c, p := r.login(""), r.login("")
	c.subscribe("1", "/queue/q", "")
	for range 6 {
		p.fill("/queue/q", strings.Repeat("x", 4<<20))
	}
	until(t, "cut", func() bool { s := r.Stats(); return s.Slow == 1 && s.Connections == 1 })
}

// TestLateFrame holds that half a frame does not keep a connection for ever, and that what was reserved for it comes back.
func TestLateFrame(t *testing.T) {
	r := newRig(t, func(c *Config) { c.FrameTimeout = 100 * time.Millisecond })
	for _, part := range []string{"SEND\nfoo", "SEND\ndestination:/queue/q\n\nabc", "SEND\ndestination:/queue/q\ncontent-length:1000000\n\nabc"} {
		c := r.login("")
		c.send(part)
		c.wantError("a frame was not finished within 100ms")
	}
	until(t, "end", func() bool { s := r.Stats(); return s.Connections == 0 && s.InflightBytes == 0 })
	c := r.login("")
	for range 20 {
		c.send("\n") // not a frame
	}
	c.ask("SEND", "destination:/topic/x\n", "")
}

// TestKilledInTheMiddle cuts connections at every byte of a session.
func TestKilledInTheMiddle(t *testing.T) {
	r := newRig(t, nil)
	r.desk.auto = true
	session := "CONNECT\naccept-version:1.2\nlogin:joe\npasscode:secret\n\n\x00SUBSCRIBE\nid:1\ndestination:/queue/q\nack:client\n\n\x00" +
		"BEGIN\ntransaction:t\n\n\x00SEND\ntransaction:t\ndestination:/queue/q\n\nx\x00SEND\ndestination:/queue/collected\ncontent-length:2\n\nxy\x00"
	for i := range session {
		c := r.dial()
		c.send(session[:i])
		if i%2 == 0 {
			_ = c.Conn.(*net.TCPConn).SetLinger(0) // a reset
		}
		c.Close()
	}
	until(t, "end", func() bool { return r.m.connections.Get() == uint64(len(session)) && r.Stats().Connections == 0 })
	if s := r.Stats(); s.InflightBytes != 0 || s.HeldMessages != 0 || len(r.Destinations()) != 0 {
		t.Errorf("something is left over: %+v", s)
	}
}

// TestFanout2000 publishes to many, by way of the publisher's own writes, and keeps the order for each.
func TestFanout2000(t *testing.T) {
	const subscribers, messages = 2000, 10
	r := newRig(t, nil)
	clients := make([]*client, subscribers)
	for i := range clients {
		clients[i] = r.login("")
		clients[i].subscribe("1", "/topic/all", "")
	}
	body := bytes.Repeat([]byte("x"), 1024)
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			for k := range messages {
				g, err := c.read()
				if err != nil || g.header["n"] != fmt.Sprint(k) || len(g.body) != len(body) {
					t.Errorf("subscriber %d, message %d: %v, %v", i, k, g.header, err)
					return
				}
			}
		})
	}
	for k := range messages {
		if n, err := r.Publish("/topic/all", []wire.Field{{Name: "n", Value: fmt.Sprint(k)}}, body); n != subscribers || err != nil {
			t.Errorf("message %d was taken by %d: %v", k, n, err)
		}
	}
	wg.Wait()
	if n := r.m.delivered.Get(); n != subscribers*messages {
		t.Errorf("%d were delivered", n)
	}
}

func TestMaxConnections(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxConnections = 1 })
	c := r.login("")
	r.dial().wantError("there are 1 connections, and no more are allowed: unavailable")
	c.Close()
	until(t, "end", func() bool { return r.Stats().Connections == 0 })
	r.login("")
}

func TestMaxSubscriptions(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxSubscriptions = 1 })
	c := r.login("")
	c.subscribe("1", "/topic/a", "")
	c.send("SUBSCRIBE\nid:2\ndestination:/topic/b\n\n\x00")
	c.wantError("there are 1 subscriptions")
}
