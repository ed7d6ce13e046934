package trust

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	fettle "github.com/fettle-dev/fettle"
)

// Replays remembers the ids of messages until they expire, so that none is acted upon twice. It never holds more than its limit: when it is
// full, the oldest is let go, and from then on everything that was sent before that one is refused. It is not safe for concurrent use.
type Replays struct {
	limit int
	seen  map[[16]byte]sighting
	floor fettle.Millis // messages sent at or before this are refused unseen
}

type sighting struct{ at, expires fettle.Millis }

// NewReplays makes an empty memory for limit ids.
func NewReplays(limit int) *Replays { return &Replays{limit: limit} }

// Check tells whether the message with this id, sent at that moment, is new; ErrDenied if it was noted before, or may have been.
func (r *Replays) Check(id string, at fettle.Millis) error {
	key, err := uuid.Parse(id)
	if err != nil {
		return fmt.Errorf("message id: %w: %w", err, fettle.ErrInvalid)
	}
	if _, known := r.seen[key]; known {
		return fmt.Errorf("message %s came before: %w", id, fettle.ErrDenied)
	}
	if at <= r.floor {
		return fmt.Errorf("message %s is older than what is remembered: %w", id, fettle.ErrDenied)
	}
	return nil
}

// Note remembers a message that Check let pass.
func (r *Replays) Note(id string, at, expires, now fettle.Millis) {
	key, err := uuid.Parse(id)
	if err != nil {
		return
	}
	if r.seen == nil {
		r.seen = map[[16]byte]sighting{}
	}
	if len(r.seen) >= r.limit {
		r.Expire(now)
	}
	if len(r.seen) >= r.limit {
		r.evict()
	}
	r.seen[key] = sighting{at, expires}
}

// Expire forgets what would be refused for its age anyhow.
func (r *Replays) Expire(now fettle.Millis) {
	for key, s := range r.seen {
		if s.expires < now {
			delete(r.seen, key)
		}
	}
}

// evict makes room: the oldest eighth goes at once, so that it is rare.
func (r *Replays) evict() {
	keys := slices.Collect(maps.Keys(r.seen))
	slices.SortFunc(keys, func(a, b [16]byte) int { return cmp.Compare(r.seen[a].at, r.seen[b].at) })
	for _, key := range keys[:min(len(keys), max(1, r.limit/8))] {
		r.floor = max(r.floor, r.seen[key].at)
		delete(r.seen, key)
	}
}

// Len tells how many ids are remembered.
func (r *Replays) Len() int { return len(r.seen) }
