package broker

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// ledger counts how often each message was acknowledged.
type ledger struct {
	mu   sync.Mutex
	seen map[string]int
}

func (l *ledger) note(body string) {
	l.mu.Lock()
	l.seen[body]++
	l.mu.Unlock()
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.seen)
}

// TestNothingIsLost lets consumers die in the middle of their work, give messages back and change their minds, while producers send by
// single messages and by transactions: each message is acknowledged in the end, and few more than once.
func TestNothingIsLost(t *testing.T) {
	const producers, perProducer, consumers = 4, 500, 6
	r := newRig(t, func(c *Config) { c.MaxDeliveries = 1000 })
	done := &ledger{seen: map[string]int{}}
	var sending, working sync.WaitGroup
	for p := range producers {
		c := r.login("")
		sending.Go(func() { produce(c, p, perProducer) })
	}
	for k := range consumers {
		rnd := rand.New(rand.NewPCG(uint64(k), 7))
		working.Go(func() {
			for done.count() < producers*perProducer && !t.Failed() {
				consume(t, r, rnd, done)
			}
		})
	}
	sending.Wait()
	working.Wait()
	until(t, "queue empty", func() bool { s := r.Stats(); return s.HeldMessages == 0 && s.HeldBytes == 0 })
	twice := 0
	for _, n := range done.seen {
		twice += n - 1
	}
	t.Logf("%d messages, %d of them again, %d redelivered", len(done.seen), twice, r.Stats().Redelivered)
}

func produce(c *client, p, n int) {
	for i := 0; i < n; i += 5 {
		tx := ""
		if i%2 == 0 {
			tx = "transaction:t\n"
			c.send("BEGIN\n" + tx + "\n\x00")
		}
		for k := range 5 {
			c.send(fmt.Sprintf("SEND\n%sdestination:/queue/q\n\n%d-%d\x00", tx, p, i+k))
		}
		if tx != "" {
			c.ask("COMMIT", tx, "")
		}
	}
	c.ask("SEND", "destination:/topic/nobody\n", "")
}

// consume works for a while on a connection of its own, and ends it in one way or another.
func consume(t *testing.T, r *rig, rnd *rand.Rand, done *ledger) {
	c := r.login("")
	defer c.Close()
	mode := []string{"client", "client-individual"}[rnd.IntN(2)]
	c.send(fmt.Sprintf("SUBSCRIBE\nid:1\nack:%s\nprefetch-count:%d\ndestination:/queue/q\n\n\x00", mode, 1+rnd.IntN(20)))
	var pending []string
	for range rnd.IntN(100) {
		if r.Stats().HeldMessages == 0 {
			return // nothing may come for ever
		}
		g, ok := c.tryMessage()
		if !ok {
			return
		}
		pending = append(pending, g.body)
		switch rnd.IntN(10) {
		case 0: // later, or never
		case 1:
			c.send("NACK\nid:" + g.header["ack"] + "\n\n\x00")
			if mode == "client" {
				pending = nil
			} else {
				pending = pending[:len(pending)-1]
			}
		default:
			// The receipt makes sure of the ACK: without it, a consumer that closes cannot tell.
			c.send("ACK\nreceipt:a\nid:" + g.header["ack"] + "\n\n\x00")
			if mode == "client-individual" {
				pending = pending[len(pending)-1:]
			}
			c.want("RECEIPT")
			for _, body := range pending {
				done.note(body)
			}
			pending = nil
		}
	}
}

// tryMessage waits for a message while there are any.
func (c *client) tryMessage() (got, bool) {
	if len(c.early) == 0 {
		// The answer to this comes after what is on its way now.
		c.send("SEND\nreceipt:here\ndestination:/topic/nobody\n\n\x00")
		c.want("RECEIPT")
		if len(c.early) == 0 {
			return got{}, false
		}
	}
	return c.want("MESSAGE"), true
}
