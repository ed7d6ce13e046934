package facts

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of a facts document, those of the wire. A list, a scalar and an empty object are one leaf each.
const (
	MaxDocument = 1 << 20 // bytes of JSON
	MaxLevels   = fettle.MaxPathKeys
	MaxLeaves   = 20_000
)

// Kept free for fettle.facts.errors, so that what was left out can always be said.
const (
	reservedBytes  = 64 << 10
	reservedLeaves = 256
)

// ownKey is the top-level key of our own facts. No other source can set it.
const ownKey = "fettle"

// document gathers facts from sources, one after another, and keeps the whole within its bounds.
type document struct {
	facts  object
	sizes  map[string]size // by top-level key
	faults []SourceError
}

// size is what a value takes of a document's bounds.
type size struct{ bytes, leaves int }

func newDocument() *document { return &document{facts: object{}, sizes: map[string]size{}} }

// fail notes what became of a source.
func (d *document) fail(source string, err error) {
	d.faults = append(d.faults, SourceError{Source: source, Err: err})
}

// put sets the top-level keys of facts, in place of what other sources gave. Where a bound would break, nothing of facts is set.
func (d *document) put(source string, facts object) {
	if _, ok := facts[ownKey]; ok {
		d.fail(source, fmt.Errorf("the fact %s is reserved: %w", ownKey, fettle.ErrDenied))
		facts = maps.Clone(facts)
		delete(facts, ownKey)
	}
	d.take(source, facts)
}

// under adds what facts has and the document lacks, at any depth. Where a bound would break, nothing of facts is added.
func (d *document) under(source string, facts object) {
	merged := object{}
	for key, value := range facts {
		if key != ownKey {
			merged[key] = beneath(d.facts[key], value)
		}
	}
	d.take(source, merged)
}

// beneath gives top, with what only bottom has added where both are objects.
func beneath(top, bottom any) any {
	if top == nil {
		return bottom
	}
	t, ok := top.(object)
	b, too := bottom.(object)
	if !ok || !too {
		return top
	}
	merged := maps.Clone(t)
	for key, value := range b {
		merged[key] = beneath(t[key], value)
	}
	return merged
}

func (d *document) take(source string, facts object) {
	sizes := make(map[string]size, len(facts))
	for key, value := range facts {
		s, err := measure(key, value)
		if err != nil {
			d.fail(source, err)
			return
		}
		sizes[key] = s
	}
	if err := d.fits(sizes); err != nil {
		d.fail(source, err)
		return
	}
	maps.Copy(d.sizes, sizes)
	maps.Copy(d.facts, facts)
}

// fits tells whether the document keeps its bounds with sizes in place of those of the same keys.
func (d *document) fits(sizes map[string]size) error {
	total := size{bytes: 2}
	for _, part := range sizes {
		total = size{total.bytes + part.bytes, total.leaves + part.leaves}
	}
	for key, part := range d.sizes {
		if _, replaced := sizes[key]; !replaced {
			total = size{total.bytes + part.bytes, total.leaves + part.leaves}
		}
	}
	if total.bytes > MaxDocument-reservedBytes {
		return fmt.Errorf("the facts would take %d bytes, and %d are allowed: %w", total.bytes, MaxDocument-reservedBytes, fettle.ErrInvalid)
	}
	if total.leaves > MaxLeaves-reservedLeaves {
		return fmt.Errorf("the facts would have %d leaves, and %d are allowed: %w", total.leaves, MaxLeaves-reservedLeaves, fettle.ErrInvalid)
	}
	return nil
}

// measure gives what "key":value takes, and refuses what a document cannot hold.
func measure(key string, value any) (size, error) {
	var s size
	if err := s.add(object{key: value}, 0, 0); err != nil {
		return size{}, fmt.Errorf("fact %.100q: %w", key, err)
	}
	return s, nil
}

// Faults of values that a document cannot hold.
var (
	errDeep   = fmt.Errorf("more than %d levels: %w", MaxLevels, fettle.ErrInvalid)
	errPath   = fmt.Errorf("a path longer than %d bytes: %w", fettle.MaxPathBytes, fettle.ErrInvalid)
	errNumber = fmt.Errorf("a number that JSON cannot hold: %w", fettle.ErrInvalid)
	errText   = fmt.Errorf("text that is not UTF-8: %w", fettle.ErrInvalid)
)

// add counts value, which lies in levels containers, at a path of so many bytes.
func (s *size) add(value any, levels, path int) error {
	switch v := value.(type) {
	case object:
		s.bytes += 2
		if len(v) == 0 {
			s.leaves++
		}
		if levels >= MaxLevels {
			return errDeep
		}
		for key, value := range v {
			s.bytes += stringSize(key) + 2
			if path+len(key) > fettle.MaxPathBytes/2 { // half, for quotes and escapes
				return errPath
			}
			if !utf8.ValidString(key) {
				return errText
			}
			if err := s.add(value, levels+1, path+len(key)+1); err != nil {
				return err
			}
		}
		return nil
	case []any:
		return s.addList(v, levels)
	}
	s.leaves++
	return s.addScalar(value)
}

func (s *size) addList(list []any, levels int) error {
	if levels >= MaxLevels {
		return errDeep
	}
	before := s.leaves
	s.bytes += 2
	for _, value := range list {
		s.bytes++
		if err := s.add(value, levels+1, 0); err != nil {
			return err
		}
	}
	s.leaves = before + 1
	return nil
}

func (s *size) addScalar(value any) error {
	switch v := value.(type) {
	case nil:
		s.bytes += 4
	case string:
		if !utf8.ValidString(v) {
			return errText
		}
		s.bytes += stringSize(v)
	case bool:
		s.bytes += 5
	case int64:
		s.bytes += len(strconv.FormatInt(v, 10))
	case uint64:
		s.bytes += len(strconv.FormatUint(v, 10))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return errNumber
		}
		s.bytes += 24 // the longest float64
	default:
		return fmt.Errorf("a value of type %T: %w", value, errors.ErrUnsupported)
	}
	return nil
}

// stringSize is the length of s as a JSON string, at most: Go's encoder writes < > & as six bytes.
func stringSize(s string) int {
	n := len(s) + 2
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < 0x20 || c == '<' || c == '>' || c == '&':
			n += 5
		case c == '"' || c == '\\':
			n++
		}
	}
	return n
}

// sortedKeys gives an object's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
