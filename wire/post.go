package wire

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// post waits for its RECEIPT.
type post struct {
	size  int
	until time.Time
	done  func(error)
}

func (s *session) post(dest string, m Message, done func(error)) error {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return errNotConnected
	}
	if len(s.posts) >= s.cfg.Window || s.bytes > 0 && s.bytes+len(m.Body) > s.cfg.WindowBytes {
		s.mu.Unlock()
		return ErrWindow
	}
	s.counter++
	id := strconv.FormatUint(s.counter, 36)
	s.posts[id] = post{size: len(m.Body), until: time.Now().Add(s.cfg.ReceiptTimeout), done: done}
	s.bytes += len(m.Body)
	s.mu.Unlock()
	if err := s.send(dest, m, id); err != nil {
		if _, ok := s.take(id); ok {
			return err
		}
	}
	return nil // sent, or done has been told that it was not
}

// take gives the post that waits under id, which waits no more.
func (s *session) take(id string) (post, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.posts[id]
	if ok {
		delete(s.posts, id)
		s.bytes -= p.size
	}
	return p, ok
}

func (s *session) receipt(id string) {
	if p, ok := s.take(id); ok {
		p.done(nil)
	}
}

// fail tells every post that its receipt will not come.
func (s *session) fail(err error) {
	s.mu.Lock()
	posts := s.posts
	s.posts, s.bytes, s.over = map[string]post{}, 0, true
	s.mu.Unlock()
	for _, p := range posts {
		p.done(fmt.Errorf("no receipt: %w", err))
	}
}

func (s *session) send(dest string, m Message, receipt string) error {
	header := make([]Field, 0, 8)
	header = append(header, Field{"destination", dest}, Field{"content-type", "application/json"})
	if receipt != "" {
		header = append(header, Field{"receipt", receipt})
	}
	header = append(header, s.cfg.Dialect.Send(m, receipt != "")...)
	return s.writeFrame("SEND", append(header, m.Header...), m.Body)
}

// frames keeps buffers from one frame to the next.
var frames = sync.Pool{New: func() any { return new([]byte) }}

func (s *session) writeFrame(command string, header []Field, body []byte) error {
	buf := frames.Get().(*[]byte) //nolint:errcheck // the pool holds nothing else
	*buf = AppendFrame((*buf)[:0], command, header, body, s.version)
	err := s.writeBytes(*buf)
	if cap(*buf) <= 64<<10 { // a large one is rare, and would stay
		frames.Put(buf)
	}
	return err
}

// writeBytes writes a frame at once. When it fails, the connection is of no use any more.
func (s *session) writeBytes(p []byte) error {
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout)); err != nil {
		return fmt.Errorf("send: %w: %w", err, fettle.ErrUnavailable)
	}
	if _, err := s.conn.Write(p); err != nil {
		s.conn.Close()
		return fmt.Errorf("send: %w: %w", err, fettle.ErrUnavailable)
	}
	s.wrote.Store(time.Now().UnixNano())
	return nil
}

// hangUp ends the session.
func (s *session) hangUp(reason error) {
	s.hungUp.CompareAndSwap(nil, &reason)
	s.conn.Close()
}

// goodbyeTimeout is how long the other end has to take our DISCONNECT: there is nothing to lose.
const goodbyeTimeout = 500 * time.Millisecond

func (s *session) goodbye() {
	if s.write.TryLock() { // whoever writes now will not end sooner
		defer s.write.Unlock()
		_ = s.conn.SetWriteDeadline(time.Now().Add(goodbyeTimeout))
		_, _ = s.conn.Write([]byte("DISCONNECT\n\n\x00"))
	}
}
