package nrpe

import (
	"log/slog"
	"sync"
	"time"
)

// logEvery is how often the same thing is logged at most: strangers decide how often it happens.
const logEvery = time.Minute

// quietLog logs each message once in a while, and then says how often it was left out.
type quietLog struct {
	log *slog.Logger

	mu   sync.Mutex // guards seen
	seen map[string]*repeated
}

// repeated is a message that was logged.
type repeated struct {
	at   time.Time
	left int // how often it was left out since
}

func newQuietLog(log *slog.Logger) *quietLog {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &quietLog{log: log, seen: map[string]*repeated{}}
}

// warn logs message, which is one of a few fixed ones.
func (q *quietLog) warn(message string, attributes ...any) {
	now := time.Now()
	q.mu.Lock()
	last, known := q.seen[message]
	if known && now.Sub(last.at) < logEvery {
		last.left++
		q.mu.Unlock()
		return
	}
	left := 0
	if known {
		left = last.left
	}
	q.seen[message] = &repeated{at: now}
	q.mu.Unlock()
	if left > 0 {
		attributes = append(attributes, "left_out", left)
	}
	q.log.Warn(message, attributes...) //nolint:sloglint // one of a few constants
}
