package broker

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// bodies reads n messages and gives their bodies, with "+" before those that were redelivered.
func (c *client) bodies(n int) string {
	c.t.Helper()
	var out []string
	for range n {
		g := c.want("MESSAGE")
		if g.header["redelivered"] == "true" {
			g.body = "+" + g.body
		}
		out = append(out, g.body)
	}
	return strings.Join(out, " ")
}

func wantBodies(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// subscribe subscribes and waits for the receipt. more are further headers.
func (c *client) subscribe(id, dest, more string) {
	c.t.Helper()
	c.send("SUBSCRIBE\nid:" + id + "\ndestination:" + dest + "\nreceipt:sub\n" + more + "\n\x00")
	c.want("RECEIPT")
}

// ask sends a frame and waits for its receipt.
func (c *client) ask(command, header, body string) {
	c.t.Helper()
	c.send(command + "\nreceipt:ask\n" + header + "\n" + body + "\x00")
	c.want("RECEIPT")
}

func (c *client) fill(dest string, bodies ...string) {
	c.t.Helper()
	for _, b := range bodies {
		c.ask("SEND", "destination:"+dest+"\n", b)
	}
}

// wantQuiet checks that no message has come before the answer to a frame that changes nothing.
func (c *client) wantQuiet() {
	c.t.Helper()
	c.ask("SEND", "destination:/topic/nobody\n", "")
	if len(c.early) > 0 {
		c.t.Fatalf("%v came, want nothing", c.early)
	}
}

// messages reads n messages.
func (c *client) messages(n int) (out []got) {
	c.t.Helper()
	for range n {
		out = append(out, c.want("MESSAGE"))
	}
	return out
}

func TestCredit(t *testing.T) {
	for _, mode := range []string{"client", "client-individual"} {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, nil)
			c := r.login("")
			c.fill("/queue/q", "a", "b", "c", "d", "e")
			c.subscribe("1", "/queue/q", "ack:"+mode+"\nprefetch-count:2\n")
			m := c.messages(2)
			c.wantQuiet()
			c.ask("ACK", "id:"+m[1].header["ack"]+"\n", "")
			free := 1 // only the message itself
			if mode == "client" {
				free = 2 // and those before
			}
			m = append(m, c.messages(free)...)
			c.wantQuiet()
			if d := r.Destinations()[0]; d.Pending != 2 || d.Messages != 5-free {
				t.Errorf("%+v", d)
			}
			if last := m[len(m)-1].body; last != "cd"[free-1:free] {
				t.Errorf("the last message is %q", last)
			}
		})
	}
	t.Run("no prefetch-count takes the default", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Credit = 1 })
		c := r.login("")
		c.fill("/queue/q", "a", "b")
		c.subscribe("1", "/queue/q", "ack:client\n")
		c.want("MESSAGE")
		c.wantQuiet()
	})
	t.Run("zero takes all that may be", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Credit, c.MaxCredit = 1, 2 })
		c := r.login("")
		c.fill("/queue/q", "a", "b", "c")
		c.subscribe("1", "/queue/q", "ack:client\nprefetch-count:0\n")
		c.messages(2)
		c.wantQuiet()
	})
}

func TestConsumersTakeTurns(t *testing.T) {
	r := newRig(t, nil)
	a, b := r.login(""), r.login("")
	a.subscribe("1", "/queue/q", "ack:client-individual\nprefetch-count:2\n")
	b.subscribe("1", "/queue/q", "ack:client-individual\nprefetch-count:2\n")
	p := r.login("")
	p.fill("/queue/q", "a", "b", "c", "d", "e")
	wantBodies(t, a.bodies(2), "a c")
	m := b.messages(2)
	b.ask("ACK", "id:"+m[0].header["ack"]+"\n", "")
	wantBodies(t, b.bodies(1), "e")
}

