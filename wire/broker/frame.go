package broker

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fettle-dev/fettle"
)

// version is the version of STOMP that a connection speaks.
type version uint8

const (
	vNone version = iota // not agreed yet
	v11
	v12
)

func (v version) String() string {
	switch v {
	case v11:
		return "1.1"
	case v12:
		return "1.2"
	}
	return "none"
}

// frame is one frame as it was received. body is a part of the buffer that it was read into: who keeps it, copies it.
type frame struct {
	command string
	header  []Pair
	body    []byte
}

// get gives the value of the first header name. STOMP 1.2, "Repeated Header Entries".
func (f *frame) get(name string) string { return find(f.header, name) }

func find(header []Pair, name string) string {
	for i := range header {
		if header[i].Name == name {
			return header[i].Value
		}
	}
	return ""
}

// clientCommand gives the constant for a command that a client may send.
func clientCommand(s string) (string, bool) {
	switch s {
	case "SEND", "ACK", "NACK", "SUBSCRIBE", "UNSUBSCRIBE", "BEGIN", "COMMIT", "ABORT", "CONNECT", "STOMP", "DISCONNECT":
		return s, true
	}
	return "", false
}

// unescape undoes the escapes of a header. An escape that v does not define is an error, as STOMP 1.2, "Value Encoding" has it.
func unescape(s string, v version) (string, error) {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s, nil
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; i >= 0; i = strings.IndexByte(s, '\\') {
		b.WriteString(s[:i])
		if i+1 == len(s) {
			return "", fmt.Errorf("a header ends in a backslash: %w", fettle.ErrInvalid)
		}
		switch c := s[i+1]; {
		case c == 'n':
			b.WriteByte('\n')
		case c == 'c':
			b.WriteByte(':')
		case c == '\\':
			b.WriteByte('\\')
		case c == 'r' && v != v11:
			b.WriteByte('\r')
		default:
			return "", fmt.Errorf("%q is no escape of STOMP %s: %w", s[i:i+2], v, fettle.ErrInvalid)
		}
		s = s[i+2:]
	}
	b.WriteString(s)
	return b.String(), nil
}

// appendEscaped appends a header's name or value. STOMP 1.1 has no escape for a carriage return, and sends it as it is.
func appendEscaped(b []byte, s string, v version) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == ':':
			b = append(b, '\\', 'c')
		case c == '\\':
			b = append(b, '\\', '\\')
		case c == '\r' && v != v11:
			b = append(b, '\\', 'r')
		default:
			b = append(b, c)
		}
	}
	return b
}

func appendHeader(b []byte, name, value string, v version) []byte {
	b = append(appendEscaped(b, name, v), ':')
	return append(appendEscaped(b, value, v), '\n')
}

// encode gives a whole frame of the server's.
func encode(command string, header []Pair, body []byte, v version) []byte {
	b := append(make([]byte, 0, 128+len(body)), command...)
	b = append(b, '\n')
	for _, h := range header {
		b = appendHeader(b, h.Name, h.Value, v)
	}
	return appendBody(b, body)
}

// appendBody appends content-length, the blank line, body and the NUL.
func appendBody(b, body []byte) []byte {
	if len(body) > 0 {
		b = append(b, "content-length:"...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, body...)
	return append(b, 0)
}
