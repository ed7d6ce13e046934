package wire

import (
	"bytes"
	"fmt"

	fettle "github.com/fettle-dev/fettle"
)

// walker goes through the members of an object in canonical form, in their order. Bytes that are not canonical end it with an error, never
// with a panic: documents come from the store, too.
type walker struct {
	raw []byte
	pos int
	err error
	// The present member.
	key    string // unescaped
	rawKey []byte // with its quotes
	val    []byte
}

// walk begins at the first member of the object raw.
func walk(raw []byte) walker {
	if len(raw) < 2 || raw[0] != '{' || raw[len(raw)-1] != '}' {
		return walker{err: errNotCanonical()}
	}
	return walker{raw: raw[:len(raw)-1], pos: 1}
}

func errNotCanonical() error {
	return fmt.Errorf("the document is not canonical: %w", fettle.ErrInvalid)
}

// next goes to the next member, and tells whether there is one.
func (w *walker) next() bool {
	if w.err != nil || w.pos >= len(w.raw) {
		return false
	}
	if w.pos > 1 {
		if w.raw[w.pos] != ',' {
			return w.bad()
		}
		w.pos++
	}
	end := skip(w.raw, w.pos)
	if end < 0 || w.raw[w.pos] != '"' || end >= len(w.raw) || w.raw[end] != ':' {
		return w.bad()
	}
	w.rawKey = w.raw[w.pos:end]
	if w.key = string(w.rawKey[1 : len(w.rawKey)-1]); bytes.IndexByte(w.rawKey, '\\') >= 0 {
		if w.key = unquote(w.rawKey); w.key == "" {
			return w.bad()
		}
	}
	start := end + 1
	if w.pos = skip(w.raw, start); w.pos < 0 {
		return w.bad()
	}
	w.val = w.raw[start:w.pos]
	return true
}

func (w *walker) bad() bool {
	w.err = errNotCanonical()
	return false
}

// unquote gives what a JSON string with at least one escape says; empty for a bad one.
func unquote(raw []byte) string {
	c := canon{src: raw}
	s, _, err := c.text(nil)
	if err != nil || c.pos != len(raw) {
		return ""
	}
	return s
}

// skip gives the end of the value that begins at pos; negative if there is none.
func skip(raw []byte, pos int) int {
	if pos >= len(raw) {
		return -1
	}
	switch raw[pos] {
	case '"':
		return skipString(raw, pos)
	case '{', '[':
		depth := 0
		for pos < len(raw) {
			switch raw[pos] {
			case '"':
				if pos = skipString(raw, pos); pos < 0 {
					return -1
				}
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			if pos++; depth == 0 {
				return pos
			}
		}
		return -1
	}
	start := pos
	for pos < len(raw) && raw[pos] > ' ' && raw[pos] != ',' && raw[pos] != '}' && raw[pos] != ']' {
		pos++
	}
	if pos == start {
		return -1
	}
	return pos
}

func skipString(raw []byte, pos int) int {
	for pos++; ; pos++ {
		i := bytes.IndexByte(raw[pos:], '"')
		if i < 0 {
			return -1
		}
		pos += i
		slashes := 0
		for j := pos - 1; raw[j] == '\\'; j-- { // the opening quote ends this
			slashes++
		}
		if slashes%2 == 0 {
			return pos + 1
		}
	}
}

// isObject tells whether the canonical value is an object that has members; one without is a leaf.
func isObject(val []byte) bool { return len(val) > 2 && val[0] == '{' }

// Leaves counts the leaves of d: everything that is no object, and objects without members, those in lists apart.
func (d Document) Leaves() (n int) {
	if d.None() {
		return 0
	}
	_ = leaves(nil, d.Raw, func(fettle.Path, []byte) { n++ })
	return n
}