func TestRedelivery(t *testing.T) {
	t.Run("after a connection is lost, in order, before the rest", func(t *testing.T) {
		r := newRig(t, nil)
		a, b := r.login(""), r.login("")
		a.fill("/queue/q", "a", "b", "c", "d")
		a.subscribe("1", "/queue/q", "ack:client-individual\nprefetch-count:3\n")
		m := a.messages(3)
		a.ask("ACK", "id:"+m[1].header["ack"]+"\n", "")
		a.want("MESSAGE")
		a.Close()
		until(t, "end", func() bool { return r.Stats().Connections == 1 })
		b.subscribe("1", "/queue/q", "ack:client-individual\n")
		wantBodies(t, b.bodies(3), "+a +c +d")
	})
	t.Run("after UNSUBSCRIBE", func(t *testing.T) {
		r := newRig(t, nil)
		c := r.login("")
		c.fill("/queue/q", "a")
		c.subscribe("1", "/queue/q", "ack:client\n")
		old := c.want("MESSAGE").header["ack"]
		c.ask("UNSUBSCRIBE", "id:1\n", "")
		c.ask("ACK", "id:"+old+"\n", "") // has crossed it: no fault, and no effect
		c.subscribe("1", "/queue/q", "ack:client\n")
		g := c.want("MESSAGE")
		if g.header["redelivered"] != "true" || g.header["delivery-count"] != "2" {
			t.Errorf("got %v", g)
		}
		c.ask("ACK", "id:"+g.header["ack"]+"\n", "")
		if s := r.Stats(); s.HeldMessages != 0 || r.m.staleAcks.Get() != 1 || s.Redelivered != 1 {
			t.Errorf("%+v, %d stale acks", s, r.m.staleAcks.Get())
		}
	})
	t.Run("after NACK, so often and not more", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.MaxDeliveries = 3 })
		c := r.login("")
		c.fill("/queue/q", "a", "b")
		c.subscribe("1", "/queue/q", "ack:client-individual\nprefetch-count:1\n")
		for i := range 3 {
			g := c.want("MESSAGE")
			if g.body != "a" || (g.header["redelivered"] == "true") != (i > 0) {
				t.Errorf("delivery %d: %v", i, g)
			}
			c.send("NACK\nid:" + g.header["ack"] + "\n\n\x00")
		}
		wantBodies(t, c.bodies(1), "b")
		if n := r.m.droppedRedelivery.Get(); n != 1 {
			t.Errorf("%d messages were dropped, want 1", n)
		}
	})
	t.Run("NACK of many keeps their order", func(t *testing.T) {
		r := newRig(t, nil)
		c := r.login("")
		c.fill("/queue/q", "a", "b", "c", "d")
		c.subscribe("1", "/queue/q", "ack:client\nprefetch-count:3\n")
		m := c.messages(3)
		c.send("NACK\nid:" + m[1].header["ack"] + "\n\n\x00")
		wantBodies(t, c.bodies(2), "+a +b")
	})
	t.Run("in 1.1, by message-id and subscription", func(t *testing.T) {
		r := newRig(t, nil)
		c := r.login("accept-version:1.1\n")
		c.fill("/queue/q", "a", "b")
		c.subscribe("1", "/queue/q", "ack:client\nprefetch-count:1\n")
		m := c.want("MESSAGE")
		if m.header["ack"] != "" {
			t.Errorf("1.1 has no header ack: %v", m)
		}
		c.send("NACK\nsubscription:1\nmessage-id:" + m.header["message-id"] + "\n\n\x00")
		m = c.want("MESSAGE")
		if m.body != "a" || m.header["redelivered"] != "true" {
			t.Errorf("got %v", m)
		}
		c.send("ACK\nsubscription:1\nmessage-id:" + m.header["message-id"] + "\n\n\x00")
		wantBodies(t, c.bodies(1), "b")
	})
}

// TestAutoUnwritten holds that a message to a consumer of mode auto is not lost before it has been written to the consumer's socket.
func TestAutoUnwritten(t *testing.T) {
	r := newRig(t, nil)
	a, p := r.login(""), r.login("")
	a.subscribe("1", "/queue/q", "")
	big := strings.Repeat("x", 1<<20)
	const n = 24 // more than any socket buffer takes
	for i := range n {
		p.fill("/queue/q", fmt.Sprintf("%d %s", i, big))
	}
	if d := r.Destinations()[0]; d.Messages == 0 || d.Pending == 0 || d.Pending == d.Messages {
		t.Fatalf("%+v: want some ready and some pending", d)
	}
	if s := r.Stats(); s.OutBytes > queueWindow+2<<20 || s.Slow != 0 {
		t.Errorf("a queue gives no more than fits the window: %+v", s)
	}
	last := ""
	for range 3 {
		last, _, _ = strings.Cut(a.want("MESSAGE").body, " ")
	}
	a.Close()
	until(t, "end", func() bool { return r.Stats().Connections == 1 })
	b := r.login("")
	b.subscribe("1", "/queue/q", "")
	g := b.want("MESSAGE")
	for first, _, _ := strings.Cut(g.body, " "); first != fmt.Sprint(n-1); {
		g = b.want("MESSAGE")
		next, _, _ := strings.Cut(g.body, " ")
		if next != fmt.Sprint(atoi(first)+1) {
			t.Fatalf("after %s came %s (the first consumer read up to %s)", first, next, last)
		}
		first = next
	}
	until(t, "queue empty", func() bool { return r.Stats().HeldMessages == 0 })
}

