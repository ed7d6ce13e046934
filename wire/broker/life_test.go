package broker

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fettle-dev/fettle"
)

// inBubble runs f with a broker and a way to connect to it by net.Pipe, in fake time.
func inBubble(t *testing.T, change func(*Config), f func(t *testing.T, r *rig, dial func() *client)) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		if change != nil {
			change(&cfg)
		}
		r := &rig{t: t, desk: &desk{}, doors: &doors{}}
		var err error
		if r.Broker, err = New(cfg, house{}, r.desk, r.doors, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		r.stop = cancel
		f(t, r, func() *client {
			here, there := net.Pipe()
			go r.ServeConn(ctx, there)
			return newClient(t, here)
		})
		cancel()
		synctest.Wait()
	})
}

// wantEndBetween reads up to the connection's end, and checks when that was.
func (c *client) wantEndBetween(since time.Time, from, to time.Duration) (last got) {
	c.t.Helper()
	for {
		_ = c.SetReadDeadline(time.Time{})
		line, err := c.r.ReadString('\n')
		if err != nil {
			break
		}
		if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":"); ok && name == "message" {
			last.body = unescape.Replace(value)
		}
	}
	if took := time.Since(since); took < from || took > to {
		c.t.Errorf("it ended after %s, want between %s and %s", took, from, to)
	}
	return last
}

// pass lets fake time pass.
func pass(d time.Duration) { <-time.After(d) }

func TestConnectDeadline(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig, dial func() *client) {
		for _, s := range []string{"", "\n\n", "CONNECT\nacc"} {
			start, c := time.Now(), dial()
			go func() { _, _ = c.Write([]byte(s)) }()
			if g := c.wantEndBetween(start, 10*time.Second, 10*time.Second); g.body != "no login within 10s: invalid" {
				t.Errorf("after %q, the message is %q", s, g.body)
			}
		}
	})
}

func TestSilentClient(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig, dial func() *client) {
		c := dial()
		c.connect("heart-beat:20000,0\n")
		for range 5 {
			pass(38 * time.Second) // fake time: late, and still tolerated
			c.send("\n")
		}
		start := time.Now()
		// two intervals, and a quarter as the last chance
		if g := c.wantEndBetween(start, 40*time.Second, 46*time.Second); !strings.HasPrefix(g.body, "nothing was heard for 40s, and a heart-beat was promised every 20s") {
			t.Errorf("the message is %q", g.body)
		}
		if n := r.m.silent.Get(); n != 1 {
			t.Errorf("%d silent connections", n)
		}
	})
}

func TestClientWithoutHeartBeats(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig, dial func() *client) {
		c := dial()
		c.connect("")
		pass(48 * time.Hour)
		c.wantQuiet()
	})
}

func TestServerBeats(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig, dial func() *client) {
		c := dial()
		c.connect("heart-beat:0,1000\n") // the broker agrees to 15 s at best
		_ = c.SetReadDeadline(time.Time{})
		for range 10 {
			start := time.Now()
			if b, err := c.r.ReadByte(); b != '\n' || err != nil {
				t.Fatalf("got %q, %v", b, err)
			}
			if took := time.Since(start); took < 10*time.Second || took > 15*time.Second {
				t.Errorf("a heart-beat came after %s", took)
			}
		}
		// A message does as well as a heart-beat.
		c.send("SUBSCRIBE\nid:1\ndestination:/topic/t\n\n\x00")
		synctest.Wait()
		for range 5 {
			pass(10 * time.Second)
			_, _ = r.Publish("/topic/t", nil, []byte("x"))
			_ = c.SetReadDeadline(time.Time{})
			if b, err := c.r.ReadByte(); b != 'M' || err != nil {
				t.Fatalf("got %q, %v", b, err)
			}
			_, _ = c.r.ReadString(0)
		}
	})
}

// TestPausedIsNotSilent holds that a node whose connection we do not read is not blamed for its silence.
func TestPausedIsNotSilent(t *testing.T) {
	inBubble(t, func(c *Config) { c.MaxUncommitted = 1 }, func(t *testing.T, r *rig, dial func() *client) {
		c := dial()
		c.connect("client-id:web1\nheart-beat:15000,0\n")
		go c.collect(2, "x")
		synctest.Wait()
		pass(10 * time.Minute)
		if at, ok := r.LastHeard("web1"); !ok || time.Since(at) != 0 {
			t.Errorf("heard %s ago, %v", time.Since(at), ok)
		}
		r.desk.finish(1, nil)
		c.want("RECEIPT")
		synctest.Wait()
		r.desk.finish(1, nil)
		c.want("RECEIPT")
	})
}

