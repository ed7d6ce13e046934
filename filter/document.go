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
	plain  bool
}

// Leaves gives the number of values that are neither object nor list.
func (d *Document) Leaves() int { return d.leaves }

// Plain tells whether the document can be written again, byte by byte, from what Visit gives: it is canonical JSON, without blanks, its keys in
// byte order and escaped as AppendJSON does.
func (d *Document) Plain() bool { return d.plain }

// Visitor is told what a document holds, in the order of its keys.
type Visitor interface {
	// Enter begins an object, and Leave ends it.
	Enter(key string)
	Leave()
	// Leaf is any other value: nil, bool, int64, float64, string or []any. text is how it was written, where AppendJSON writes it otherwise.
	Leaf(key string, value any, text string)
}

// Visit tells v what the document holds.
func (d *Document) Visit(v Visitor) { d.fields.visit(v) }

func (f *fields) visit(v Visitor) {
	for i, k := range f.keys {
		switch x := f.values[i].(type) {
		case *fields:
			v.Enter(k)
			x.visit(v)
			v.Leave()
		case written:
			v.Leaf(k, x.value, x.text)
		default:
			v.Leaf(k, x, "")
		}
	}
}

// fields is an object: keys in byte order beside their values.
type fields struct {
	keys   []string
	values []any // as Object has them, some of them as written
}

// written is a value that AppendJSON would write otherwise than it was.
type written struct {
	value any
	text  string
}

// Get gives the value under key.
func (f *fields) Get(key string) (any, bool) {
	i, ok := slices.BinarySearch(f.keys, key)
	if !ok {
		return nil, false
	}
	if w, ok := f.values[i].(written); ok {
		return w.value, true
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
	p, _ := readers.Get().(*jsonReader)
	defer p.end()
	p.begin(string(text))
	v, err := p.document()
	if err != nil {
		return nil, fmt.Errorf("facts document, byte %d: %w: %w", p.at+1, err, fettle.ErrInvalid)
	}
	return &Document{fields: *v, leaves: p.leaves, plain: p.plain}, nil
}

// Walk tells v what a document holds, as Visit does, without making one. It tells whether it could: if not, the text is no document, or is none that
// is Plain, and v has been told some of it at most; ParseDocument says more. The bytes are copied; what v is told shares that copy.
func Walk(text []byte, v Visitor) bool {
	if len(text) == 0 || len(text) > MaxDocument || text[0] != '{' || !utf8.Valid(text) {
		return false
	}
	p, _ := readers.Get().(*jsonReader)
	defer p.end()
	p.begin(string(text))
	return p.walk(1, v) && p.plain && p.at == len(p.s)
}

// ParseList reads a JSON list, as Visit gives the text of one.
func ParseList(text string) ([]any, error) {
	p := jsonReader{s: text}
	if p.peek() != '[' {
		return nil, fmt.Errorf("parse a list: it begins with something else: %w", fettle.ErrInvalid)
	}
	v, err := p.list(1)
	if err != nil {
		return nil, fmt.Errorf("parse a list, byte %d: %w: %w", p.at+1, err, fettle.ErrInvalid)
	}
	return v, nil
}
