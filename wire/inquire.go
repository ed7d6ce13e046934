package wire

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// Order is a message that is sent to a destination.
type Order struct {
	Destination string
	Header      []Field
	Body        []byte
}

// Inquire connects to the first server of cfg, once, sends orders, and gives each message that cfg's subscriptions bring to each, until that returns
// false or ctx ends. ErrUnavailable: the broker cannot be reached, refuses, or hangs up.
func Inquire(ctx context.Context, cfg LinkConfig, orders []Order, each func(Message) bool) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	l := &Link{cfg: cfg, log: slog.New(slog.DiscardHandler)}
	s, in, err := l.connect(ctx, cfg.Servers[0])
	if err != nil {
		return err
	}
	defer s.conn.Close()
	defer context.AfterFunc(ctx, func() { s.conn.Close() })()
	for _, o := range orders {
		if err := s.writeFrame("SEND", append([]Field{{"destination", o.Destination}}, o.Header...), o.Body); err != nil {
			return err
		}
	}
	for {
		f, err := readFrame(in)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == io.EOF: //nolint:errorlint // it is given as it is
			return fmt.Errorf("the broker hung up: %w", fettle.ErrUnavailable)
		case err != nil:
			return err
		}
		if f.Command == "MESSAGE" && !each(Message{Body: bytes.Clone(f.Body), Header: slices.Clone(f.Header)}) {
			s.goodbye()
			return nil
		}
	}
}
