package wire

import "io"

// Guard is what stands before a link's frame reader.
func Guard(r io.Reader) io.Reader { return &guard{from: r} }
