package broker

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// paceEvery is over how long rates are counted: long enough to be steady, and short enough to be of now. Ten thousand connections take a
// millisecond of it.
const paceEvery = 5 * time.Second

// flow counts something, and knows its rate. The zero value is ready.
type flow struct {
	n    atomic.Uint64
	last uint64        // n at the last sample; of the one that samples
	rate atomic.Uint32 // a float32: a second, over the last sample
}

func (f *flow) add(n int) {
	if n > 0 {
		f.n.Add(uint64(n))
	}
}

func (f *flow) total() uint64 { return f.n.Load() }

func (f *flow) perSecond() float64 { return float64(math.Float32frombits(f.rate.Load())) }

func (f *flow) sample(span time.Duration) { f.sampleAt(f.n.Load(), span) }

// sampleAt is sample for a count that is kept elsewhere.
func (f *flow) sampleAt(n uint64, span time.Duration) {
	f.rate.Store(math.Float32bits(float32(float64(n-f.last) / span.Seconds())))
	f.last = n
}

// pace is the rates of the broker as a whole.
type pace struct {
	sampling                                       atomic.Bool // somebody does it
	logins, received, delivered, bytesIn, bytesOut flow
}

// keepPace samples the rates until ctx ends. With several listeners, one of them does it for all.
func (b *Broker) keepPace(ctx context.Context) {
	if !b.pace.sampling.CompareAndSwap(false, true) {
		return
	}
	defer b.pace.sampling.Store(false)
	tick := time.NewTicker(paceEvery)
	defer tick.Stop()
	for then := b.now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		span := b.since(then)
		then += int64(span)
		b.samplePace(span)
	}
}

// samplePace counts the rates over the span since it was called last. One goroutine at a time calls it.
func (b *Broker) samplePace(span time.Duration) {
	if span <= 0 {
		return
	}
	b.pace.logins.sampleAt(b.m.logins.Get(), span)
	b.pace.received.sampleAt(b.m.received.Get(), span)
	b.pace.delivered.sampleAt(b.m.delivered.Get(), span)
	b.pace.bytesIn.sampleAt(b.m.bytesIn.Get(), span)
	b.pace.bytesOut.sampleAt(b.m.bytesOut.Get(), span)
	b.roll.each(func(c *conn) { c.received.sample(span); c.delivered.sample(span) })
	b.table.each(
		func(t *topic) { t.in.sample(span); t.out.sample(span) },
		func(q *queue) { q.in.sample(span); q.out.sample(span) },
	)
	b.intake.each(func(_ string, q *collectedQueue) { q.in.sample(span); q.out.sample(span) })
}
