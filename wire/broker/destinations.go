package broker

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/fettle-dev/fettle"
)

// Kinds of destinations.
const (
	KindTopic     = "topic"
	KindQueue     = "queue"     // it keeps what nobody has taken
	KindTransient = "transient" // a queue that is gone with its last consumer
	KindCollected = "collected" // a queue that the server takes itself
)

var kinds = []string{KindTopic, KindQueue, KindTransient, KindCollected}

// DestinationStats is a topic or queue that is in use. A topic holds nothing. Of a collected queue, Messages are those that are not committed yet.
type DestinationStats struct {
	Name      string        `json:"name"`
	Kind      string        `json:"kind"`
	Consumers int           `json:"consumers"`
	Messages  int           `json:"messages"` // ready and pending
	Pending   int           `json:"pending"`  // given to a consumer and not acknowledged
	Bytes     int           `json:"bytes"`
	Oldest    time.Duration `json:"oldest"`   // how long the oldest message has been here; zero: there is none, or it is not known
	In        uint64        `json:"in"`       // messages, since it came into use
	Out       uint64        `json:"out"`      // messages that were taken or committed
	InRate    float64       `json:"in_rate"`  // messages a second, lately
	OutRate   float64       `json:"out_rate"` // the same
}

// Destinations gives all that are in use, by name.
func (b *Broker) Destinations() []DestinationStats {
	var out []DestinationStats
	b.table.each(func(t *topic) { out = append(out, t.stats()) }, func(q *queue) { out = append(out, q.stats()) })
	b.intake.each(func(name string, q *collectedQueue) { out = append(out, q.stats(name)) })
	slices.SortFunc(out, func(a, b DestinationStats) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Destination gives one destination. ErrNotFound: nobody is there and nothing is in it; a collected queue is always there.
func (b *Broker) Destination(name string) (DestinationStats, error) {
	sh := b.table.shard(name)
	sh.mu.RLock()
	t, q := sh.topics[name], sh.queues[name]
	sh.mu.RUnlock()
	switch {
	case b.collected(name):
		return b.intake.get(name).stats(name), nil
	case t != nil:
		return t.stats(), nil
	case q != nil:
		return q.stats(), nil
	}
	return DestinationStats{}, fmt.Errorf("destination %s is not in use: %w", shorten(name), fettle.ErrNotFound)
}

// each calls f and g with all topics and queues, under the lock of their shard.
func (t *table) each(f func(*topic), g func(*queue)) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		for _, tp := range s.topics {
			f(tp)
		}
		for _, q := range s.queues {
			g(q)
		}
		s.mu.RUnlock()
	}
}

func (t *topic) stats() DestinationStats {
	return DestinationStats{
		Name: t.name, Kind: KindTopic, Consumers: len(t.subscribers()),
		In: t.in.total(), Out: t.out.total(), InRate: t.in.perSecond(), OutRate: t.out.perSecond(),
	}
}

func (q *queue) stats() DestinationStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	d := DestinationStats{
		Name: q.name, Kind: KindQueue, Consumers: len(q.subs), Messages: q.messages, Bytes: q.bytes,
		In: q.in.total(), Out: q.out.total(), InRate: q.in.perSecond(), OutRate: q.out.perSecond(),
	}
	if q.transient {
		d.Kind = KindTransient
	}
	oldest := q.ready.head
	for _, s := range q.subs {
		d.Pending += s.pending.n
		if it := s.pending.head; it != nil && (oldest == nil || it.at < oldest.at) {
			oldest = it
		}
	}
	if oldest != nil {
		d.Oldest = q.b.since(oldest.at)
	}
	return d
}

// collectedQueues count what is sent to the server itself. The names are those that Config.Collected accepts, so they are few.
type collectedQueues struct{ byName sync.Map }

// collectedQueue is one of them.
type collectedQueue struct {
	in, out         flow // messages that came, and that were committed
	messages, bytes atomic.Int64
}

func (c *collectedQueues) get(name string) *collectedQueue {
	if q, ok := c.byName.Load(name); ok {
		return q.(*collectedQueue) //nolint:errcheck // the map holds nothing else
	}
	q, _ := c.byName.LoadOrStore(name, &collectedQueue{})
	return q.(*collectedQueue) //nolint:errcheck // as above
}

func (c *collectedQueues) took(name string, size int) {
	q := c.get(name)
	q.in.add(1)
	q.messages.Add(1)
	q.bytes.Add(int64(size))
}

func (c *collectedQueues) gave(name string, size int, committed bool) {
	q := c.get(name)
	q.messages.Add(-1)
	q.bytes.Add(-int64(size))
	if committed {
		q.out.add(1)
	}
}

func (c *collectedQueues) each(f func(name string, q *collectedQueue)) {
	c.byName.Range(func(name, q any) bool { f(name.(string), q.(*collectedQueue)); return true }) //nolint:errcheck // as above
}

func (q *collectedQueue) stats(name string) DestinationStats {
	return DestinationStats{
		Name: name, Kind: KindCollected, Consumers: 1, Messages: int(q.messages.Load()), Bytes: int(q.bytes.Load()),
		In: q.in.total(), Out: q.out.total(), InRate: q.in.perSecond(), OutRate: q.out.perSecond(),
	}
}

// total adds up what destinations of one kind have.
type total struct{ destinations, messages, consumers int }

func (b *Broker) total(kind string) (sum total) {
	add := func(messages, consumers int) {
		sum.destinations++
		sum.messages += messages
		sum.consumers += consumers
	}
	if kind == KindCollected {
		b.intake.each(func(_ string, q *collectedQueue) { add(int(q.messages.Load()), 1) })
		return sum
	}
	b.table.each(
		func(t *topic) {
			if kind == KindTopic {
				add(0, len(t.subscribers()))
			}
		},
		func(q *queue) {
			if kind == KindTopic || q.transient != (kind == KindTransient) {
				return
			}
			q.mu.Lock()
			defer q.mu.Unlock()
			add(q.messages, len(q.subs))
		})
	return sum
}

// gaugeKind makes the gauges of one kind of destination: not of each, for every node has one.
func (b *Broker) gaugeKind(set *metrics.Set, kind string) {
	for name, value := range map[string]func(total) int{
		"destinations":   func(t total) int { return t.destinations },
		"depth_messages": func(t total) int { return t.messages },
		"consumers":      func(t total) int { return t.consumers },
	} {
		set.GetOrCreateGauge(fmt.Sprintf("fettle_broker_%s{kind=%q}", name, kind), func() float64 { return float64(value(b.total(kind))) })
	}
}
