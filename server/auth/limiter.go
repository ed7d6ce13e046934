package auth

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Limits of logins that fail. A name may fail nameTries times in a row, then once every nameEvery; an address likewise.
const (
	nameTries    = 8
	nameEvery    = 15 * time.Second
	addressTries = 30
	addressEvery = 4 * time.Second
	maxTracked   = 10_000 // names, and as many addresses
)

// LimitError says that somebody has failed too often. It wraps fettle.ErrDenied.
type LimitError struct {
	After time.Duration // after which the next try is looked at
}

// Error says when to come again.
func (e *LimitError) Error() string {
	return fmt.Sprintf("too many logins failed, try again in %s: %s", e.After.Round(time.Second), fettle.ErrDenied)
}

// Unwrap gives fettle.ErrDenied.
func (e *LimitError) Unwrap() error { return fettle.ErrDenied }

// limiter counts, per key, tries that are given back by time. Its memory is bounded: what is not tracked shares one count. It is safe for
// concurrent use.
type limiter struct {
	tries int
	every time.Duration
	now   func() time.Time

	mu    sync.Mutex
	until map[string]time.Time // when all tries of a key are given back; guarded by mu
	rest  time.Time            // the same of all that is not tracked; guarded by mu
	swept time.Time            // guarded by mu
}

func newLimiter(tries int, every time.Duration, now func() time.Time) *limiter {
	return &limiter{tries: tries, every: every, now: now, until: map[string]time.Time{}}
}

// take uses one try of key. It is a *LimitError when there is none left. Two tries at once cannot share one: it is taken before it is known
// whether it fails.
func (l *limiter) take(key string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	until, tracked := l.until[key]
	if !tracked && !l.room(now) {
		until = l.rest
	}
	if until.Before(now) {
		until = now
	}
	full := time.Duration(l.tries) * l.every
	if wait := until.Add(l.every).Sub(now) - full; wait > 0 {
		return &LimitError{After: wait}
	}
	l.put(key, until.Add(l.every), tracked || len(l.until) < maxTracked)
	return nil
}

// giveBack returns a try that was not a failure, and all those that failed before.
func (l *limiter) giveBack(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.until, key)
}

// refund returns one try that led to no answer, such as when the store was away.
func (l *limiter) refund(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until, tracked := l.until[key]; tracked {
		l.until[key] = until.Add(-l.every)
	}
}

func (l *limiter) put(key string, until time.Time, tracked bool) {
	if tracked {
		l.until[key] = until
	} else {
		l.rest = until
	}
}

// room tells whether one more key can be tracked; keys that have all their tries need not be.
func (l *limiter) room(now time.Time) bool {
	if len(l.until) < maxTracked {
		return true
	}
	if now.Sub(l.swept) < l.every { // the last look was just now: no stranger makes us look at all of them again and again
		return false
	}
	l.swept = now
	for key, until := range l.until {
		if !until.After(now) {
			delete(l.until, key)
		}
	}
	return len(l.until) < maxTracked
}

// network is what of an address one person has: all of an IPv4 address, and the first half of an IPv6 address.
func network(address string) string {
	if host, err := netip.ParseAddrPort(address); err == nil {
		address = host.Addr().String()
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
