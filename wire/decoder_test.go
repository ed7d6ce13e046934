package wire

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wide are limits that no case below meets unless it says so.
var wide = FrameLimits{Header: 200, Headers: 5, Body: 100}

// decoded is what came of some bytes: the frames, written down, and the error.
type decoded struct {
	Frames []string
	Err    string
}

// decodeIn decodes data that comes in pieces of n bytes.
func decodeIn(data []byte, n int, d Decoder) (out decoded) {
	var have []byte
	for len(data) > 0 {
		k := min(n, len(data))
		have, data = append(have, data[:k]...), data[k:]
		for {
			f, used, err := d.Next(have)
			have = have[used:]
			if err != nil {
				out.Err = err.Error()
				return out
			}
			if f == nil {
				break
			}
			s := f.Command
			for _, h := range f.Header {
				s += " " + h.Name + "=" + h.Value
			}
			out.Frames = append(out.Frames, s+" "+string(f.Body))
		}
		if w := d.Want(); w != 0 && w <= len(have) {
			panic("a whole frame was not taken")
		}
	}
	return out
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name string
		in   string
		v    STOMP // zero: 1.2
		from Side
		want []string
		err  string
	}{
		{name: "a frame with a body of a length", in: "SEND\na:b\ncontent-length:3\n\nx\x00y\x00", want: []string{"SEND a=b content-length=3 x\x00y"}},
		{name: "a body up to the NUL", in: "SEND\na:b\n\nxyz\x00", want: []string{"SEND a=b xyz"}},
		{name: "heart-beats between frames", in: "\n\nBEGIN\n\n\x00\n\r\n\nABORT\n\n\x00\n", want: []string{"BEGIN ", "ABORT "}},
		{name: "CR LF in 1.2", in: "SEND\r\na:b\r\n\r\nx\x00\r\n", want: []string{"SEND a=b x"}},
		{name: "CR LF in 1.1", v: STOMP11, in: "SEND\r\na:b\r\n\r\nx\x00", err: "a NUL stands before"},
		{name: "a carriage return is a part of the value in 1.1", v: STOMP11, in: "SEND\na:b\r\n\n\x00", want: []string{"SEND a=b\r "}},
		{name: "escapes of 1.2", in: `SEND` + "\n" + `a\cb:c\nd\\e\rf` + "\n\n\x00", want: []string{"SEND a:b=c\nd\\e\rf "}},
		{name: "escapes of 1.1", v: STOMP11, in: `SEND` + "\n" + `a\cb:c\nd\\e` + "\n\n\x00", want: []string{"SEND a:b=c\nd\\e "}},
		{name: "an escape that 1.1 does not have", v: STOMP11, in: `SEND` + "\n" + `a:\r` + "\n\n\x00", err: `"\\r" is no escape of STOMP 1.1`},
		{name: "an escape that nobody has", in: `SEND` + "\n" + `a:\t` + "\n\n\x00", err: `"\\t" is no escape of STOMP 1.2`},
		{name: "a backslash at the end", in: `SEND` + "\n" + `a:b\` + "\n\n\x00", err: "ends in a backslash"},
		{name: "CONNECT is not escaped", in: "CONNECT\npasscode:a:b\\c\n\n\x00", want: []string{`CONNECT passcode=a:b\c `}},
		{name: "STOMP is escaped", in: "STOMP\npasscode:a\\cb\n\n\x00", want: []string{"STOMP passcode=a:b "}},
		{name: "blanks belong to the value", in: "SEND\na: b \n\n\x00", want: []string{"SEND a= b  "}},
		{name: "an empty value", in: "SEND\na:\n\n\x00", want: []string{"SEND a= "}},
		{name: "no colon", in: "SEND\nab\n\n\x00", err: `"ab" has no name and colon`},
		{name: "no name", in: "SEND\n:b\n\n\x00", err: `":b" has no name and colon`},
		{name: "an unknown command", in: "send\n\n\x00", err: `"send" is no command`},
		{name: "a command of the server", in: "MESSAGE\n\n\x00", err: `"MESSAGE" is no command`},
		{name: "no blank line", in: "SEND\na:b\x00", err: "a NUL stands before the blank line"},
		{name: "too much header, at its end", in: "SEND\na:" + strings.Repeat("x", 195) + "\n\n\x00", err: "more than 200 bytes"},
		{name: "too much header, without an end", in: "SEND\na:" + strings.Repeat("x", 300), err: "more than 200 bytes"},
		{name: "too many headers", in: "SEND\n" + strings.Repeat("a:b\n", 6) + "\n\x00", err: "more than 5 headers"},
		{name: "too long a body of a length", in: "SEND\ncontent-length:101\n\n", err: "more than 100 bytes"},
		{name: "a length beyond all numbers", in: "SEND\ncontent-length:99999999999999999999\n\n", err: "is no length"},
		{name: "a length below zero", in: "SEND\ncontent-length:-1\n\n", err: "is no length"},
		{name: "a length that is no number", in: "SEND\ncontent-length:1x\n\n", err: "is no length"},
		{name: "the first length counts", in: "SEND\ncontent-length:1\ncontent-length:9\n\nx\x00", want: []string{"SEND content-length=1 content-length=9 x"}},
		{name: "too long a body up to the NUL", in: "SEND\n\n" + strings.Repeat("x", 101) + "\x00", err: "more than 100 bytes"},
		{name: "as long a body as may be", in: "SEND\n\n" + strings.Repeat("x", 100) + "\x00", want: []string{"SEND " + strings.Repeat("x", 100)}},
		{name: "a body longer than its length", in: "SEND\ncontent-length:1\n\nxy\x00", err: "no NUL stands after the 1 bytes"},
		{name: "a body of BEGIN", in: "BEGIN\n\nx\x00", err: "BEGIN has a body"},
		{name: "a body of ACK, of a length", in: "ACK\ncontent-length:1\n\nx\x00", err: "ACK has a body"},
		{name: "not UTF-8", in: "SEND\na:\xff\n\n\x00", err: "not UTF-8"},
		{name: "a message of a broker", from: FromBroker, in: "MESSAGE\nmessage-id:1\ncontent-length:2\n\nhi\x00\n", want: []string{"MESSAGE message-id=1 content-length=2 hi"}},
		{name: "CONNECTED is not escaped", from: FromBroker, in: "CONNECTED\nserver:a:b\\c\n\n\x00", want: []string{`CONNECTED server=a:b\c `}},
		{name: "an ERROR that is badly escaped is an error all the same", from: FromBroker, in: "ERROR\nmessage:C:\\temp\n\nno room\x00", want: []string{`ERROR message=C:\temp no room`}},
		{name: "a command of a client, from a broker", from: FromBroker, in: "SEND\n\n\x00", err: `"SEND" is no command of a broker`},
		{name: "something else than STOMP", from: FromBroker, in: "HTTP/1.1 400 Bad Request\r\n\r\n", err: "is no command of a broker"},
		{name: "unfinished", in: "SEND\na:b\n\nxyz"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.v == STOMPNone {
				c.v = STOMP12
			}
			for _, n := range []int{len(c.in), 1, 3} {
				got := decodeIn([]byte(c.in), n, Decoder{Limits: wide, Version: c.v, From: c.from})
				if !strings.Contains(got.Err, c.err) || (got.Err == "") != (c.err == "") {
					t.Errorf("in pieces of %d: error %q, want %q", n, got.Err, c.err)
				}
				if diff := cmp.Diff(c.want, got.Frames); diff != "" {
					t.Errorf("in pieces of %d (-want +got):\n%s", n, diff)
				}
			}
		})
	}
}

// TestDecodeTrickle holds the decoder to looking at each byte once, however the bytes come.
func TestDecodeTrickle(t *testing.T) {
	d := Decoder{Limits: FrameLimits{Header: 1000, Headers: 10, Body: 1 << 20}, Version: STOMP12}
	data := []byte("SEND\na:b\n\n" + strings.Repeat("x", 1<<16))
	for n := 1; n < len(data); n++ {
		if f, used, err := d.Next(data[:n]); f != nil || used != 0 || err != nil {
			t.Fatalf("after %d bytes: %v %d %v", n, f, used, err)
		}
		if d.seen < n-2 {
			t.Fatalf("after %d bytes, only %d have been seen", n, d.seen)
		}
	}
}

func TestEncodedHeadersComeBack(t *testing.T) {
	for _, v := range []STOMP{STOMP11, STOMP12} {
		for _, value := range []string{"", "plain", "a:b", "line\nbreak", `back\slash`, `\n`, "ä€"} {
			got := decodeIn(AppendFrame(nil, "SEND", []Field{{value + "!", value}}, nil, v), 1000, Decoder{Limits: wide, Version: v})
			if diff := cmp.Diff(decoded{Frames: []string{"SEND " + value + "!=" + value + " "}}, got); diff != "" {
				t.Errorf("%s %q (-want +got):\n%s", v, value, diff)
			}
		}
	}
}

func FuzzFrame(f *testing.F) {
	for _, s := range []string{
		"CONNECT\naccept-version:1.1,1.2\nhost:x\n\n\x00", "SEND\ndestination:/queue/a\ncontent-length:2\n\nhi\x00\n",
		"SEND\r\na:b\r\n\r\nx\x00\r\n", "\n\n\nACK\nid:1-2\n\n\x00", "SEND\na:\\c\\n\\r\\\\\n\nx\x00", "SEND\ncontent-length:99999999999\n\n",
		"\n\nMESSAGE\r\ncontent-length:3\n\nabc\x00\nRECEIPT\nreceipt-id:1\n\n\x00", "ERROR\nmessage:\\x\n\nno\x00",
	} {
		f.Add([]byte(s), uint8(1), true)
		f.Add([]byte(s), uint8(7), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, pieces uint8, new bool) {
		v := STOMP11
		if new {
			v = STOMP12
		}
		from := Side(pieces % 2)
		whole := decodeIn(data, len(data)+1, Decoder{Limits: wide, Version: v, From: from})
		parts := decodeIn(data, int(pieces)+1, Decoder{Limits: wide, Version: v, From: from})
		if whole.Err != "" && parts.Err != "" {
			parts.Err = whole.Err // of several faults, the pieces decide which one is met first
		}
		if diff := cmp.Diff(whole, parts); diff != "" {
			t.Errorf("in pieces of %d it reads otherwise (-whole +pieces):\n%s", int(pieces)+1, diff)
		}
	})
}

// A reader gives the same frames however they arrive, the longest too, and keeps no more room than it needs.
func TestFrameReader(t *testing.T) {
	var sent []byte
	var want []string
	for i, n := range []int{0, 1, readBuffer - 100, readBuffer, 3 * readBuffer, linkLimits.Body, 5} {
		body := strings.Repeat("x", n)
		sent = append(AppendFrame(sent, "MESSAGE", []Field{{"message-id", strconv.Itoa(i)}}, []byte(body), STOMP12), '\n')
		want = append(want, strconv.Itoa(i)+" "+strconv.Itoa(n))
	}
	sent = append(sent, "MESSAGE\nmessage-id:open\n\n"+strings.Repeat("y", 2*readBuffer)+"\x00"...)
	want = append(want, "open "+strconv.Itoa(2*readBuffer))
	for _, n := range []int{7, 1 << 10, len(sent)} {
		r := newFrameReader(&pieces{sent, n})
		var got []string
		for {
			f, err := r.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, f.Get("message-id")+" "+strconv.Itoa(len(f.Body)))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("in pieces of %d (-want +got):\n%s", n, diff)
		}
		if cap(r.data) > readBuffer {
			t.Errorf("in pieces of %d: %d bytes are kept", n, cap(r.data))
		}
	}
	r := newFrameReader(&pieces{sent[:40], 3})
	if _, err := r.next(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a frame that breaks off: %v", err)
	}
}

type pieces struct {
	rest []byte
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:min(p.n, len(p.rest))])
	p.rest = p.rest[n:]
	return n, nil
}
