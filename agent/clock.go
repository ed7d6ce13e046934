package agent

import (
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// clock is the server's, carried forward by the monotonic clock of the node: the node's own wall clock may be years off, and be set at any
// moment. The zero value does not know the time yet.
type clock struct {
	server fettle.Millis
	at     time.Time // of this node, when server was true; with a monotonic reading
}

func (c *clock) set(server fettle.Millis) { c.server, c.at = server, time.Now() }

// now gives zero while it does not know.
func (c *clock) now() fettle.Millis {
	if c.server == 0 {
		return 0
	}
	return c.server.Add(time.Since(c.at))
}

// orOwn gives the node's own time while the server's is not known.
func (c *clock) orOwn() fettle.Millis {
	if now := c.now(); now != 0 {
		return now
	}
	return fettle.MillisOf(time.Now())
}

// ahead gives how far the server's clock is ahead of the node's own; zero while it is not known. It is safe for concurrent use.
func (a *Agent) ahead() time.Duration {
	told := a.told.Load()
	if told == nil {
		return 0
	}
	return time.Until(told.now().Time())
}
