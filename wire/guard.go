package wire

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of a frame that a link reads. The frame package allocates what content-length says before it has seen a byte of it, and lines of any
// length: guard stands before it.
const (
	maxFrameHead = 16 << 10       // bytes from the command to the blank line
	maxFrameBody = MaxMessage * 2 // bytes
)

// guard passes on what it reads, and fails before a frame that is out of bounds reaches its reader.
type guard struct {
	from io.Reader
	line []byte // the line so far
	head int    // bytes of the head so far
	body int    // bytes of the body that are still to come, its zero byte with them
	size int    // bytes of a body without a length so far
	in   int    // one of the states below
	long int    // content-length; -1: none yet
}

const (
	beforeFrame = iota // between frames: heart-beats
	inHead
	inBody     // of a known length
	inOpenBody // up to a zero byte
)

// Read implements io.Reader.
func (g *guard) Read(p []byte) (int, error) {
	n, err := g.from.Read(p)
	if fault := g.look(p[:n]); fault != nil {
		return 0, fault
	}
	return n, err
}

func (g *guard) look(p []byte) error {
	for len(p) > 0 {
		switch g.in {
		case inBody:
			n := min(len(p), g.body)
			p = p[n:]
			if g.body -= n; g.body == 0 {
				g.in = beforeFrame
			}
		case inOpenBody:
			n := bytes.IndexByte(p, 0)
			if n >= 0 {
				g.in = beforeFrame
				p = p[n+1:]
				continue
			}
			if g.size += len(p); g.size > maxFrameBody {
				return fmt.Errorf("a frame's body has more than %d bytes: %w", maxFrameBody, fettle.ErrInvalid)
			}
			return nil
		default:
			n := bytes.IndexByte(p, '\n')
			part := p
			if n >= 0 {
				part = p[:n+1]
			}
			if g.head += len(part); g.head > maxFrameHead {
				return fmt.Errorf("a frame's head has more than %d bytes: %w", maxFrameHead, fettle.ErrInvalid)
			}
			g.line = append(g.line, part...)
			p = p[len(part):]
			if n >= 0 {
				if err := g.endLine(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (g *guard) endLine() error {
	line := bytes.TrimSuffix(g.line[:len(g.line)-1], []byte("\r"))
	g.line = g.line[:0]
	switch {
	case g.in == beforeFrame && len(line) == 0:
		g.head = 0
	case g.in == beforeFrame:
		g.in, g.long = inHead, -1
	case len(line) > 0:
		value, ok := bytes.CutPrefix(line, []byte("content-length:"))
		if !ok || g.long >= 0 { // the first one counts
			return nil
		}
		n, err := strconv.ParseUint(string(value), 10, 32)
		if err != nil || n > maxFrameBody {
			return fmt.Errorf("a frame's content-length is %q, and %d bytes are allowed: %w", clip(string(value)), maxFrameBody, fettle.ErrInvalid)
		}
		g.long = int(n)
	case g.long >= 0:
		g.in, g.head, g.body = inBody, 0, g.long+1
	default:
		g.in, g.head, g.size = inOpenBody, 0, 0
	}
	return nil
}
