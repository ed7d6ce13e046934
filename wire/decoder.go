package wire

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
)

// keptPairs is the number of headers for which a connection keeps room between frames; few frames have more.
const keptPairs = 12

// FrameLimits bound one frame.
type FrameLimits struct {
	Header  int `yaml:"header"`  // bytes from the command to the blank line
	Headers int `yaml:"headers"` // their number
	Body    int `yaml:"body"`    // bytes
}

// Side is which end of a connection sends frames.
type Side uint8

// The values of Side.
const (
	FromClient Side = iota
	FromBroker
)

func (s Side) String() string {
	if s == FromBroker {
		return "broker"
	}
	return "client"
}

// Decoder takes frames off the front of the bytes that the other end sent. Between two calls of Next it remembers how far it has looked, so that
// bytes that trickle in are looked at once each.
type Decoder struct {
	Limits  FrameLimits
	Version STOMP
	From    Side

	// about the frame with which the bytes begin, while it is not whole
	seen   int   // bytes that need not be looked at again
	head   int   // length of command, headers and blank line; 0: the blank line has not come
	length int   // of the body; -1: it ends at the first NUL
	frame  Frame // what the head said
}

// Next takes the frame with which data begins. used is the number of bytes that are done with. Without a whole frame f is nil; the caller
// keeps data[used:] and calls again when more bytes stand behind it. f is good until the next call. After an error, the bytes that follow
// have no meaning. A frame whose head was good goes with the error, so that its receipt can be named.
func (d *Decoder) Next(data []byte) (f *Frame, used int, err error) {
	if d.head == 0 {
		if d.seen == 0 {
			for used < len(data) && (data[used] == '\n' || data[used] == '\r') {
				used++ // a heart-beat, or the EOL that may follow a frame
			}
			if data = data[used:]; len(data) == 0 {
				return nil, used, nil
			}
		}
		if ok, err := d.readHead(data); !ok {
			return nil, used, err
		}
	}
	end, err := d.readBody(data)
	if err != nil {
		return &d.frame, used, err
	}
	if end == 0 {
		return nil, used, nil
	}
	d.frame.Body = data[d.head : end-1]
	d.seen, d.head = 0, 0
	return &d.frame, used + end, nil
}

// Want gives the length of the frame that is not whole yet, from its first byte; 0: it is not known.
func (d *Decoder) Want() int {
	if d.head == 0 || d.length < 0 {
		return 0
	}
	return d.head + d.length + 1
}

// Shrink lets go of the last frame's headers, so that an idle connection does not hold them.
func (d *Decoder) Shrink() {
	if cap(d.frame.Header) > keptPairs {
		d.frame.Header = nil
	}
	clear(d.frame.Header[:cap(d.frame.Header)])
}

// readHead looks for the blank line, and reads what stands before it.
func (d *Decoder) readHead(data []byte) (ok bool, err error) {
	from := d.seen
	end, seen := headEnd(data, from, d.Version)
	looked := data[from:]
	if end > 0 {
		looked = data[from:end]
	}
	if i := bytes.IndexByte(looked, 0); i >= 0 {
		return false, fmt.Errorf("a NUL stands before the blank line that ends the headers: %w", fettle.ErrInvalid)
	}
	if end > d.Limits.Header || end == 0 && len(data) > d.Limits.Header {
		return false, fmt.Errorf("the headers have more than %d bytes: %w", d.Limits.Header, fettle.ErrInvalid)
	}
	d.seen = seen
	if end == 0 {
		return false, nil
	}
	if err := d.parseHead(string(data[:end])); err != nil {
		return false, err
	}
	d.head, d.seen = end, end
	return true, nil
}

// headEnd finds the end of the blank line, looking from the byte from on. If it has not come, end is 0 and seen is where to look next time.
func headEnd(data []byte, from int, v STOMP) (end, seen int) {
	for i := from; ; {
		j := bytes.IndexByte(data[i:], '\n')
		if j < 0 {
			return 0, len(data)
		}
		i += j + 1
		rest := data[i:]
		switch {
		case len(rest) == 0:
			return 0, i - 1
		case rest[0] == '\n':
			return i + 1, i + 1
		case rest[0] == '\r' && v != STOMP11: // STOMP 1.2 allows CR LF, 1.1 does not
			if len(rest) == 1 {
				return 0, i - 1
			}
			if rest[1] == '\n' {
				return i + 2, i + 2
			}
		}
	}
}