func TestHeard(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig, dial func() *client) {
		var clients []*client
		for i := range 3 {
			c := dial()
			c.connect(fmt.Sprintf("client-id:web%d\n", i))
			clients = append(clients, c)
			pass(time.Second)
		}
		dial().connect("") // no node
		clients[0].send("\n")
		synctest.Wait()
		got := map[fettle.NodeID]time.Duration{}
		r.Heard(func(node fettle.NodeID, at time.Time) { got[node] = time.Since(at) })
		want := map[fettle.NodeID]time.Duration{"web0": 0, "web1": 2 * time.Second, "web2": time.Second}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
		clients[1].Close()
		synctest.Wait()
		if _, ok := r.LastHeard("web1"); ok {
			t.Error("web1 is not connected any more")
		}
		if s := r.doors.String(); s != "+web0, +web1, +web2, -web1 closed by the client" {
			t.Errorf("presence: %s", s)
		}
	})
}

func TestSupersede(t *testing.T) {
	r := newRig(t, nil)
	old := r.login("client-id:Web1\n")
	old.subscribe("1", "/queue/node.web1", "ack:client\n")
	if n, err := r.Publish("/queue/node.web1", nil, []byte("task")); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	old.want("MESSAGE")
	young := r.login("client-id:web1\n")
	young.subscribe("1", "/queue/node.web1", "ack:client\n")
	old.wantError("superseded: web1 has logged in again: conflict")
	until(t, "end", func() bool { return r.Stats().Connections == 1 })
	young.ask("SEND", "destination:/topic/nobody\n", "")
	if _, ok := r.LastHeard("web1"); !ok {
		t.Error("the younger session has to be known")
	}
	if s := r.Stats(); s.Superseded != 1 || s.Nodes != 1 {
		t.Errorf("%+v", s)
	}
	young.Close()
	until(t, "end", func() bool { return r.Stats().Connections == 0 })
	if s := r.doors.String(); s != "+web1, -web1 superseded, +web1, -web1 closed by the client" {
		t.Errorf("presence: %s", s)
	}
}

func TestDrain(t *testing.T) {
	t.Run("finishes commits, and says why it ends", func(t *testing.T) {
		r := newRig(t, nil)
		idle, busy := r.login("client-id:web1\n"), r.login("")
		busy.collect(2, "x")
		until(t, "commit", func() bool { return r.desk.count() == 2 })
		ended := make(chan struct{})
		go func() { r.stop(); close(ended) }()
		idle.wantError("the server is stopping")
		until(t, "no more connections", func() bool {
			nc, err := net.Dial("tcp", r.addr)
			if err == nil {
				nc.Close()
			}
			return err != nil
		})
		r.desk.finish(2, nil)
		busy.want("RECEIPT")
		busy.want("RECEIPT")
		busy.wantError("the server is stopping")
		<-ended
	})
	t.Run("in time, whatever the committer does", func(t *testing.T) {
		inBubble(t, nil, func(t *testing.T, r *rig, dial func() *client) {
			c := dial()
			c.connect("")
			c.collect(1, "x")
			synctest.Wait()
			start := time.Now()
			r.stop()
			c.wantEndBetween(start, 3*time.Second, 3*time.Second)
			r.desk.finish(1, nil) // too late, and harmless
			if s := r.Stats(); s.InflightBytes != 0 {
				t.Errorf("%+v", s)
			}
		})
	})
	t.Run("before the login", func(t *testing.T) {
		inBubble(t, nil, func(t *testing.T, r *rig, dial func() *client) {
			c := dial()
			synctest.Wait()
			start := time.Now()
			r.stop()
			c.wantEndBetween(start, 0, time.Second)
		})
	})
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	cfg := DefaultConfig()
	cfg.MaxOut, cfg.Credit, cfg.HeartBeat, cfg.DrainTimeout, cfg.BeforeLogin.Body = 1, 20_000, -1, 0, -1
	err := cfg.Validate()
	for _, key := range []string{"max_out", "credit", "heart_beat", "drain_timeout", "before_login.body"} {
		if err == nil || !strings.Contains(err.Error(), key+": ") {
			t.Errorf("no fault of %s in: %v", key, err)
		}
	}
	if _, err := New(cfg, house{}, nil, nil, nil); err == nil {
		t.Error("New takes settings that are not valid")
	}
	if _, err := New(DefaultConfig(), nil, nil, nil, nil); err == nil {
		t.Error("New takes no Authorizer")
	}
	if _, err := New(testConfig(), house{}, nil, nil, nil); err == nil {
		t.Error("New takes collected queues without a Committer")
	}
}