func atoi(s string) (n int) {
	_, _ = fmt.Sscan(s, &n)
	return n
}

func TestQueueBounds(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		err    string
	}{
		{"messages of a queue", func(c *Config) { c.MaxQueueMessages = 3 }, "/queue/q holds 3 messages, and 3 are allowed: unavailable"},
		{"bytes of a queue", func(c *Config) { c.MaxQueueBytes = 4 * itemOverhead }, "/queue/q holds"},
		{"messages of all", func(c *Config) { c.MaxHeldMessages = 3 }, "the queues together"},
		{"bytes of all", func(c *Config) { c.MaxHeldBytes = 4 * itemOverhead }, "the queues together"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.change)
			p := r.login("")
			p.fill("/queue/q", "a", "b")
			if n, err := r.Publish("/queue/q", nil, []byte("c")); n != 1 || err != nil {
				t.Fatalf("Publish: %d, %v", n, err)
			}
			if n, err := r.Publish("/queue/q", nil, []byte("d")); n != 0 || !errors.Is(err, fettle.ErrUnavailable) {
				t.Errorf("Publish beyond the bound: %d, %v", n, err)
			}
			p.send("SEND\nreceipt:9\ndestination:/queue/q\n\nd\x00")
			if g := p.wantError(c.err); g.header["receipt-id"] != "9" {
				t.Errorf("got %v", g)
			}
			q := r.login("")
			q.subscribe("1", "/queue/q", "")
			wantBodies(t, q.bodies(3), "a b c")
			until(t, "queue empty", func() bool { s := r.Stats(); return s.HeldMessages == 0 && s.HeldBytes == 0 })
			q.fill("/queue/q", "e")
			wantBodies(t, q.bodies(1), "e")
		})
	}
}

func TestTransientQueue(t *testing.T) {
	r := newRig(t, nil)
	const dest = "/queue/node.web1"
	if n, err := r.Publish(dest, nil, []byte("x")); n != 0 || err != nil {
		t.Errorf("without a subscriber: %d, %v", n, err)
	}
	c := r.login("")
	c.fill(dest, "y") // accepted, and dropped
	c.subscribe("1", dest, "ack:client\nprefetch-count:1\n")
	for _, body := range []string{"a", "b"} {
		if n, err := r.Publish(dest, []wire.Field{{Name: "k", Value: "v"}}, []byte(body)); n != 1 || err != nil {
			t.Errorf("with a subscriber: %d, %v", n, err)
		}
	}
	if g := c.want("MESSAGE"); g.body != "a" || g.header["k"] != "v" || g.header[SenderHeader] != "" {
		t.Errorf("got %v", g)
	}
	c.ask("UNSUBSCRIBE", "id:1\n", "")
	if s := r.Stats(); len(r.Destinations()) != 0 || s.HeldMessages != 0 || s.HeldBytes != 0 || s.Dropped != 4 {
		t.Errorf("the queue has to go with its last subscriber: %+v", s)
	}
}

func TestPublish(t *testing.T) {
	r := newRig(t, nil)
	for _, dest := range []string{"", "/queue/", "/exchange/x", "/queue/collected.x"} {
		if n, err := r.Publish(dest, nil, nil); n != 0 || !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%q: %d, %v", dest, n, err)
		}
	}
	if n, err := r.Publish("/topic/x", nil, nil); n != 0 || err != nil {
		t.Errorf("a topic without subscribers: %d, %v", n, err)
	}
}

