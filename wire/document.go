package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of a facts document. Beyond them Canonical, Encode and Apply say ErrInvalid.
const (
	MaxDocument = 1 << 20 // bytes of canonical JSON
	MaxDepth    = fettle.MaxPathKeys
	MaxLeaves   = 20_000
)

// Document is a facts document: one JSON object in its canonical form, and the hash of it. The zero value is no document.
//
// Canonical JSON has no blanks between its tokens; keys are sorted by the bytes of their UTF-8; strings are escaped only where JSON demands it
// (\" \\ \b \f \n \r \t, and \u00xx in lower case for other control characters); numbers stand as they were written. Two documents are the
// same if their canonical forms are. testdata/canonical.json holds the vectors for anyone who implements this elsewhere.
type Document struct {
	Raw  []byte // never written to once the document is made
	Hash string // SHA-256 of Raw, 64 hexadecimal digits in lower case
}

// None tells whether d is no document at all.
func (d Document) None() bool { return d.Hash == "" }

// Canonical reads raw strictly by RFC 8259 and gives the document in canonical form; raw is neither kept nor changed. What is not a JSON
// object in UTF-8 within the bounds, or names a key twice in one object, is ErrInvalid.
func Canonical(raw []byte) (Document, error) {
	if len(raw) > 2*MaxDocument { // blanks and escapes may double it, and no more is read
		return Document{}, fmt.Errorf("document has %d bytes, and %d are allowed: %w", len(raw), MaxDocument, fettle.ErrInvalid)
	}
	c := canons.Get().(*canon) //nolint:errcheck // the pool holds nothing else
	defer canons.Put(c)
	out, err := c.document(raw, make([]byte, 0, len(raw)))
	if err != nil {
		return Document{}, fmt.Errorf("document: %w", err)
	}
	return documentOf(out)
}

// documentOf wraps bytes that are canonical already.
func documentOf(raw []byte) (Document, error) {
	if len(raw) > MaxDocument {
		return Document{}, fmt.Errorf("document has %d bytes, and %d are allowed: %w", len(raw), MaxDocument, fettle.ErrInvalid)
	}
	return Document{Raw: raw, Hash: hashOf(raw)}, nil
}

func hashOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// canons keeps the buffers of canon from one use to the next.
var canons = sync.Pool{New: func() any { return new(canon) }}

// canon turns JSON into its canonical form in one pass: values are copied in the order in which they come, and the members of an object are
// put in order once it ends, if they were not.
type canon struct {
	src     []byte
	pos     int
	leaves  int
	members []member // a stack: those of the objects that are open now
	scratch []byte
}

// member is one "key":value in dst.
type member struct {
	key        string // unescaped; may alias src
	start, end int
}

// document gives the canonical form of raw, appended to dst.
func (c *canon) document(raw, dst []byte) ([]byte, error) {
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("not UTF-8: %w", fettle.ErrInvalid)
	}
	c.begin(raw)
	defer c.end()
	c.blanks()
	if c.peek() != '{' {
		return nil, c.fault("an object has to stand here")
	}
	dst, err := c.value(dst, 0)
	if err != nil {
		return nil, err
	}
	if c.blanks(); c.pos != len(c.src) {
		return nil, c.fault("something stands after the end")
	}
	return dst, nil
}

// fragment gives the canonical form of one value that lies depth keys deep, appended to dst.
func (c *canon) fragment(raw, dst []byte, depth int) ([]byte, error) {
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("not UTF-8: %w", fettle.ErrInvalid)
	}
	c.begin(raw)
	defer c.end()
	c.blanks()
	dst, err := c.value(dst, depth)
	if err != nil {
		return nil, err
	}
	if c.blanks(); c.pos != len(c.src) {
		return nil, c.fault("something stands after the end")
	}
	return dst, nil
}

func (c *canon) begin(raw []byte) { c.src, c.pos, c.leaves = raw, 0, 0 }

// end lets go of the foreign bytes that the buffers still point to.
func (c *canon) end() {
	clear(c.members[:cap(c.members)])
	c.members, c.src = c.members[:0], nil
}

