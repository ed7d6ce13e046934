package wire

import (
	"fmt"
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// Undo gives the document that doc was before changes, which may be those of several steps, the latest step first and each as Changes gave it.
// Changes that do not belong to doc give some document, but never a panic.
func Undo(doc Document, changes ...[]Change) (Document, error) {
	raw := doc.bytes()
	for _, step := range changes {
		ops := make([]op, len(step))
		for i, c := range step {
			if len(c.Path) == 0 {
				return Document{}, fmt.Errorf("undo: a change has no path: %w", fettle.ErrInvalid)
			}
			ops[i] = op{c.Path, c.Old}
		}
		slices.SortStableFunc(ops, func(a, b op) int { return slices.Compare(a.path, b.path) })
		var err error
		if raw, err = restoreObject(make([]byte, 0, len(raw)+sizeOf(ops)), raw, ops, 0); err != nil {
			return Document{}, fmt.Errorf("undo: %w", err)
		}
	}
	return documentOf(raw)
}

// restoreObject appends the object raw with the leaves of ops as they say: unlike a patch it makes the objects above a leaf, and takes those
// away that are left without any.
func restoreObject(dst, raw []byte, ops []op, depth int) ([]byte, error) {
	dst = append(dst, '{')
	start, w := len(dst), walk(raw)
	more := w.next()
	for more || len(ops) > 0 {
		if len(ops) == 0 || more && w.key < ops[0].path[depth] {
			dst = appendMember(dst, start, w.rawKey, w.val)
			more = w.next()
			continue
		}
		var here []op
		here, ops = cutGroup(ops, depth)
		key, val := here[0].path[depth], []byte(nil)
		if more && w.key == key {
			val = w.val
			more = w.next()
		}
		var err error
		if dst, err = restoreMember(dst, start, key, val, here, depth); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), w.err
}

// restoreMember appends the member as here says; val is what it is now, nil for nothing.
func restoreMember(dst []byte, start int, key string, val []byte, here []op, depth int) ([]byte, error) {
	rawKey := appendString(nil, key)
	for len(here) > 0 && len(here[0].path) == depth+1 {
		if here[0].val != nil {
			return appendMember(dst, start, rawKey, here[0].val), nil // what is below came later, and goes
		}
		here, val = here[1:], nil
	}
	if len(here) == 0 {
		return dst, nil
	}
	if len(val) == 0 || val[0] != '{' {
		val = []byte("{}")
	}
	before := len(dst)
	dst = appendMember(dst, start, rawKey, nil)
	at := len(dst)
	dst, err := restoreObject(dst, val, here, depth+1)
	if err == nil && len(dst) == at+len("{}") {
		dst = dst[:before]
	}
	return dst, err
}
