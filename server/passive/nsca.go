package passive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// nsca is an NSCA daemon. Its protocol has no answer: that a daemon does not understand shows only by its hanging up.
type nsca struct{ address, method, password string }

// hangUpWithin is how long a daemon has for hanging up when it could not make sense of what it was sent.
const hangUpWithin = time.Second // nothing waits for it but this target

func (n nsca) send(ctx context.Context, batch []nagios.Passive, took func(i int, refused error)) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", n.address)
	if err != nil {
		return unreachable("nsca", err)
	}
	defer func() { _ = conn.Close() }() // what was to be said is said
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	greeting := make([]byte, nagios.NSCAGreeting)
	if _, err := io.ReadFull(conn, greeting); err != nil {
		return unreachable("nsca: the server does not begin", err)
	}
	packets, err := nagios.NewNSCA(n.method, n.password, greeting)
	if err != nil {
		return err
	}
	for _, p := range batch {
		if _, err := conn.Write(packets.Packet(p)); err != nil {
			return n.hungUp(err)
		}
	}
	if err := n.listen(conn); err != nil {
		return err
	}
	for i := range batch {
		took(i, nil)
	}
	return nil
}

// listen waits whether the daemon hangs up by itself, then says that there is no more, and waits until all was read.
func (n nsca) listen(conn net.Conn) error {
	if err := conn.SetReadDeadline(time.Now().Add(hangUpWithin)); err != nil {
		return n.hungUp(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		return n.hungUp(err)
	}
	if half, is := conn.(*net.TCPConn); is {
		if err := half.CloseWrite(); err != nil {
			return n.hungUp(err)
		}
	}
	if err := conn.SetReadDeadline(time.Now().Add(sendWithin)); err != nil {
		return n.hungUp(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil && !errors.Is(err, io.EOF) {
		return n.hungUp(err)
	}
	return nil
}

func (n nsca) hungUp(err error) error {
	return fmt.Errorf("nsca %s hung up (%w): are its password and decryption_method those of password and encryption (%s) here? %w", n.address, err, n.method, fettle.ErrUnavailable)
}
