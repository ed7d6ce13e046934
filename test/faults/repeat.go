//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// repeater stands between agents and broker. It says some of the agents' messages twice, at once or later, and swaps neighbours.
type repeater struct {
	to                      string
	listener                net.Listener
	sent, repeated, swapped atomic.Int64
	random                  func() *rand.Rand // a new one, with a seed of its own
	on                      atomic.Bool
}

// swapWait is how long a message waits for a neighbour that it can change places with.
const swapWait = 100 * time.Millisecond

// serve takes connections until ctx ends, and returns when all have ended.
func (r *repeater) serve(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() { _ = r.listener.Close() })
	defer stop()
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		wg.Go(func() { r.pass(ctx, near) })
	}
}

// pass hands on what one agent and the broker say, until one of both hangs up.
func (r *repeater) pass(ctx context.Context, near net.Conn) {
	defer near.Close()
	far, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", r.to)
	if err != nil {
		return
	}
	defer far.Close()
	stop := context.AfterFunc(ctx, func() { near.Close(); far.Close() })
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(near, far)
		near.Close()
	})
	r.disturb(far, frames(bufio.NewReader(near)), r.random())
	far.Close()
	wg.Wait()
}

// frames reads frames until there are no more. The channel is closed then.
func frames(in *bufio.Reader) <-chan []byte {
	out := make(chan []byte)
	go func() { // ends with the connection: disturb reads until then
		defer close(out)
		for {
			f, err := readFrame(in)
			if err != nil {
				return
			}
			out <- f
		}
	}()
	return out
}

// disturb writes frames on. It reads to the end of in, whatever happens.
func (r *repeater) disturb(to io.Writer, in <-chan []byte, random *rand.Rand) {
	var later [][]byte
	broken := false
	write := func(f []byte) {
		if !broken {
			_, err := to.Write(f)
			broken = err != nil
		}
	}
	for f := range in {
		if !isSend(f) || !r.on.Load() {
			write(f)
			continue
		}
		r.sent.Add(1)
		switch dice := random.IntN(100); {
		case dice < 5: // twice at once
			r.repeated.Add(1)
			write(f)
			write(f)
		case dice < 10: // once more, some messages later
			r.repeated.Add(1)
			write(f)
			later = append(later, f)
		case dice < 20:
			select {
			case next, more := <-in:
				if more && isSend(next) {
					r.sent.Add(1)
					r.swapped.Add(1)
					write(next)
					write(f)
					continue
				}
				write(f)
				if more {
					write(next)
				}
			case <-time.After(swapWait):
				write(f)
			}
		default:
			write(f)
			if len(later) > 0 && random.IntN(3) == 0 {
				write(later[0])
				later = later[1:]
			}
		}
		if c, is := to.(net.Conn); is && broken {
			c.Close()
		}
	}
}

func isSend(f []byte) bool { return bytes.HasPrefix(f, []byte("SEND")) }

// maxFrame is more than the broker would take.
const maxFrame = 8 << 20

// readFrame reads a frame, or the line break that stands between two.
func readFrame(in *bufio.Reader) ([]byte, error) {
	var f []byte
	length := -1
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		f = append(f, line...)
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" && first {
			return f, nil
		}
		if text == "" {
			break
		}
		if n, is := strings.CutPrefix(text, "content-length:"); is && length < 0 {
			if length, err = strconv.Atoi(n); err != nil || length < 0 || length > maxFrame {
				return nil, fmt.Errorf("content-length %q", n)
			}
		}
		if len(f) > maxFrame {
			return nil, errors.New("a head without an end")
		}
	}
	if length < 0 {
		body, err := in.ReadBytes(0)
		return append(f, body...), err
	}
	body := make([]byte, length+1)
	if _, err := io.ReadFull(in, body); err != nil {
		return nil, err
	}
	return append(f, body...), nil
}