// parseHead reads command and headers. The header's strings are parts of head, which must not be a view of a buffer.
func (d *Decoder) parseHead(head string) error {
	if !utf8.ValidString(head) {
		return fmt.Errorf("the headers are not UTF-8: %w", fettle.ErrInvalid)
	}
	line, rest := d.cutLine(head)
	if !d.sends(line) {
		return fmt.Errorf("%q is no command of a %s: %w", clip(line), d.From, fettle.ErrInvalid)
	}
	d.frame = Frame{Command: line, Header: d.frame.Header[:0]}
	for line, rest = d.cutLine(rest); line != ""; line, rest = d.cutLine(rest) {
		if len(d.frame.Header) == d.Limits.Headers {
			return fmt.Errorf("there are more than %d headers: %w", d.Limits.Headers, fettle.ErrInvalid)
		}
		p, err := d.parsePair(line)
		if err != nil {
			return err
		}
		d.frame.Header = append(d.frame.Header, p)
	}
	return d.parseLength()
}

func (d *Decoder) cutLine(s string) (line, rest string) {
	line, rest, _ = strings.Cut(s, "\n")
	if d.Version != STOMP11 {
		line = strings.TrimSuffix(line, "\r")
	}
	return line, rest
}

func (d *Decoder) parsePair(line string) (p Field, err error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok || name == "" {
		return p, fmt.Errorf("the header line %q has no name and colon: %w", clip(line), fettle.ErrInvalid)
	}
	switch d.frame.Command {
	case "CONNECT", "CONNECTED": // their headers are not escaped, for the sake of STOMP 1.0
		return Field{name, value}, nil
	}
	if p.Name, err = unescapeHeader(name, d.Version); err == nil {
		p.Value, err = unescapeHeader(value, d.Version)
	}
	if err != nil && d.frame.Command == "ERROR" { // what went wrong matters more than how it is written
		return Field{name, value}, nil
	}
	return p, err
}

// sends tells whether command is one that the other end may send.
func (d *Decoder) sends(command string) bool {
	switch command {
	case "SEND", "ACK", "NACK", "SUBSCRIBE", "UNSUBSCRIBE", "BEGIN", "COMMIT", "ABORT", "CONNECT", "STOMP", "DISCONNECT":
		return d.From == FromClient
	case "CONNECTED", "MESSAGE", "RECEIPT", "ERROR":
		return d.From == FromBroker
	}
	return false
}

// maxBody is how many bytes the body of the frame may have.
func (d *Decoder) maxBody() int {
	if d.frame.Command == "SEND" || d.From == FromBroker {
		return d.Limits.Body
	}
	return 0
}

func (d *Decoder) parseLength() error {
	s := d.frame.Get("content-length")
	if s == "" {
		d.length = -1
		return nil
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || i == 10 { // ten digits hold any limit
			return fmt.Errorf("content-length %q is no length: %w", clip(s), fettle.ErrInvalid)
		}
		n = n*10 + int(s[i]-'0')
	}
	d.length = n
	return nil
}

// readBody gives the end of the frame, its NUL included; 0: it has not come.
func (d *Decoder) readBody(data []byte) (end int, err error) {
	limit := d.maxBody()
	if d.length > limit {
		return 0, d.tooLong(limit)
	}
	if d.length >= 0 {
		end = d.head + d.length + 1
		if len(data) < end {
			return 0, nil
		}
		if data[end-1] != 0 {
			return 0, fmt.Errorf("no NUL stands after the %d bytes of content-length: %w", d.length, fettle.ErrInvalid)
		}
		return end, nil
	}
	i := bytes.IndexByte(data[d.seen:], 0)
	if i < 0 {
		d.seen = len(data)
	} else {
		end = d.seen + i + 1
	}
	if max(end-1, d.seen)-d.head > limit {
		return 0, d.tooLong(limit)
	}
	return end, nil
}

func (d *Decoder) tooLong(limit int) error {
	if d.From == FromClient && d.frame.Command != "SEND" {
		return fmt.Errorf("%s has a body, and only SEND may: %w", d.frame.Command, fettle.ErrInvalid)
	}
	return fmt.Errorf("the body has more than %d bytes: %w", limit, fettle.ErrInvalid)
}
