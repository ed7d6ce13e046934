package wire

import (
	"fmt"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// STOMP is the version of STOMP that a connection speaks.
type STOMP uint8

// The values of STOMP.
const (
	STOMPNone STOMP = iota // not agreed yet
	STOMP11
	STOMP12
)

func (v STOMP) String() string {
	switch v {
	case STOMP11:
		return "1.1"
	case STOMP12:
		return "1.2"
	}
	return "none"
}

// Frame is one frame as it was received. Body is a part of the buffer that it was read into: who keeps it, copies it.
type Frame struct {
	Command string
	Header  []Field
	Body    []byte
}

// Get gives the value of the first header name. STOMP 1.2, "Repeated Header Entries".
func (f *Frame) Get(name string) string { return Find(f.Header, name) }

// Find gives the value of the first header name, and "" if there is none.
func Find(header []Field, name string) string {
	for i := range header {
		if header[i].Name == name {
			return header[i].Value
		}
	}
	return ""
}

// unescapeHeader undoes the escapes of a header. An escape that v does not define is an error, as STOMP 1.2, "Value Encoding" has it.
func unescapeHeader(s string, v STOMP) (string, error) {
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
		case c == 'r' && v != STOMP11:
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
func appendEscaped(b []byte, s string, v STOMP) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == ':':
			b = append(b, '\\', 'c')
		case c == '\\':
			b = append(b, '\\', '\\')
		case c == '\r' && v != STOMP11:
			b = append(b, '\\', 'r')
		default:
			b = append(b, c)
		}
	}
	return b
}

// AppendHeader appends a line of a head, escaped.
func AppendHeader(b []byte, name, value string, v STOMP) []byte {
	b = append(appendEscaped(b, name, v), ':')
	return append(appendEscaped(b, value, v), '\n')
}

// AppendFrame appends a whole frame: command, header, escaped, and content-length where it has a body.
func AppendFrame(b []byte, command string, header []Field, body []byte, v STOMP) []byte {
	b = append(append(b, command...), '\n')
	for _, h := range header {
		b = AppendHeader(b, h.Name, h.Value, v)
	}
	return AppendBody(b, body)
}

// AppendBody appends content-length, the blank line, body and the NUL.
func AppendBody(b, body []byte) []byte {
	if len(body) > 0 {
		b = append(b, "content-length:"...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, body...)
	return append(b, 0)
}
