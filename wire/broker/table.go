package broker

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fettle-dev/fettle"
)

// tableShards is the number of locks among which destinations are divided; more would not be felt on any machine that runs this.
const tableShards = 64

// maxDestination is the length of the longest destination, in bytes: an identity of 253 with room for what stands before it.
const maxDestination = 512

const (
	topicPrefix = "/topic/"
	queuePrefix = "/queue/"
)

// table holds the destinations that are in use.
type table struct {
	b      *Broker
	seed   maphash.Seed
	shards [tableShards]tableShard
}

type tableShard struct {
	mu     sync.RWMutex // guards the maps
	topics map[string]*topic
	queues map[string]*queue
}

func newTable(b *Broker) *table {
	t := &table{b: b, seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].topics = map[string]*topic{}
		t.shards[i].queues = map[string]*queue{}
	}
	return t
}

func (t *table) shard(name string) *tableShard {
	return &t.shards[maphash.String(t.seed, name)%tableShards]
}

// topic gives the topic name, or nil if nobody is subscribed.
func (t *table) topic(name string) *topic {
	s := t.shard(name)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.topics[name]
}

// joinTopic subscribes s.
func (t *table) joinTopic(name string, s *subscription) {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.topic = sh.topics[name]
	if s.topic == nil || !s.topic.join(s) {
		s.topic = &topic{name: name, subs: map[*subscription]struct{}{s: {}}}
		sh.topics[name] = s.topic
	}
}

// dropTopic frees tp, which is gone.
func (t *table) dropTopic(tp *topic) {
	sh := t.shard(tp.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.topics[tp.name] == tp {
		delete(sh.topics, tp.name)
	}
}

// use calls f with the queue name, and frees the queue afterwards if it is idle. f is called under the lock of the shard, which keeps the
// queue from being freed meanwhile. With create false, f is not called where there is no such queue.
func (t *table) use(name string, create bool, f func(*queue) error) error {
	sh := t.shard(name)
	sh.mu.RLock()
	q := sh.queues[name]
	if q != nil {
		err := f(q)
		sh.mu.RUnlock()
		t.free(q)
		return err
	}
	sh.mu.RUnlock()
	if !create {
		return nil
	}
	sh.mu.Lock()
	q = sh.queues[name]
	if q == nil {
		q = &queue{b: t.b, name: name, transient: t.b.transient(name)}
		sh.queues[name] = q
	}
	err := f(q)
	sh.mu.Unlock()
	t.free(q)
	return err
}

// free forgets q if it is idle.
func (t *table) free(q *queue) {
	if !q.idle() {
		return
	}
	sh := t.shard(q.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.queues[q.name] == q && q.idle() { // nobody can come to use it while the shard is locked
		delete(sh.queues, q.name)
	}
}

// kindOf tells whether dest is a topic or a queue; neither is ErrInvalid.
func kindOf(dest string) (isTopic bool, err error) {
	isTopic = strings.HasPrefix(dest, topicPrefix)
	if !isTopic && !strings.HasPrefix(dest, queuePrefix) || len(dest) == len(topicPrefix) {
		return false, fmt.Errorf("destination %q does not begin with %s or %s and a name: %w", shorten(dest), topicPrefix, queuePrefix, fettle.ErrInvalid)
	}
	if len(dest) > maxDestination {
		return false, fmt.Errorf("the destination has %d bytes, and %d are allowed: %w", len(dest), maxDestination, fettle.ErrInvalid)
	}
	for i := range len(dest) {
		if dest[i] < ' ' || dest[i] == 0x7f {
			return false, fmt.Errorf("destination %q holds a control character: %w", shorten(dest), fettle.ErrInvalid)
		}
	}
	return isTopic, nil
}

// held counts what all queues hold together.
type held struct {
	maxMessages, maxBytes int64
	messages, bytes       atomic.Int64
}

// take counts one message more, unless that would be over a bound.
func (h *held) take(size int) bool {
	if h.messages.Add(1) > h.maxMessages {
		h.messages.Add(-1)
		return false
	}
	if h.bytes.Add(int64(size)) > h.maxBytes {
		h.bytes.Add(-int64(size))
		h.messages.Add(-1)
		return false
	}
	return true
}

func (h *held) give(size int) {
	h.messages.Add(-1)
	h.bytes.Add(-int64(size))
}
