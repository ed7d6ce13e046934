package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// patience is how long a broker has for any single answer.
const patience = 30 * time.Second

// target is a broker to be measured.
type target struct {
	name            string
	addr            string
	tls             bool
	login, passcode string
	prefetch        string // the header that says how many messages a consumer is given ahead
	own             string // headers of a subscription to a queue of a node's own
	anonymous       bool   // it does not want a client-id
}

// connect is CONNECT.
func (t target) connect(id string) string {
	if t.anonymous || id == "" {
		id = ""
	} else {
		id = "client-id:" + id + "\n"
	}
	return fmt.Sprintf("CONNECT\naccept-version:1.2\nhost:/\nlogin:%s\npasscode:%s\n%sheart-beat:0,0\n\n\x00", t.login, t.passcode, id)
}

func (t target) dial() (net.Conn, error) {
	d := net.Dialer{Timeout: patience}
	if t.tls {
		return tls.DialWithDialer(&d, "tcp", t.addr, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the broker's certificate was made a moment ago by this program
	}
	return d.Dial("tcp", t.addr)
}

// client is a connection of which every frame is read.
type client struct {
	net.Conn
	in  *bufio.Reader
	out *bufio.Writer
}

// open dials, logs in, and sends what stands behind: frames whose last has the receipt "ready", which is waited for.
func (t target) open(more string) (*client, error) {
	nc, err := t.dial()
	if err != nil {
		return nil, err
	}
	c := &client{Conn: nc, in: bufio.NewReaderSize(nc, 64<<10), out: bufio.NewWriterSize(nc, 64<<10)}
	_ = nc.SetDeadline(time.Now().Add(patience))
	fmt.Fprint(c.out, t.connect(""), more)
	if err := c.out.Flush(); err != nil {
		return nil, err
	}
	if err := c.want("CONNECTED"); err != nil {
		return nil, err
	}
	if more != "" {
		if err := c.want("RECEIPT"); err != nil {
			return nil, err
		}
	}
	return c, nc.SetDeadline(time.Time{})
}

func (c *client) want(command string) error {
	f, err := c.read()
	if err == nil && f.command != command {
		err = fmt.Errorf("%s came, and %s was expected: %s", f.command, command, f.text)
	}
	return err
}

// frame is what is looked at of a frame.
type frame struct {
	command, ack, receipt, text string
	size                        int
}

// read reads a frame.
func (c *client) read() (f frame, err error) {
	line := []byte{}
	for len(line) == 0 { // heart-beats
		if line, err = c.line(); err != nil {
			return f, err
		}
	}
	f.command = string(line)
	length := -1
	for {
		if line, err = c.line(); err != nil {
			return f, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch string(name) {
		case "content-length":
			if length, err = strconv.Atoi(string(value)); err != nil {
				return f, err
			}
		case "ack":
			f.ack = unescape(string(value))
		case "receipt-id":
			f.receipt = string(value)
		case "message":
			f.text = string(value)
		}
	}
	if length >= 0 {
		f.size = length
		_, err = c.in.Discard(length + 1)
		return f, err
	}
	for {
		part, err := c.in.ReadSlice(0)
		if f.size += len(part); !errors.Is(err, bufio.ErrBufferFull) {
			return f, err
		}
	}
}

// idle tells whether all that has come is read. Some brokers end a frame with a line break.
func (c *client) idle() bool {
	for c.in.Buffered() > 0 {
		if next, err := c.in.Peek(1); err != nil || next[0] != '\n' {
			return false
		}
		_, _ = c.in.Discard(1) // it is there
	}
	return true
}

// unescape is of STOMP 1.2, "Value Encoding".
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\c`, ":", `\n`, "\n", `\r`, "\r", `\\`, `\`).Replace(s)
}

func escape(s string) string {
	if !strings.ContainsAny(s, ":\\\n\r") {
		return s
	}
	return strings.NewReplacer(":", `\c`, "\n", `\n`, "\r", `\r`, `\`, `\\`).Replace(s)
}

func (c *client) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

// send writes a message, which flush puts on its way.
func (c *client) send(dest, receipt string, body []byte) {
	c.out.WriteString("SEND\ndestination:")
	c.out.WriteString(dest)
	if receipt != "" {
		c.out.WriteString("\nreceipt:")
		c.out.WriteString(receipt)
	}
	c.out.WriteString("\ncontent-length:")
	c.out.WriteString(strconv.Itoa(len(body)))
	c.out.WriteString("\n\n")
	c.out.Write(body)
	c.out.WriteByte(0)
}

// listener counts the frames that come, by the NUL at their end, and looks at nothing else.
type listener struct {
	net.Conn
	seen atomic.Int64
}

// listen reads until the connection ends. told is called after each read with how many frames ended in it.
func (l *listener) listen(told func(n int)) {
	buf := make([]byte, 4<<10)
	for {
		n, err := l.Read(buf)
		if ends := bytes.Count(buf[:n], []byte{0}); ends > 0 {
			l.seen.Add(int64(ends))
			if told != nil {
				told(ends)
			}
		}
		if err != nil {
			return
		}
	}
}

// join dials a listener, which logs in and subscribes as a node does, and waits for the receipt of its last subscription. hello is what
// it says.
func (t target) join(hello string) (*listener, error) {
	nc, err := t.dial()
	if err != nil {
		return nil, err
	}
	l := &listener{Conn: nc}
	_ = nc.SetDeadline(time.Now().Add(patience))
	if _, err := nc.Write([]byte(hello)); err != nil {
		return nil, err
	}
	buf := make([]byte, 1024)
	for ends, got := 0, []byte{}; ends < 2; { // CONNECTED and RECEIPT
		n, err := nc.Read(buf)
		if err != nil {
			return nil, fmt.Errorf("log in: %w: %s", err, got)
		}
		ends += bytes.Count(buf[:n], []byte{0})
		if got = append(got, buf[:n]...); bytes.Contains(got, []byte("ERROR\n")) {
			return nil, fmt.Errorf("log in: %s", got)
		}
	}
	return l, nc.SetDeadline(time.Time{})
}

// hello is what a node says: it logs in, and reads a topic and a queue of its own.
func (t target) hello(i int) string {
	return t.connect(fmt.Sprintf("n%d", i)) + "SUBSCRIBE\nid:1\ndestination:/topic/bench.all\nack:auto\n\n\x00" +
		fmt.Sprintf("SUBSCRIBE\nid:2\ndestination:/queue/bench.node.n%d\nack:client-individual\n%sreceipt:ready\n\n\x00", i, t.own)
}
