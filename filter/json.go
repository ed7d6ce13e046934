package filter

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// jsonReader reads JSON (RFC 8259) from s. Numbers keep int64 apart from float64, which is why encoding/json is not used; strings without
// escapes are cut from s, which is why it is fast.
type jsonReader struct {
	s      string
	at     int
	leaves int
	plain  bool // so far there was no blank, and no key out of order or escaped in a way of its own

	// The members of the objects that are open, one behind the other, so that each object's are made in one piece when it ends.
	keys   []string
	values []any
}

// readers keeps the stacks of a jsonReader from one document to the next.
var readers = sync.Pool{New: func() any { return new(jsonReader) }}

// begin makes p ready to read s, and end lets go of all that it has read.
func (p *jsonReader) begin(s string) {
	*p = jsonReader{s: s, plain: true, keys: p.keys[:0], values: p.values[:0]}
}

func (p *jsonReader) end() {
	clear(p.keys[:cap(p.keys)])
	clear(p.values[:cap(p.values)])
	if p.s = ""; cap(p.keys) <= 1024 {
		readers.Put(p)
	}
}

func (p *jsonReader) document() (*fields, error) {
	p.space()
	if p.peek() != '{' {
		return nil, fmt.Errorf("a facts document is a JSON object")
	}
	v, err := p.object(1)
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(p.s) {
		return nil, fmt.Errorf("something follows the document")
	}
	return v, nil
}

// peek gives the next byte, and zero at the end.
func (p *jsonReader) peek() byte {
	if p.at < len(p.s) {
		return p.s[p.at]
	}
	return 0
}

func (p *jsonReader) space() {
	if p.at < len(p.s) && p.s[p.at] > ' ' {
		return
	}
	begin := p.at
	for p.at < len(p.s) && (p.s[p.at] == ' ' || p.s[p.at] == '\n' || p.s[p.at] == '\t' || p.s[p.at] == '\r') {
		p.at++
	}
	p.plain = p.plain && p.at == begin
}

func (p *jsonReader) value(level int) (any, error) {
	switch c := p.peek(); {
	case c == '{':
		return p.object(level + 1)
	case c == '[':
		return p.list(level + 1)
	case c == '"':
		if err := p.leaf(); err != nil {
			return nil, err
		}
		return p.str()
	case c == '-' || '0' <= c && c <= '9':
		if err := p.leaf(); err != nil {
			return nil, err
		}
		return p.number()
	}
	for _, w := range [...]struct {
		text  string
		value any
	}{{"true", true}, {"false", false}, {"null", nil}} {
		if strings.HasPrefix(p.s[p.at:], w.text) {
			p.at += len(w.text)
			return w.value, p.leaf()
		}
	}
	return nil, fmt.Errorf("a value is missing")
}

func (p *jsonReader) leaf() error {
	if p.leaves++; p.leaves > MaxLeaves {
		return fmt.Errorf("more than %d leaves", MaxLeaves)
	}
	return nil
}

func (p *jsonReader) object(level int) (*fields, error) {
	if level > MaxLevels {
		return nil, fmt.Errorf("more than %d levels", MaxLevels)
	}
	base, sorted := len(p.keys), true
	p.at++
	for p.space(); p.peek() != '}'; p.space() {
		if len(p.keys) > base {
			if p.peek() != ',' {
				return nil, fmt.Errorf("a comma or a closing brace is missing")
			}
			p.at++
			p.space()
		}
		if p.peek() != '"' {
			return nil, fmt.Errorf("a key is missing")
		}
		begin := p.at
		k, err := p.str()
		if err != nil {
			return nil, err
		}
		if p.at-begin != len(k)+2 && string(AppendJSON(nil, k)) != p.s[begin:p.at] {
			p.plain = false
		}
		if p.space(); p.peek() != ':' {
			return nil, fmt.Errorf("a colon is missing")
		}
		p.at++
		p.space()
		v, err := p.member(level)
		if err != nil {
			return nil, err
		}
		if n := len(p.keys); n > base && p.keys[n-1] >= k {
			sorted = false
		}
		p.keys, p.values = append(p.keys, k), append(p.values, v)
	}
	p.at++
	f := &fields{keys: slices.Clone(p.keys[base:]), values: slices.Clone(p.values[base:])}
	p.keys, p.values = p.keys[:base], p.values[:base]
	if !sorted {
		p.plain = false
		return f, f.sort()
	}
	return f, nil
}

// walk tells v what an object holds, as long as it is plain.
func (p *jsonReader) walk(level int, v Visitor) bool {
	if level > MaxLevels {
		return false
	}
	p.at++
	before := ""
	for n := 0; p.peek() != '}'; n++ {
		if n > 0 {
			if p.peek() != ',' {
				return false
			}
			p.at++
		}
		k, ok := p.key()
		if !ok || n > 0 && before >= k {
			return false
		}
		if before = k; p.peek() == '{' {
			v.Enter(k)
			if !p.walk(level+1, v) {
				return false
			}
			v.Leave()
			continue
		}
		switch x, err := p.member(level); x := x.(type) {
		case written:
			v.Leaf(k, x.value, x.text)
		default:
			if err != nil {
				return false
			}
			v.Leaf(k, x, "")
		}
	}
	p.at++
	return true
}

// key reads a key and the colon after it; not ok where they are not plain.
func (p *jsonReader) key() (k string, ok bool) {
	begin := p.at
	if p.peek() != '"' {
		return "", false
	}
	k, err := p.str()
	if err != nil || p.at-begin != len(k)+2 && string(AppendJSON(nil, k)) != p.s[begin:p.at] || p.peek() != ':' {
		return "", false
	}
	p.at++
	return k, true
}

// member reads the value of a key, and keeps its text where that cannot be made again from the value. A list's always is.
func (p *jsonReader) member(level int) (any, error) {
	begin := p.at
	v, err := p.value(level)
	if err != nil {
		return nil, err
	}
	text := p.s[begin:p.at]
	switch x := v.(type) {
	case []any:
		return written{value: v, text: text}, nil
	case string:
		if len(text) != len(x)+2 && string(AppendJSON(nil, x)) != text {
			return written{value: v, text: text}, nil
		}
	case int64:
		if text == "-0" {
			return written{value: v, text: text}, nil
		}
	case float64:
		var buf [32]byte
		if string(AppendJSON(buf[:0], x)) != text {
			return written{value: v, text: text}, nil
		}
	}
	return v, nil
}

// sort brings the keys into byte order; canonical documents have them so already.
func (f *fields) sort() error {
	order := make([]int, len(f.keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(f.keys[a], f.keys[b]) })
	keys, values := make([]string, len(order)), make([]any, len(order))
	for i, j := range order {
		keys[i], values[i] = f.keys[j], f.values[j]
		if i > 0 && keys[i] == keys[i-1] {
			return fmt.Errorf("the key %q stands twice in one object", keys[i])
		}
	}
	f.keys, f.values = keys, values
	return nil
}

func (p *jsonReader) list(level int) ([]any, error) {
	if level > MaxLevels {
		return nil, fmt.Errorf("more than %d levels", MaxLevels)
	}
	out := []any{}
	p.at++
	for p.space(); p.peek() != ']'; p.space() {
		if len(out) > 0 {
			if p.peek() != ',' {
				return nil, fmt.Errorf("a comma or a closing bracket is missing")
			}
			p.at++
			p.space()
		}
		v, err := p.value(level)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	p.at++
	return out, nil
}
