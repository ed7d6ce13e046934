package agent

import (
	"context"
	"sync"
	"time"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// Bounds of output that is sent while an action runs. It is for the eyes of those who wait: the result has the beginning and the end of it, and
// what the connection does not take is not sent again.
const (
	streamAfter = time.Second // after the first of it: what ends sooner sends its result only
	streamEvery = 500 * time.Millisecond
	streamChunk = 16 << 10  // bytes of one message
	streamTotal = 256 << 10 // bytes of one task, both streams together
)

// stream sends what one task prints, in chunks. It is safe for concurrent use.
type stream struct {
	send func(wire.Output)
	task fettle.TaskID

	mu    sync.Mutex  // guards what follows
	timer *time.Timer // nil: nothing was printed yet
	wait  map[string][]byte
	seq   map[string]int64
	total int
	open  bool // long enough has passed
	over  bool
}

// stream gives a stream of a task's output; end has to be called.
func (a *Agent) stream(task fettle.TaskID) *stream {
	s := &stream{task: task}
	s.send = func(o wire.Output) {
		a.inbox.tryPut(func(context.Context) {
			if a.welcomed {
				a.send(wire.TypeOutput, a.dest.Output(), o)
			}
		})
	}
	return s
}

// add takes some output. What is more than the bounds allow is left to the result.
func (s *stream) add(name string, chunk []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(chunk), streamTotal-s.total)
	if s.over || n <= 0 {
		return
	}
	if s.timer == nil { // most actions print nothing, and this costs them nothing
		s.wait, s.seq = map[string][]byte{}, map[string]int64{}
		s.timer = time.AfterFunc(streamAfter, s.flush)
	}
	s.total += n
	s.wait[name] = append(s.wait[name], chunk[:n]...)
	for s.open && len(s.wait[name]) >= streamChunk {
		s.part(name, false)
	}
}

// flush sends what waits, and comes again.
func (s *stream) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.open = true
	for name := range s.wait {
		for len(s.wait[name]) > 0 && s.part(name, false) {
		}
	}
	s.timer.Reset(streamEvery)
}

// part sends one chunk, and tells whether there was one. A character that has not come whole waits for its rest, unless it is the last.
func (s *stream) part(name string, last bool) bool {
	waiting := s.wait[name]
	n := min(len(waiting), streamChunk)
	if !last {
		n = wholeText(waiting[:n])
	}
	if n == 0 {
		return false
	}
	s.seq[name]++
	s.send(wire.Output{Task: s.task, Stream: name, Seq: s.seq[name], Data: append([]byte{}, waiting[:n]...)})
	s.wait[name] = waiting[n:]
	return true
}

// wholeText gives the length of b without a character at its end that is not whole; of bytes that are no text, all of them.
func wholeText(b []byte) int {
	for i := len(b) - 1; i >= max(0, len(b)-utf8.UTFMax); i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return i
			}
			break
		}
	}
	return len(b)
}

// end sends the rest, if anything was sent before: a task that was quick has told all in its result.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.timer != nil {
		s.timer.Stop()
	}
	if !s.open {
		return
	}
	for name := range s.wait {
		for len(s.wait[name]) > 0 && s.part(name, true) {
		}
	}
}