// fault says what is wrong at the present byte.
func (c *canon) fault(what string) error {
	return fmt.Errorf("byte %d: %s: %w", c.pos+1, what, fettle.ErrInvalid)
}

// value copies one value; depth is the number of containers around it.
func (c *canon) value(dst []byte, depth int) ([]byte, error) {
	switch b := c.peek(); {
	case b == '{':
		return c.object(dst, depth+1)
	case b == '[':
		return c.list(dst, depth+1)
	case b == '"':
		c.leaves++
		_, dst, err := c.text(dst)
		return dst, err
	case b == '-' || '0' <= b && b <= '9':
		c.leaves++
		return c.number(dst)
	case b == 't':
		return c.word(dst, "true")
	case b == 'f':
		return c.word(dst, "false")
	case b == 'n':
		return c.word(dst, "null")
	}
	return nil, c.fault("a value has to stand here")
}

// object copies an object and sorts its members.
func (c *canon) object(dst []byte, depth int) ([]byte, error) {
	if err := c.bounds(depth); err != nil {
		return nil, err
	}
	c.pos++
	dst = append(dst, '{')
	base, start, sorted := len(c.members), len(dst), true
	for c.blanks(); c.peek() != '}'; c.blanks() {
		if len(c.members) > base {
			if c.peek() != ',' {
				return nil, c.fault("',' or '}' has to stand here")
			}
			c.pos++
			dst = append(dst, ',')
			c.blanks()
		}
		m, out, err := c.member(dst, depth)
		if err != nil {
			return nil, err
		}
		dst = out
		sorted = sorted && (len(c.members) == base || c.members[len(c.members)-1].key < m.key)
		c.members = append(c.members, m)
	}
	c.pos++
	own := c.members[base:]
	if len(own) == 0 {
		c.leaves++ // an empty object is a leaf
	}
	if !sorted {
		if key, twice := c.sort(dst, start, own); twice {
			return nil, c.fault(fmt.Sprintf("the object before this names %q twice", clip(key)))
		}
	}
	c.members = c.members[:base]
	return append(dst, '}'), nil
}

// member copies one "key":value.
func (c *canon) member(dst []byte, depth int) (member, []byte, error) {
	m := member{start: len(dst)}
	if c.peek() != '"' {
		return m, nil, c.fault("a key in double quotes has to stand here")
	}
	key, dst, err := c.text(dst)
	if err != nil {
		return m, nil, err
	}
	m.key = key
	if c.blanks(); c.peek() != ':' {
		return m, nil, c.fault("':' has to stand here")
	}
	c.pos++
	c.blanks()
	if dst, err = c.value(append(dst, ':'), depth); err != nil {
		return m, nil, err
	}
	m.end = len(dst)
	return m, dst, nil
}

// list copies a list, which is one leaf, whatever is in it.
func (c *canon) list(dst []byte, depth int) ([]byte, error) {
	if err := c.bounds(depth); err != nil {
		return nil, err
	}
	leaves := c.leaves
	c.pos++
	dst = append(dst, '[')
	first := true
	for c.blanks(); c.peek() != ']'; c.blanks() {
		if !first {
			if c.peek() != ',' {
				return nil, c.fault("',' or ']' has to stand here")
			}
			c.pos++
			dst = append(dst, ',')
			c.blanks()
		}
		first = false
		var err error
		if dst, err = c.value(dst, depth); err != nil {
			return nil, err
		}
	}
	c.pos++
	c.leaves = leaves + 1
	return append(dst, ']'), nil
}

// bounds refuses a container that is too deep, or one leaf too many before it.
func (c *canon) bounds(depth int) error {
	if depth > MaxDepth {
		return c.fault(fmt.Sprintf("more than %d levels", MaxDepth))
	}
	return c.tooMany()
}

func (c *canon) tooMany() error {
	if c.leaves > MaxLeaves {
		return c.fault(fmt.Sprintf("more than %d leaves", MaxLeaves))
	}
	return nil
}
