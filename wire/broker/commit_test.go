package broker

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle"
)

func (c *client) collect(n int, body string) {
	c.t.Helper()
	for i := range n {
		c.send(fmt.Sprintf("SEND\nreceipt:%d\ndestination:/queue/collected\ncontent-length:%d\n\n%s\x00", i, len(body), body))
	}
}

// TestBackPressure holds that a connection is not read on while too much of it is uncommitted, and that nothing is lost by that.
func TestBackPressure(t *testing.T) {
	t.Run("by number", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.MaxUncommitted = 4 })
		c := r.login("client-id:web1\n")
		c.collect(10, "x")
		until(t, "first commits", func() bool { return r.desk.count() == 4 })
		other := r.login("")
		other.wantQuiet() // others are served
		if n := r.desk.count(); n != 4 {
			t.Fatalf("%d are with the committer, want 4", n)
		}
		for i := range 10 {
			until(t, "commit", func() bool { return r.desk.count() >= min(i+4, 10) })
			r.desk.finish(1, nil)
			if g := c.want("RECEIPT"); g.header["receipt-id"] != fmt.Sprint(i) {
				t.Fatalf("receipt %d: %v", i, g)
			}
		}
		if s := r.Stats(); s.InflightBytes != 0 || s.Committed != 10 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("by bytes", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.MaxUncommittedBytes = 100_000 })
		c := r.login("")
		c.collect(3, strings.Repeat("x", 60_000))
		until(t, "first commit", func() bool { return r.desk.count() == 1 })
		r.login("").wantQuiet()
		if n := r.desk.count(); n != 1 {
			t.Fatalf("%d are with the committer, want 1", n)
		}
		for i := range 3 {
			until(t, "commit", func() bool { return r.desk.count() == i+1 })
			r.desk.finish(1, nil)
			c.want("RECEIPT")
		}
	})
	t.Run("a message beyond the bound goes alone", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.MaxUncommittedBytes = 1000 })
		c := r.login("")
		c.collect(1, strings.Repeat("x", 60_000))
		until(t, "commit", func() bool { return r.desk.count() == 1 })
		r.desk.finish(1, nil)
		c.want("RECEIPT")
	})
	t.Run("over all connections", func(t *testing.T) {
		r := newRig(t, func(c *Config) {
			c.AfterLogin.Body = 100_000
			c.MaxInflight = 150_000
		})
		clients := []*client{r.login(""), r.login(""), r.login(""), r.login("")}
		for _, c := range clients {
			c.collect(1, strings.Repeat("x", 90_000))
		}
		for range clients {
			until(t, "commit", func() bool { r.desk.mu.Lock(); defer r.desk.mu.Unlock(); return len(r.desk.done) > 0 })
			if n := r.Stats().InflightBytes; n > 150_000 {
				t.Errorf("%d bytes are taken", n)
			}
			r.desk.finish(1, nil)
		}
		for _, c := range clients {
			c.want("RECEIPT")
		}
		if n := r.Stats().InflightBytes; n != 0 {
			t.Errorf("%d bytes are still taken", n)
		}
	})
	t.Run("ends with the connection", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.MaxUncommitted = 1; c.HeartBeat = 0 })
		c := r.login("client-id:web1\n")
		c.collect(3, "x")
		until(t, "commit", func() bool { return r.desk.count() == 1 })
		r.login("client-id:web1\n") // takes its place, so that the wait has to end
		c.wantError("superseded")
		r.desk.finish(1, nil)
		until(t, "budget back", func() bool { return r.Stats().InflightBytes == 0 })
		if n := r.desk.count(); n != 1 {
			t.Errorf("%d reached the committer, want 1", n)
		}
	})
}

func TestCommitFails(t *testing.T) {
	t.Run("without a reason that is the client's", func(t *testing.T) {
		r := newRig(t, nil)
		c := r.login("")
		c.collect(1, "x")
		until(t, "commit", func() bool { return r.desk.count() == 1 })
		r.desk.finish(1, errors.New("disk full"))
		if g := c.wantError("internal error"); g.header["receipt-id"] != "0" || strings.Contains(g.body, "disk") {
			t.Errorf("got %v", g)
		}
	})
	t.Run("with a reason of a known kind", func(t *testing.T) {
		r := newRig(t, nil)
		c := r.login("")
		c.collect(1, "x")
		until(t, "commit", func() bool { return r.desk.count() == 1 })
		r.desk.finish(1, fmt.Errorf("the store is away: %w", fettle.ErrUnavailable))
		c.wantError("SEND: message to /queue/collected was not kept: the store is away: unavailable")
	})
	t.Run("and says so twice", func(t *testing.T) {
		r := newRig(t, nil)
		c := r.login("")
		c.collect(1, "x")
		until(t, "commit", func() bool { return r.desk.count() == 1 })
		done := r.desk.done[0]
		done(nil)
		done(nil)
		done(errors.New("late"))
		c.want("RECEIPT")
		c.wantQuiet()
		if n := r.Stats().InflightBytes; n != 0 {
			t.Errorf("%d bytes are taken", n)
		}
	})
}

// clumsy panics wherever it is called.
type clumsy struct{ house }

func (clumsy) Commit(*Message, func(error)) { panic("oh") }

func (clumsy) MaySend(_ Principal, dest string) error {
	if dest == "/queue/panic" {
		panic("oh")
	}
	return nil
}

func (clumsy) Connected(Principal, string)            {}
func (clumsy) Disconnected(Principal, string, string) { panic("oh") }

func TestPanicCostsOneConnection(t *testing.T) {
	r := newRig(t, nil)
	r.auth, r.collect, r.presence = clumsy{}, clumsy{}, clumsy{}
	other := r.login("")
	for i, dest := range []string{"/queue/panic", "/queue/collected"} {
		c := r.login("")
		c.send("SEND\nreceipt:1\ndestination:" + dest + "\n\nx\x00")
		c.wantError("internal error")
		if n := r.Stats().Panics; n != uint64(i)+1 {
			t.Errorf("%d panics, want %d", n, i+1)
		}
	}
	r.login("client-id:web1\n").Close()
	until(t, "third panic", func() bool { return r.Stats().Panics == 3 })
	other.wantQuiet()
	until(t, "end", func() bool { s := r.Stats(); return s.Connections == 1 && s.InflightBytes == 0 })
	r.m.panics.Set(0)
}
