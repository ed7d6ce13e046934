package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
)

// Patch turns one facts document into another. A value stands at a path; whatever was there before goes. Lists are leaves.
type Patch struct {
	Set    []Assign      `json:"set,omitempty"`
	Unset  []fettle.Path `json:"unset,omitempty"`
	Base   string        `json:"base"`   // the hash of the document that it fits
	Result string        `json:"result"` // the hash of the document that it makes
	Seq    int64         `json:"seq"`
}

// Assign sets a value at a path; in JSON it is the list of the two. The value may be an object, with all that is below the path.
type Assign struct {
	Path  fettle.Path
	Value json.RawMessage
}

// MarshalJSON writes [path, value].
func (a Assign) MarshalJSON() ([]byte, error) {
	out := append(make([]byte, 0, 64+len(a.Value)), '[', '[')
	for i, key := range a.Path {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendString(out, key)
	}
	return append(append(append(out, ']', ','), a.Value...), ']'), nil
}

// UnmarshalJSON reads [path, value].
func (a *Assign) UnmarshalJSON(raw []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(raw, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("patch: set wants pairs of a path and a value, not %d things: %w", len(pair), fettle.ErrInvalid)
	}
	a.Value = pair[1]
	return json.Unmarshal(pair[0], &a.Path)
}

// Empty tells whether p changes nothing.
func (p Patch) Empty() bool { return len(p.Set) == 0 && len(p.Unset) == 0 }

// ErrBase says that a document is neither the one that a patch fits nor the one that it makes: the full document is needed.
var ErrBase = errors.New("patch fits another document")

// Diff gives the patch that turns old into new; Apply undoes the difference exactly. No document at all counts as an empty one. Documents
// that are not canonical give a patch without a Result, which fits nothing.
func Diff(old, new Document) Patch {
	p := Patch{Base: old.Hash, Result: new.Hash}
	if old.Hash == new.Hash {
		return p
	}
	d := differ{
		gone: func(path fettle.Path, _ []byte) { p.Unset = append(p.Unset, slices.Clone(path)) },
		set: func(path fettle.Path, _, val []byte) {
			p.Set = append(p.Set, Assign{Path: slices.Clone(path), Value: val})
		},
	}
	if err := d.objects(nil, old.bytes(), new.bytes()); err != nil {
		return Patch{Base: old.Hash}
	}
	return p
}

// bytes gives the document's bytes, those of the empty one for none.
func (d Document) bytes() []byte {
	if len(d.Raw) == 0 {
		return []byte("{}")
	}
	return d.Raw
}

// differ walks two documents at once and reports where they differ. The path belongs to it.
type differ struct {
	gone func(path fettle.Path, old []byte)      // a key that only old has
	set  func(path fettle.Path, old, new []byte) // a key that only new has (old nil), or a value that is not two objects
}

func (d *differ) objects(path fettle.Path, old, new []byte) error {
	a, b := walk(old), walk(new)
	moreA, moreB := a.next(), b.next()
	for moreA || moreB {
		switch {
		case !moreB || moreA && a.key < b.key:
			d.gone(append(path, a.key), a.val)
			moreA = a.next()
		case !moreA || b.key < a.key:
			d.set(append(path, b.key), nil, b.val)
			moreB = b.next()
		default:
			if !bytes.Equal(a.val, b.val) {
				if err := d.values(append(path, a.key), a.val, b.val); err != nil {
					return err
				}
			}
			moreA, moreB = a.next(), b.next()
		}
	}
	return errors.Join(a.err, b.err)
}

func (d *differ) values(path fettle.Path, old, new []byte) error {
	if len(path) < MaxDepth && isObject(old) && isObject(new) {
		return d.objects(path, old, new)
	}
	d.set(path, old, new)
	return nil
}

// Apply gives the document that p makes of doc. A doc that is the result already comes back as it is, with changed false. ErrBase: doc is
// neither base nor result. ErrInvalid: p is no patch of its base, or does not make what it says, or passes the bounds of a document.
func Apply(doc Document, p Patch) (out Document, changed bool, err error) {
	switch {
	case p.Result == "":
		return doc, false, fmt.Errorf("patch: it has no result: %w", fettle.ErrInvalid)
	case doc.Hash == p.Result:
		return doc, false, nil
	case doc.Hash != p.Base:
		return doc, false, fmt.Errorf("patch: have %.12s, base %.12s: %w", doc.Hash, p.Base, ErrBase)
	}
	ops, err := opsOf(p)
	if err != nil {
		return doc, false, fmt.Errorf("patch: %w", err)
	}
	raw := doc.bytes()
	made, err := patchObject(make([]byte, 0, len(raw)+sizeOf(ops)), raw, ops, 0)
	if err != nil {
		return doc, false, fmt.Errorf("patch: %w", err)
	}
	if out, err = bounded(made); err != nil {
		return doc, false, fmt.Errorf("patch: %w", err)
	}
	if out.Hash != p.Result {
		return doc, false, fmt.Errorf("patch: it makes %.12s and says %.12s: %w", out.Hash, p.Result, fettle.ErrInvalid)
	}
	return out, true, nil
}

