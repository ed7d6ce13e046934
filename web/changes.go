package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
)

// Limits of a stream.
const (
	streamBeat  = 15 * time.Second // a comment goes out when nothing else did, below the idle limits of proxies
	streamWrite = 30 * time.Second // who takes nothing for so long is cut off
)

// changes tells an open page that the inventory has changed, as server-sent events, until it closes.
func (s *site) changes(c *gin.Context) error {
	ctx, cancel := context.WithCancel(c.Request.Context())
	defer cancel()
	return s.stream(ctx, c, s.fleet.Changes(ctx))
}

// stream writes an event for whatever comes on changed.
func (s *site) stream(ctx context.Context, c *gin.Context, changed <-chan struct{}) error {
	c.Header("Content-Type", "text/event-stream")
	c.Header("X-Accel-Buffering", "no") // nginx holds a stream back otherwise
	c.Status(http.StatusOK)
	err := s.follow(ctx, c, changed)
	if err != nil && !errors.Is(err, context.Canceled) {
		s.log.Debug("a page is gone", "err", err)
	}
	return nil // there is nobody to tell
}

// follow writes an event for each change, at most one in cfg.Refresh, until the page closes or its session ends.
func (s *site) follow(ctx context.Context, c *gin.Context, changed <-chan struct{}) error {
	control := http.NewResponseController(c.Writer)
	send := func(text string) error {
		if err := control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if _, err := c.Writer.WriteString(text); err != nil {
			return err
		}
		return control.Flush()
	}
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	if err := send("retry: 3000\n\nevent: hello\ndata: " + s.fleet.Version() + "\n\n"); err != nil {
		return err
	}
	for {
		select {
		case _, ok := <-changed:
			if !ok {
				return nil
			}
			if err := send("event: changed\ndata: 1\n\n"); err != nil {
				return err
			}
			if err := rest(ctx, s.cfg.Refresh); err != nil {
				return err
			}
		case <-beat.C:
			if _, err := s.keeper.FromRequest(c.Request); errors.Is(err, fettle.ErrDenied) {
				return nil
			}
			if err := send(": \n\n"); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// rest waits for d, or for the end of ctx.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
