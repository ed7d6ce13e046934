package wire

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// peek gives the present byte, and 0, which no token begins with, at the end.
func (c *canon) peek() byte {
	if c.pos < len(c.src) {
		return c.src[c.pos]
	}
	return 0
}

func (c *canon) blanks() {
	for c.pos < len(c.src) {
		switch c.src[c.pos] {
		case ' ', '\t', '\n', '\r':
			c.pos++
		default:
			return
		}
	}
}

func (c *canon) word(dst []byte, word string) ([]byte, error) {
	if !bytes.HasPrefix(c.src[c.pos:], []byte(word)) {
		return nil, c.fault("a value has to stand here")
	}
	c.leaves++
	c.pos += len(word)
	return append(dst, word...), c.tooMany()
}

// number copies a number as it is written, if JSON allows it so.
func (c *canon) number(dst []byte) ([]byte, error) {
	start := c.pos
	if c.peek() == '-' {
		c.pos++
	}
	if c.peek() == '0' {
		c.pos++
	} else if !c.digits() {
		return nil, c.fault("a digit has to stand here")
	}
	if c.peek() == '.' {
		c.pos++
		if !c.digits() {
			return nil, c.fault("a digit has to stand here")
		}
	}
	if b := c.peek(); b == 'e' || b == 'E' {
		c.pos++
		if b := c.peek(); b == '+' || b == '-' {
			c.pos++
		}
		if !c.digits() {
			return nil, c.fault("a digit has to stand here")
		}
	}
	return append(dst, c.src[start:c.pos]...), c.tooMany()
}

func (c *canon) digits() bool {
	start := c.pos
	for c.pos < len(c.src) && '0' <= c.src[c.pos] && c.src[c.pos] <= '9' {
		c.pos++
	}
	return c.pos > start
}

// text copies a string with its quotes, and gives what it says. The string may alias src.
func (c *canon) text(dst []byte) (string, []byte, error) {
	start := c.pos + 1
	for i := start; i < len(c.src); i++ {
		switch b := c.src[i]; {
		case b == '"':
			s := c.src[start:i]
			dst = append(dst, c.src[start-1:i+1]...)
			c.pos = i + 1
			return unsafe.String(unsafe.SliceData(s), len(s)), dst, c.tooMany() // src outlives its use, and does not change in it
		case b == '\\':
			return c.escaped(dst, start)
		case b < 0x20:
			c.pos = i
			return "", nil, c.fault("a control character has to be escaped")
		}
	}
	return "", nil, c.fault("a string does not end")
}

// escaped is text for a string that holds at least one escape.
func (c *canon) escaped(dst []byte, start int) (string, []byte, error) {
	var s []byte
	for c.pos = start; c.pos < len(c.src); {
		switch b := c.src[c.pos]; {
		case b == '"':
			c.pos++
			said := string(s)
			return said, appendString(dst, said), c.tooMany()
		case b < 0x20:
			return "", nil, c.fault("a control character has to be escaped")
		case b == '\\':
			r, n := unescape(c.src[c.pos:])
			if n == 0 {
				return "", nil, c.fault("a bad escape")
			}
			s = utf8.AppendRune(s, r)
			c.pos += n
		default:
			s = append(s, b)
			c.pos++
		}
	}
	return "", nil, c.fault("a string does not end")
}

// unescape reads the escape with which b begins; n is its length, 0 for none. Half a surrogate pair is no character, so it is none either.
func unescape(b []byte) (r rune, n int) {
	if len(b) < 2 {
		return 0, 0
	}
	if i := strings.IndexByte(`"\/bfnrt`, b[1]); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), 2
	}
	r, ok := hex4(b)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	low, ok := hex4(b[6:])
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

// hex4 reads \uXXXX.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, d := range b[2:6] {
		switch {
		case '0' <= d && d <= '9':
			d -= '0'
		case 'a' <= d && d <= 'f':
			d -= 'a' - 10
		case 'A' <= d && d <= 'F':
			d -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

// appendString writes s as a canonical JSON string. It has to be UTF-8.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b >= 0x20 && b != '"' && b != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		if j := strings.IndexByte("\"\\\b\f\n\r\t", b); j >= 0 {
			dst = append(dst, '\\', `"\bfnrt`[j])
		} else {
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
		}
	}
	return append(append(dst, s[from:]...), '"')
}

const hexDigits = "0123456789abcdef"

// sort puts the members that stand from start to the end of dst in order. It tells whether a key is there twice, and which.
func (c *canon) sort(dst []byte, start int, members []member) (string, bool) {
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
	for i := 1; i < len(members); i++ {
		if members[i].key == members[i-1].key {
			return members[i].key, true
		}
	}
	c.scratch = append(c.scratch[:0], dst[start:]...)
	at := start
	for i, m := range members {
		if i > 0 {
			dst[at] = ','
			at++
		}
		at += copy(dst[at:], c.scratch[m.start-start:m.end-start])
	}
	return "", false
}

// clip shortens s for an error.
func clip(s string) string { return clipTo(60, s) }

// clipTo shortens a text to a number of bytes.
func clipTo(limit int, s string) string {
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}