// bounded wraps canonical bytes. A leaf takes five bytes at least, so only a large document can have too many.
func bounded(raw []byte) (Document, error) {
	if len(raw) > 4*MaxLeaves {
		return Canonical(raw)
	}
	return documentOf(raw)
}

// op is one path of a patch; val is nil where the path goes.
type op struct {
	path fettle.Path
	val  []byte // canonical
}

// opsOf gives the paths of p in the order in which a document has them.
func opsOf(p Patch) ([]op, error) {
	if len(p.Set)+len(p.Unset) > MaxLeaves {
		return nil, fmt.Errorf("more than %d paths: %w", MaxLeaves, fettle.ErrInvalid)
	}
	ops := make([]op, 0, len(p.Set)+len(p.Unset))
	c := canons.Get().(*canon) //nolint:errcheck // the pool holds nothing else
	defer canons.Put(c)
	for _, s := range p.Set {
		val, err := c.fragment(s.Value, nil, len(s.Path))
		if err != nil {
			return nil, fmt.Errorf("set %s: %w", clip(s.Path.String()), err)
		}
		ops = append(ops, op{s.Path, val})
	}
	for _, path := range p.Unset {
		ops = append(ops, op{path, nil})
	}
	for _, o := range ops {
		if len(o.path) == 0 || len(o.path) > MaxDepth || slices.ContainsFunc(o.path, func(k string) bool { return !utf8.ValidString(k) }) {
			return nil, fmt.Errorf("a path has no key, more than %d, or one that is not UTF-8: %w", MaxDepth, fettle.ErrInvalid)
		}
	}
	slices.SortStableFunc(ops, func(a, b op) int { return slices.Compare(a.path, b.path) })
	return ops, nil
}

func sizeOf(ops []op) (n int) {
	for _, o := range ops {
		n += len(o.val) + 2*len(o.path[len(o.path)-1]) + 4
	}
	return n
}

// patchObject appends the object raw, depth keys deep, as ops leave it. Ops share the first depth keys.
func patchObject(dst, raw []byte, ops []op, depth int) ([]byte, error) {
	dst = append(dst, '{')
	start, w := len(dst), walk(raw)
	var err error
	for w.next() {
		if len(ops) == 0 || w.key < ops[0].path[depth] {
			dst = appendMember(dst, start, w.rawKey, w.val)
			continue
		}
		var here []op
		for len(ops) > 0 && ops[0].path[depth] <= w.key {
			here, ops = cutGroup(ops, depth)
			if here[0].path[depth] == w.key {
				break
			}
			if dst, err = addMember(dst, start, here, depth); err != nil {
				return nil, err
			}
			here = nil
		}
		if here == nil {
			dst = appendMember(dst, start, w.rawKey, w.val)
		} else if dst, err = changeMember(dst, start, &w, here, depth); err != nil {
			return nil, err
		}
	}
	for len(ops) > 0 {
		var here []op
		here, ops = cutGroup(ops, depth)
		if dst, err = addMember(dst, start, here, depth); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), w.err
}

// cutGroup splits off the ops that share the key at depth.
func cutGroup(ops []op, depth int) (here, rest []op) {
	n := 1
	for n < len(ops) && ops[n].path[depth] == ops[0].path[depth] {
		n++
	}
	return ops[:n], ops[n:]
}

// addMember appends a key that the object did not have.
func addMember(dst []byte, start int, here []op, depth int) ([]byte, error) {
	o := here[0]
	if len(here) > 1 || len(o.path) != depth+1 || o.val == nil {
		return nil, fmt.Errorf("it changes %s, which is not there: %w", clip(o.path[:depth+1].String()), fettle.ErrInvalid)
	}
	return appendMember(dst, start, appendString(nil, o.path[depth]), o.val), nil
}

// changeMember appends the present member as here leaves it.
func changeMember(dst []byte, start int, w *walker, here []op, depth int) ([]byte, error) {
	o := here[0]
	if len(o.path) == depth+1 {
		switch {
		case len(here) > 1:
			return nil, fmt.Errorf("it has %s and something below it: %w", clip(o.path.String()), fettle.ErrInvalid)
		case o.val == nil:
			return dst, nil
		}
		return appendMember(dst, start, w.rawKey, o.val), nil
	}
	if w.val[0] != '{' {
		return nil, fmt.Errorf("it changes below %s, which is a leaf: %w", clip(o.path[:depth+1].String()), fettle.ErrInvalid)
	}
	dst = appendMember(dst, start, w.rawKey, nil)
	return patchObject(dst, w.val, here, depth+1)
}

// appendMember appends "key":value, with a comma if members stand since start.
func appendMember(dst []byte, start int, rawKey, val []byte) []byte {
	if len(dst) > start {
		dst = append(dst, ',')
	}
	return append(append(append(dst, rawKey...), ':'), val...)
}
