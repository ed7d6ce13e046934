package broker

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fettle-dev/fettle"
)

// maxBeat bounds the interval that a client may ask for; a longer one is no heart-beat.
const maxBeat = 24 * time.Hour

var beat = []byte("\n")

// parseBeats reads the header heart-beat: what the client can send, and what it wants to get. No header means neither.
func parseBeats(s string) (can, want time.Duration, err error) {
	if s == "" {
		return 0, 0, nil
	}
	a, b, ok := strings.Cut(s, ",")
	x, errX := strconv.ParseUint(strings.TrimSpace(a), 10, 32)
	y, errY := strconv.ParseUint(strings.TrimSpace(b), 10, 32)
	if !ok || errX != nil || errY != nil {
		return 0, 0, fmt.Errorf("heart-beat %q is not two numbers of milliseconds with a comma between: %w", shorten(s), fettle.ErrInvalid)
	}
	return time.Duration(x) * time.Millisecond, time.Duration(y) * time.Millisecond, nil
}

// agree gives the interval of heart-beats in one direction. STOMP 1.2, "Heart-beating".
func agree(ours, theirs time.Duration) time.Duration {
	if ours == 0 || theirs == 0 {
		return 0
	}
	if d := max(ours, theirs); d <= maxBeat {
		return d
	}
	return 0
}

// tick is called by the connection's timer: when the time to log in is over, and then whenever a heart-beat may be due.
func (c *conn) tick() {
	c.mu.Lock()
	loggedIn, isOpen := c.loggedIn, c.state == open
	c.mu.Unlock()
	if !isOpen {
		return
	}
	if !loggedIn {
		c.b.m.refusedLogins[refusedLate].Inc()
		c.fail(fmt.Errorf("no login within %s: %w", c.b.cfg.ConnectTimeout, fettle.ErrInvalid))
		return
	}
	next := maxBeat
	if c.beatOut > 0 {
		next = c.sendBeat()
	}
	if c.beatIn > 0 {
		left, ok := c.expectBeat()
		if !ok {
			return
		}
		next = min(next, left)
	}
	c.timer.Reset(next)
}

// sendBeat sends a heart-beat if nothing else was sent for most of the interval, and tells when to look again.
func (c *conn) sendBeat() time.Duration {
	every := c.beatOut * 3 / 4 // the rest is for the way
	left := every - c.b.since(c.lastWrite.Load())
	if left > 0 {
		return left
	}
	c.mu.Lock()
	if c.state == open && !c.writing {
		c.b.m.beats.Inc()
		c.add(chunk{head: beat})
		c.startWriter()
	}
	c.mu.Unlock()
	return every
}

// expectBeat ends a connection that has been silent for too long, and tells when to look again. What the client sent may lie unread
// because this process was held up: so it gets a last chance, of a quarter of the interval.
func (c *conn) expectBeat() (left time.Duration, ok bool) {
	limit := c.beatIn * time.Duration(c.b.cfg.BeatTolerance)
	if left = limit - c.b.since(c.lastRead.Load()); c.paused.Load() {
		left = limit
	}
	c.mu.Lock()
	again := c.suspect
	c.suspect = left <= 0
	c.mu.Unlock()
	switch {
	case left > 0:
		return left, true
	case !again:
		return max(c.beatIn/4, time.Millisecond), true
	}
	c.b.m.silent.Inc()
	c.fail(fmt.Errorf("nothing was heard for %s, and a heart-beat was promised every %s: %w", limit, c.beatIn, fettle.ErrUnavailable))
	return 0, false
}

// startBeats begins heart-beats, or only ends the wait for the login.
func (c *conn) startBeats(in, out time.Duration) {
	c.mu.Lock()
	c.loggedIn, c.beatIn, c.beatOut = true, in, out
	c.mu.Unlock()
	switch {
	case in > 0 && out > 0:
		c.timer.Reset(min(in, out*3/4))
	case in > 0:
		c.timer.Reset(in)
	case out > 0:
		c.timer.Reset(out * 3 / 4)
	default:
		c.timer.Stop()
	}
}

// heardAt tells when the client was last heard of: now, while it is not being listened to.
func (c *conn) heardAt() time.Time {
	if c.paused.Load() {
		return time.Now()
	}
	return c.b.epoch.Add(time.Duration(c.lastRead.Load()))
}
