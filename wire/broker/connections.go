package broker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fettle-dev/fettle"
)

// Reasons of refused logins.
const (
	refusedDenied   = "denied"
	refusedInvalid  = "invalid"
	refusedConflict = "conflict"
	refusedAway     = "unavailable"
	refusedLate     = "no login in time"
	refusedOther    = "other"
)

var refusals = []string{refusedDenied, refusedInvalid, refusedConflict, refusedAway, refusedLate, refusedOther}

func refusalOf(err error) string {
	switch {
	case errors.Is(err, fettle.ErrDenied):
		return refusedDenied
	case errors.Is(err, fettle.ErrInvalid):
		return refusedInvalid
	case errors.Is(err, fettle.ErrConflict):
		return refusedConflict
	case errors.Is(err, fettle.ErrUnavailable):
		return refusedAway
	}
	return refusedOther
}

// ReasonDisconnected is the reason of a session's end when Disconnect was called.
const ReasonDisconnected = "disconnected by an operator"

// ConnectionStats is a connection that is logged in.
type ConnectionStats struct {
	Session       string        `json:"session"`
	Node          fettle.NodeID `json:"node"` // empty: not a node
	Name          string        `json:"name"` // of who is not a node
	Remote        string        `json:"remote"`
	TLS           string        `json:"tls"`     // such as "TLS 1.3"; empty: none
	Version       string        `json:"version"` // of STOMP
	Since         time.Time     `json:"since"`
	Heard         time.Time     `json:"heard"` // when the last byte came
	Received      uint64        `json:"received"`
	Delivered     uint64        `json:"delivered"`
	ReceivedRate  float64       `json:"received_rate"`  // messages a second, lately
	DeliveredRate float64       `json:"delivered_rate"` // the same
	BytesIn       uint64        `json:"bytes_in"`
	BytesOut      uint64        `json:"bytes_out"`
	OutBytes      int           `json:"out_bytes"`   // wait to be written
	Uncommitted   int           `json:"uncommitted"` // messages to collected queues without a RECEIPT
	Subscriptions int           `json:"subscriptions"`
	Credit        int           `json:"credit"`  // messages that its subscriptions to queues may still be given
	Pending       int           `json:"pending"` // messages of queues that it has not acknowledged
	Paused        bool          `json:"paused"`  // it is not read, because it has too much uncommitted
}

// Lagging tells whether the connection is among those that are cut off when all together have too much to be written.
func (c ConnectionStats) Lagging() bool { return c.OutBytes > lagging }

// roll is all connections that are logged in.
type roll struct{ shards [nodeShards]rollShard }

type rollShard struct {
	mu    sync.RWMutex // guards conns
	conns map[*conn]struct{}
}

func newRoll() *roll {
	r := &roll{}
	for i := range r.shards {
		r.shards[i].conns = map[*conn]struct{}{}
	}
	return r
}

func (r *roll) add(c *conn) {
	s := &r.shards[c.num%nodeShards]
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
}

