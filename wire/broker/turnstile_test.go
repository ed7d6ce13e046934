package broker

import (
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestAFleetThatComesBackIsSpread(t *testing.T) {
	const nodes, rate = 1000, 100
	p := newTurnstile(rate)
	perSecond := map[int64]int{}
	waiting := make([]int64, nodes) // when each comes next; all at once at first
	for in := 0; in < nodes; {
		slices.Sort(waiting)
		at := waiting[0]
		if after := p.admit(at); after > 0 {
			waiting[0] = at + int64(after) + int64(after)/8
			continue
		}
		perSecond[at/int64(time.Second)]++
		waiting = waiting[1:]
		in++
	}
	last := int64(0)
	for second, n := range perSecond {
		last = max(last, second)
		if limit := rate + 2*rate; second == 0 && n > limit || second > 0 && n > 2*rate {
			t.Errorf("in second %d, %d nodes logged in", second, n)
		}
	}
	if last > 15 {
		t.Errorf("the last logged in after %d s", last)
	}
}

func TestTurnstileOfASmallFleet(t *testing.T) {
	p := newTurnstile(100)
	for i := range 200 {
		if after := p.admit(0); after != 0 {
			t.Fatalf("login %d of 200 has to wait for %v", i, after)
		}
	}
	if after := p.admit(0); after <= 0 || after > time.Second {
		t.Errorf("one too many is told %v", after)
	}
	for range 100_000 {
		if after := p.admit(0); after > lastComeBack {
			t.Fatalf("told to stay away for %v", after)
		}
	}
	if after := newTurnstile(0).admit(0); after != 0 {
		t.Errorf("without a limit: %v", after)
	}
}

func TestWhoComesTooSoonIsToldWhen(t *testing.T) {
	inBubble(t, func(c *Config) { c.MaxLogins = 1 }, func(t *testing.T, _ *rig, dial func() *client) {
		dial().connect("") // no node: it is not counted
		for range 2 {
			dial().connect("client-id:n1\n")
		}
		c := dial()
		go func() {
			c.send("CONNECT\naccept-version:1.2\nhost:x\nlogin:joe\npasscode:secret\nclient-id:n2\n\n\x00")
		}()
		g := c.want("ERROR")
		if ms, err := strconv.Atoi(g.header["retry-after"]); err != nil || ms < 500 || ms > 2000 {
			t.Errorf("it was told %v", g)
		}
		c.Close()
		pass(1100 * time.Millisecond)
		dial().connect("client-id:n2\n")
		synctest.Wait()
	})
}
