package broker

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// lastComeBack is the longest that a node is told to stay away: who was told more than the broker knows any more would be away for nothing.
const lastComeBack = 30 * time.Second

// turnstile spreads the logins of nodes, so that a fleet that lost its broker comes back as fast as it can be greeted, and no faster. Who comes too
// early is told when: each a little later than the one before.
type turnstile struct {
	rate  int   // logins a second; zero: as they come
	burst int   // that may come at once
	each  int64 // nanoseconds that one login takes

	mu   sync.Mutex
	let  int64 // guarded by mu; on the broker's clock, until when logins are spoken for
	told int64 // guarded by mu; until when places are given to those who were told to come back
}

func newTurnstile(rate int) *turnstile {
	p := &turnstile{rate: rate, burst: 2 * rate}
	if rate > 0 {
		p.each = int64(time.Second) / int64(rate)
		p.let = -p.each * int64(p.burst) // the broker's clock begins at zero
	}
	return p
}

// admit lets a node in at a moment, or tells it for how long to stay away.
func (p *turnstile) admit(now int64) (after time.Duration) {
	if p.rate == 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.let = max(p.let, now-p.each*int64(p.burst)); p.let+p.each <= now {
		p.let += p.each
		return 0
	}
	p.told = min(max(p.told, now)+p.each, now+int64(lastComeBack))
	return time.Duration(p.told - now)
}

// early is the refusal of a login that comes too soon.
type early struct{ after time.Duration }

func (e *early) Error() string {
	return fmt.Sprintf("too many nodes log in at the same time; come back in %s: %s", e.after.Round(time.Millisecond), fettle.ErrUnavailable)
}

func (e *early) Unwrap() error { return fettle.ErrUnavailable }

// header gives the field that says when to come back.
func (e *early) header() wire.Field {
	return wire.Field{Name: "retry-after", Value: strconv.FormatInt(max(e.after, time.Millisecond).Milliseconds(), 10)}
}
