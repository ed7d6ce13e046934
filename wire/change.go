package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// Change is what became of one leaf. An object without members is a leaf, too.
type Change struct {
	Path fettle.Path
	Old  json.RawMessage // nil: it was not there
	New  json.RawMessage // nil: it is not there any more
}

// Changes gives every leaf in which the documents differ, sorted by path. No document at all counts as an empty one.
func Changes(old, new Document) ([]Change, error) {
	var changes []Change
	if old.Hash == new.Hash {
		return nil, nil
	}
	note := func(path fettle.Path, val []byte, was bool) {
		c := Change{Path: slices.Clone(path)}
		if was {
			c.Old = val
		} else {
			c.New = val
		}
		changes = append(changes, c)
	}
	var fault error
	each := func(path fettle.Path, val []byte, was bool) {
		fault = errors.Join(fault, leaves(path, val, func(p fettle.Path, v []byte) { note(p, v, was) }))
	}
	d := differ{
		gone: func(path fettle.Path, old []byte) { each(path, old, true) },
		set: func(path fettle.Path, old, new []byte) {
			if old != nil && !isObject(old) && !isObject(new) {
				changes = append(changes, Change{Path: slices.Clone(path), Old: old, New: new})
				return
			}
			if old != nil {
				each(path, old, true)
			}
			each(path, new, false)
		},
	}
	if err := errors.Join(d.objects(nil, old.bytes(), new.bytes()), fault); err != nil {
		return nil, err
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return slices.Compare(a.Path, b.Path) })
	return changes, nil
}

// leaves calls f for every leaf of the value at path.
func leaves(path fettle.Path, val []byte, f func(fettle.Path, []byte)) error {
	if !isObject(val) {
		f(path, val)
		return nil
	}
	w := walk(val)
	for w.next() {
		if err := leaves(append(path, w.key), w.val, f); err != nil {
			return err
		}
	}
	return w.err
}

// Hold gives new, in which every leaf for whose path held says true keeps the value that it has in old, if it is a leaf in both.
func Hold(old, new Document, held func(fettle.Path) bool) (Document, error) {
	if old.None() || old.Hash == new.Hash {
		return new, nil
	}
	raw, err := holdObject(make([]byte, 0, len(new.Raw)), nil, old.bytes(), new.bytes(), held)
	if err != nil {
		return Document{}, err
	}
	if bytes.Equal(raw, old.Raw) {
		return old, nil
	}
	return documentOf(raw)
}

func holdObject(dst []byte, path fettle.Path, old, new []byte, held func(fettle.Path) bool) ([]byte, error) {
	dst = append(dst, '{')
	a, b := walk(old), walk(new)
	more, start := a.next(), len(dst)
	for b.next() {
		for more && a.key < b.key {
			more = a.next()
		}
		val := b.val
		if more && a.key == b.key && !bytes.Equal(a.val, b.val) {
			path := append(path, b.key)
			switch {
			case isObject(a.val) && isObject(b.val):
				var err error
				if dst, err = holdObject(appendMember(dst, start, b.rawKey, nil), path, a.val, b.val, held); err != nil {
					return nil, err
				}
				continue
			case !isObject(a.val) && !isObject(b.val) && held(path):
				val = a.val
			}
		}
		dst = appendMember(dst, start, b.rawKey, val)
	}
	return append(dst, '}'), errors.Join(a.err, b.err)
}
