//go:build !unix

package broker

import "net"

// newSource gives nc's source.
func newSource(nc net.Conn, pool *buffers) source { return &plainSource{nc: nc, pool: pool} }
