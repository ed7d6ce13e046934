package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMeasure does the short measures on a broker in this process, and looks at what they print.
func TestMeasure(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	in, hold := io.Pipe()
	said, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- serve(ctx, in, out) }()
	var plain, secure string
	if _, err := fmt.Fscanln(bufio.NewReader(said), &plain, &secure); err != nil {
		t.Fatal(err)
	}
	s := &subject{target: target{name: "embedded", addr: plain, prefetch: "prefetch-count"}, secure: secure, process: process{os.Getpid()}}
	for _, only := range []string{"nodes", "queue", "idle"} {
		var page strings.Builder
		if err := s.measure(ctx, settings{nodes: []int{20}, only: only, span: 100 * time.Millisecond, idle: 50}, &page); err != nil {
			t.Fatal(err)
		}
		for _, want := range map[string][]string{
			"nodes": {"| 20 connected and subscribed |", "| 20 connected and subscribed, TLS 1.3 |", "| 1 KiB to the last of 20, TLS 1.3 |"},
			"queue": {"| 2 KiB through one queue, client-individual, no receipts |"}, "idle": {"| 50 queues made and left idle |"},
		}[only] {
			if !strings.Contains(page.String(), want) {
				t.Errorf("%q is missing in\n%s", want, page.String())
			}
		}
	}
	if p, err := listening(plain); err != nil || p.pid != os.Getpid() {
		t.Errorf("%s is listened at by %+v, %v", plain, p, err)
	}
	_ = hold.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestHungUp(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	here, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	there, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if hungUp(here) {
		t.Error("an open connection looks hung up")
	}
	_ = there.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for { // until nothing more fits, since here nobody reads
		if _, err := there.Write(make([]byte, 1<<16)); err != nil {
			break
		}
	}
	_ = there.Close()
	if !hungUp(here) {
		t.Error("a connection that was closed with bytes in it looks open")
	}
}

func TestRead(t *testing.T) {
	for _, row := range []struct {
		text string
		want frame
	}{
		{"MESSAGE\nack:a\\c1\ncontent-length:3\n\nx\x00y\x00", frame{command: "MESSAGE", ack: "a:1", size: 3}},
		{"\n\nERROR\r\nmessage:no\r\n\r\nwhy\x00\n", frame{command: "ERROR", text: "no", size: 4}},
		{"RECEIPT\nreceipt-id:r\n\n\x00", frame{command: "RECEIPT", receipt: "r", size: 1}},
	} {
		c := &client{in: bufio.NewReader(strings.NewReader(row.text))}
		if got, err := c.read(); err != nil || got != row.want {
			t.Errorf("%q is read as %+v, %v", row.text, got, err)
		}
		if !c.idle() {
			t.Errorf("of %q something is left", row.text)
		}
	}
	if got := unescape(escape("a:b\\c\nd")); got != "a:b\\c\nd" {
		t.Errorf("escaped and back it is %q", got)
	}
}
