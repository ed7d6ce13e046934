package filter

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/fettle-dev/fettle"
)

// Bounds of a facts document, as the wire has them.
const (
	MaxDocument = 1 << 20 // bytes
	MaxLevels   = 64      // of nesting
	MaxLeaves   = 20_000  // values that are neither object nor list
)

// Document is a facts document, parsed. It does not change, and is safe for concurrent use.
type Document struct {
	fields
	leaves int
}

// Leaves gives the number of values that are neither object nor list.
func (d *Document) Leaves() int { return d.leaves }

// fields is an object: keys in byte order beside their values.
type fields struct {
	keys   []string
	values []any
}

// Get gives the value under key.
func (f *fields) Get(key string) (any, bool) {
	i, ok := slices.BinarySearch(f.keys, key)
	if !ok {
		return nil, false
	}
	return f.values[i], true
}

// Keys gives all keys in byte order.
func (f *fields) Keys() []string { return f.keys }

// Len gives the number of keys.
func (f *fields) Len() int { return len(f.keys) }

// ParseDocument reads a facts document: one JSON object. The bytes are copied; strings of the document share that copy. Anything that is not
// JSON, is beyond the bounds, or has a key twice in one object is ErrInvalid with the byte at which it stands. No bytes are an empty document.
func ParseDocument(text []byte) (*Document, error) {
	if len(text) > MaxDocument {
		return nil, fmt.Errorf("facts document has %d bytes, and %d are allowed: %w", len(text), MaxDocument, fettle.ErrInvalid)
	}
	if len(text) == 0 {
		return &Document{}, nil
	}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("facts document is not UTF-8: %w", fettle.ErrInvalid)
	}
	p := jsonReader{s: string(text)}
	v, err := p.document()
	if err != nil {
		return nil, fmt.Errorf("facts document, byte %d: %w: %w", p.at+1, err, fettle.ErrInvalid)
	}
	return &Document{fields: *v, leaves: p.leaves}, nil
}
