//go:build linux || darwin

package broker

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// rawWriter gives the way to write to nc without waiting; nil: there is none.
func rawWriter(nc net.Conn) syscall.RawConn {
	c, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	rc, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	return rc
}

// writeNow writes what the socket takes at once of head and tail. An error is left to the next writer, who will meet it too.
func writeNow(rc syscall.RawConn, head, tail []byte) (n int) {
	_ = rc.Write(func(fd uintptr) bool {
		iov := [2][]byte{head, tail}
		n, _ = unix.Writev(int(fd), iov[:])
		return true
	})
	return max(n, 0)
}
