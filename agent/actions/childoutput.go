package actions

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// keep says how much of an output is kept, in bytes: its beginning, and its end.
type keep struct{ head, tail int }

// or gives k, or other where k says nothing.
func (k keep) or(other keep) keep {
	if k == (keep{}) {
		return other
	}
	return k
}

func (k keep) keeper(stream string, each func(string, []byte)) *keeper {
	return &keeper{keep: k, stream: stream, each: each, done: make(chan struct{})}
}

// keeper keeps the beginning and the end of what is written to it, and reads on behind them.
type keeper struct {
	keep
	stream string
	each   func(stream string, chunk []byte)
	done   chan struct{} // closed when all writers are gone, or when the pipe was closed

	mu          sync.Mutex // guards what follows
	first, last []byte     // last holds up to twice what is kept, so that it is not moved for each byte
	total       int64
}

// open makes a pipe: to is for the child. end closes our side, and returns when all that was read has been kept.
func (k *keeper) open() (end func(), to *os.File, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	go func() { // ends at the end of the pipe, or when end closes it; end waits for it
		defer close(k.done)
		k.read(r)
	}()
	return func() { r.Close(); <-k.done }, w, nil
}

func (k *keeper) read(r io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			k.add(buf[:n])
			if k.each != nil {
				k.each(k.stream, buf[:n])
			}
		}
		if err != nil {
			return // io.EOF, or the pipe was closed
		}
	}
}

func (k *keeper) add(chunk []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.total += int64(len(chunk))
	n := min(len(chunk), k.head-len(k.first))
	k.first = append(k.first, chunk[:n]...)
	if chunk = chunk[n:]; k.tail == 0 || len(chunk) == 0 {
		return
	}
	k.last = append(k.last, chunk[max(0, len(chunk)-k.tail):]...)
	if len(k.last) > 2*k.tail {
		k.last = append(k.last[:0], k.last[len(k.last)-k.tail:]...)
	}
}

// bytes gives what was kept, and how many bytes were not. Where the end is kept too, a line between it and the beginning says how much is missing.
func (k *keeper) bytes() (kept []byte, cut int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	last := k.last[max(0, len(k.last)-k.tail):]
	cut = k.total - int64(len(k.first)+len(last))
	kept = append([]byte{}, k.first...)
	if cut > 0 && k.tail > 0 {
		kept = fmt.Appendf(kept, "\n[%d bytes are left out here]\n", cut)
	}
	return append(kept, last...), cut
}

// text gives a child's output as a string that any reader can take: UTF-8, without zero bytes, and without what a terminal would obey.
func text(raw []byte) string {
	s := strings.ToValidUTF8(string(raw), "\uFFFD")
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\n' && r != '\t' || r == 0x7f {
			if r == '\r' || r == 0x1b {
				return r // colours and progress bars; whoever prints decides
			}
			return '\uFFFD'
		}
		return r
	}, s)
}