func TestTransaction(t *testing.T) {
	t.Run("does all in order at COMMIT, and nothing before", func(t *testing.T) {
		r := newRig(t, nil)
		c, o := r.login(""), r.login("")
		c.fill("/queue/q", "a", "b")
		c.subscribe("1", "/queue/q", "ack:client-individual\nprefetch-count:1\n")
		o.subscribe("1", "/topic/t", "")
		o.subscribe("2", "/queue/out", "")
		m := c.want("MESSAGE")
		c.ask("BEGIN", "transaction:t\n", "")
		c.ask("SEND", "transaction:t\ndestination:/queue/out\n", "1")
		c.ask("SEND", "transaction:t\ndestination:/topic/t\n", "2")
		c.ask("ACK", "transaction:t\nid:"+m.header["ack"]+"\n", "")
		c.ask("SEND", "transaction:t\ndestination:/queue/out\n", "3")
		c.wantQuiet()
		o.wantQuiet()
		c.send("COMMIT\ntransaction:t\n\n\x00")
		wantBodies(t, o.bodies(3), "1 2 3")
		wantBodies(t, c.bodies(1), "b")
		if n := r.Stats().InflightBytes; n != 0 {
			t.Errorf("%d bytes are still taken", n)
		}
	})
	t.Run("ABORT leaves messages pending", func(t *testing.T) {
		r := newRig(t, nil)
		c := r.login("")
		c.fill("/queue/q", "a")
		c.subscribe("1", "/queue/q", "ack:client\n")
		m := c.want("MESSAGE")
		c.ask("BEGIN", "transaction:t\n", "")
		c.ask("NACK", "transaction:t\nid:"+m.header["ack"]+"\n", "")
		c.ask("ABORT", "transaction:t\n", "")
		c.wantQuiet()
		c.ask("ACK", "id:"+m.header["ack"]+"\n", "")
		if s := r.Stats(); s.HeldMessages != 0 || s.InflightBytes != 0 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("without room for all, does nothing", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.MaxQueueMessages = 2 })
		c, o := r.login(""), r.login("")
		o.subscribe("1", "/topic/t", "")
		c.ask("BEGIN", "transaction:t\n", "")
		c.ask("SEND", "transaction:t\ndestination:/topic/t\n", "0")
		for _, q := range []string{"p", "q", "q", "q"} {
			c.ask("SEND", "transaction:t\ndestination:/queue/"+q+"\n", "x")
		}
		c.send("COMMIT\ntransaction:t\nreceipt:9\n\n\x00")
		c.wantError(`transaction "t" was not committed: /queue/q holds 2 messages`)
		o.wantQuiet()
		until(t, "end", func() bool { return r.Stats().Connections == 1 })
		if s := r.Stats(); s.HeldMessages != 0 || s.HeldBytes != 0 || len(r.Destinations()) != 1 || s.InflightBytes != 0 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("goes with its connection", func(t *testing.T) {
		r := newRig(t, nil)
		c := r.login("")
		c.ask("BEGIN", "transaction:t\n", "")
		c.ask("SEND", "transaction:t\ndestination:/queue/q\n", "x")
		if r.Stats().InflightBytes == 0 {
			t.Error("an open transaction takes nothing")
		}
		c.Close()
		until(t, "end", func() bool { s := r.Stats(); return s.Connections == 0 && s.InflightBytes == 0 })
	})
	for _, c := range []struct {
		name   string
		change func(*Config)
		err    string
	}{
		{"has a bound of frames", func(c *Config) { c.MaxTransactionFrames = 2 }, "have 2 frames, and no more are allowed"},
		{"has a bound of bytes", func(c *Config) { c.MaxTransactionBytes = 1000 }, "would have more than 1000 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.change)
			cl := r.login("")
			cl.send("BEGIN\ntransaction:t\n\n\x00")
			for range 3 {
				cl.send("SEND\ntransaction:t\ndestination:/topic/x\n\nx\x00")
			}
			cl.wantError(c.err)
		})
	}
	t.Run("has a bound of its number", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.MaxTransactions = 1 })
		cl := r.login("")
		cl.send("BEGIN\ntransaction:t\n\n\x00BEGIN\ntransaction:u\n\n\x00")
		cl.wantError("1 transactions are open, and no more are allowed")
	})
}
