package wire

import (
	"fmt"
	"io"
)

// Bounds of a frame that a link reads.
var linkLimits = FrameLimits{Header: 16 << 10, Headers: 128, Body: 2 * MaxMessage}

// readBuffer is what a connection keeps for reading, in bytes. A longer frame gets room of its own while it lasts.
const readBuffer = 2 << 10

// frameReader reads the frames of a broker.
type frameReader struct {
	from  io.Reader
	dec   Decoder
	data  []byte // received and not done with
	spare []byte // of readBuffer bytes
}

func newFrameReader(from io.Reader) *frameReader {
	return &frameReader{from: from, dec: Decoder{Limits: linkLimits, From: FromBroker}, spare: make([]byte, readBuffer)}
}

// next gives the next frame, and skips heart-beats. It is good until the next call. io.EOF: the other end hung up, between two frames.
func (r *frameReader) next() (*Frame, error) {
	for {
		f, used, err := r.dec.Next(r.data)
		r.data = r.data[used:]
		if err != nil {
			return nil, err
		}
		if f != nil {
			return f, nil
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// fill waits for more bytes, behind those that are there.
func (r *frameReader) fill() error {
	size := max(r.dec.Want(), len(r.data)+1)
	switch {
	case size <= len(r.spare):
		r.data = r.spare[:copy(r.spare, r.data)]
	case size > cap(r.data):
		r.data = append(make([]byte, 0, max(r.dec.Want(), 2*len(r.data))), r.data...)
	}
	n, err := r.from.Read(r.data[len(r.data):cap(r.data)])
	r.data = r.data[:len(r.data)+n]
	switch {
	case n > 0:
		return nil // err, if any, comes again
	case err == io.EOF && len(r.data) > 0:
		return fmt.Errorf("in the middle of a frame: %w", io.ErrUnexpectedEOF)
	}
	return err
}
