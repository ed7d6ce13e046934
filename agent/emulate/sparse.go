package emulate

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// sparseFor is how long one trouble of the fleet is not told again: it is that of one node as of thousands.
const sparseFor = time.Minute

// sparse is a handler that lets through warnings and errors only, each message once in sparseFor, whichever node says it.
type sparse struct {
	slog.Handler
	told *told
}

// told is what was said lately, shared by the handlers that are made of one.
type told struct {
	mu   sync.Mutex
	last map[string]time.Time // by message: they are fixed phrases, and few
}

func newSparse(h slog.Handler) sparse {
	return sparse{h, &told{last: map[string]time.Time{}}}
}

func (s sparse) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && s.Handler.Enabled(ctx, level)
}

func (s sparse) Handle(ctx context.Context, r slog.Record) error {
	s.told.mu.Lock()
	last, known := s.told.last[r.Message]
	again := known && r.Time.Sub(last) < sparseFor
	if !again {
		s.told.last[r.Message] = r.Time
	}
	s.told.mu.Unlock()
	if again {
		return nil
	}
	return s.Handler.Handle(ctx, r)
}

func (s sparse) WithAttrs(attrs []slog.Attr) slog.Handler {
	return sparse{s.Handler.WithAttrs(attrs), s.told}
}

func (s sparse) WithGroup(name string) slog.Handler { return sparse{s.Handler.WithGroup(name), s.told} }
