package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fettle-dev/fettle"
)

// Bounds of what is part of a key, in bytes. A longer one is ErrInvalid.
const (
	MaxID   = 64  // of tasks, runs, rosters and tokens
	MaxName = 191 // of checks, settings, saved filters, pools, streams
)

// encode writes v as JSON with sorted keys, and < > & as they are, since people read it with SQL.
func encode(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", fmt.Errorf("%w: %w", err, fettle.ErrInvalid)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// list writes a list of strings; nil is the empty one.
func list[T ~string](v []T) (string, error) {
	if len(v) == 0 {
		return "[]", nil
	}
	return encode(v)
}

// object writes a map; nil is the empty one.
func object[V any](v map[string]V) (string, error) {
	if len(v) == 0 {
		return "{}", nil
	}
	return encode(v)
}

// decode reads what encode wrote. Numbers in an any become json.Number. An empty list or object leaves v as it is: nil.
func decode(name, s string, v any) error {
	if s == "" || s == "[]" || s == "{}" || s == "null" {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("column %s: %w", name, err)
	}
	return nil
}

// document is a JSON document as a parameter: NULL for none.
func document(doc json.RawMessage) any {
	if doc == nil {
		return nil
	}
	return text(string(doc))
}

// raw is the opposite of document.
func raw(s *string) json.RawMessage {
	if s == nil {
		return nil
	}
	return json.RawMessage(*s)
}

// text makes foreign text fit to be stored: MySQL refuses bytes that are not UTF-8, and one such row would hold up its whole batch.
func text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// key checks that what is part of a key fits into its column.
func key(what, s string, limit int) error {
	switch {
	case len(s) > limit:
		return fmt.Errorf("%s %q… has %d bytes, and %d are allowed: %w", what, text(s[:32]), len(s), limit, fettle.ErrInvalid)
	case !utf8.ValidString(s):
		return fmt.Errorf("%s %q is not UTF-8: %w", what, s, fettle.ErrInvalid)
	}
	return nil
}

// named is key for what has to be there.
func named(what, s string, limit int) error {
	if s == "" {
		return fmt.Errorf("%s is missing: %w", what, fettle.ErrInvalid)
	}
	return key(what, s, limit)
}

// flag is a bool as a number.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// page is the limit of a listing: at most and, for zero, MaxPage.
func page(limit int) int {
	if limit <= 0 || limit > MaxPage {
		return MaxPage
	}
	return limit
}

// MaxPage is the largest number of rows that a listing gives at once.
const MaxPage = 10_000
