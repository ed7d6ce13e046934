package audit

import (
	"sync"
	"time"
)

// perMinute is how many entries strangers can cause.
const perMinute = 120

// strangers counts what people cause who have not signed in. It is safe for concurrent use.
type strangers struct {
	mu     sync.Mutex
	began  time.Time // of the minute at hand; guarded by mu
	count  int       // in it; guarded by mu
	missed int       // guarded by mu
}

// take tells whether one more is put down, and how many were not in the minutes before.
func (s *strangers) take(now time.Time) (keep bool, missed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.began) >= time.Minute || now.Before(s.began) {
		missed, s.began, s.count, s.missed = s.missed, now, 0, 0
	}
	if s.count++; s.count > perMinute {
		s.missed++
		return false, missed
	}
	return true, missed
}