func (r *roll) remove(c *conn) {
	s := &r.shards[c.num%nodeShards]
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// each calls f with every connection. No lock is held meanwhile.
func (r *roll) each(f func(*conn)) {
	var list []*conn
	for i := range r.shards {
		s := &r.shards[i]
		list = list[:0]
		s.mu.RLock()
		for c := range s.conns {
			list = append(list, c)
		}
		s.mu.RUnlock()
		for _, c := range list {
			f(c)
		}
	}
}

// share is what a connection has of the destinations.
type share struct{ subscriptions, credit, pending int }

// shares adds up over the destinations what connections have of them: a connection's own list is its reader's.
func (b *Broker) shares() map[*conn]*share {
	all := map[*conn]*share{}
	of := func(c *conn) *share {
		s := all[c]
		if s == nil {
			s = &share{}
			all[c] = s
		}
		return s
	}
	b.table.each(
		func(t *topic) {
			for _, s := range t.subscribers() {
				of(s.c).subscriptions++
			}
		},
		func(q *queue) {
			q.mu.Lock()
			defer q.mu.Unlock()
			for _, s := range q.subs {
				sh := of(s.c)
				sh.subscriptions++
				sh.credit += s.credit
				sh.pending += s.pending.n
			}
		})
	return all
}

// Connections gives all connections that are logged in, in no order.
func (b *Broker) Connections() []ConnectionStats {
	shares := b.shares()
	var out []ConnectionStats
	b.roll.each(func(c *conn) {
		s := c.stats()
		if sh := shares[c]; sh != nil {
			s.Subscriptions, s.Credit, s.Pending = sh.subscriptions, sh.credit, sh.pending
		}
		out = append(out, s)
	})
	return out
}

func (c *conn) stats() ConnectionStats {
	s := ConnectionStats{
		Session: c.session, Node: c.principal.Node, Name: c.principal.Name, Remote: c.remote(), TLS: c.tlsVersion(), Version: c.dec.Version.String(),
		Since: c.b.epoch.Add(time.Duration(c.since)), Heard: c.heardAt(), Paused: c.paused.Load(),
		Received: c.received.total(), Delivered: c.delivered.total(), ReceivedRate: c.received.perSecond(), DeliveredRate: c.delivered.perSecond(),
		BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(),
	}
	c.mu.Lock()
	s.OutBytes, s.Uncommitted = c.outBytes, c.uncommitted
	c.mu.Unlock()
	return s
}

// tlsVersion gives the version of TLS that the connection speaks, and "" if none.
func (c *conn) tlsVersion() string {
	t, ok := c.nc.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return ""
	}
	if state := t.ConnectionState(); state.Version != 0 {
		return tls.VersionName(state.Version)
	}
	return ""
}

// Disconnect ends the connections of who: a node, or the session of any client. The client is told why, and may log in again. It gives the
// sessions that it ended; ErrNotFound: there are none.
func (b *Broker) Disconnect(who, why string) (sessions []string, err error) {
	b.roll.each(func(c *conn) {
		if c.session != who && (c.principal.Node == "" || string(c.principal.Node) != who) || c.isGone() {
			return
		}
		sessions = append(sessions, c.session)
		b.m.disconnected.Inc()
		c.end(errorFrame(fmt.Errorf("%s: %w", why, fettle.ErrDenied)), ReasonDisconnected)
	})
	if sessions == nil {
		return nil, fmt.Errorf("%s is not connected: %w", shorten(who), fettle.ErrNotFound)
	}
	return sessions, nil
}

// keptCuts is how many of the connections that were cut off are remembered.
const keptCuts = 100

// Cut is a connection that was cut off because it did not read or acknowledge what it was sent.
type Cut struct {
	At       time.Time     `json:"at"`
	Session  string        `json:"session"`
	Node     fettle.NodeID `json:"node"` // empty: not a node
	Name     string        `json:"name"`
	Remote   string        `json:"remote"`
	Reason   string        `json:"reason"`
	OutBytes int           `json:"out_bytes"` // that waited to be written
}

// cutLog remembers the last ones. The zero value is empty.
type cutLog struct {
	mu   sync.Mutex // guards list; it is taken with conn.mu held, and nothing is taken with it held
	list []Cut      // the oldest first
}

// note remembers that c is cut off. The caller holds c.mu.
func (l *cutLog) note(c *conn, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == keptCuts {
		l.list = append(l.list[:0], l.list[1:]...)
	}
	l.list = append(l.list, Cut{
		At: time.Now(), Session: c.session, Node: c.principal.Node, Name: c.principal.Name, Remote: c.remote(), Reason: reason, OutBytes: c.outBytes,
	})
}

// Cuts gives the last connections that were cut off, the latest first.
func (b *Broker) Cuts() []Cut {
	b.cuts.mu.Lock()
	defer b.cuts.mu.Unlock()
	out := slices.Clone(b.cuts.list)
	slices.Reverse(out)
	return out
}
