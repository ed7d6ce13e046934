package fettle

import (
	"fmt"
	"strconv"
	"strings"
)

// Bounds of a path: a facts document may be so deep and no deeper (docs/wire.md), so a path beyond them leads nowhere.
const (
	MaxPathKeys  = 64
	MaxPathBytes = 4096
)

// Path leads into a facts document: the keys from its top to a leaf or an object. The empty path is the whole document.
//
// Written down, keys stand with dots between them, and a key with anything but letters, digits, '_' and '-' stands in double quotes with
// Go's escapes: mountpoints."/boot".size. This is the one grammar of the command line, facets, history and reports.
type Path []string

// ParsePath reads a path as it is written. A fault is ErrInvalid and names the byte at which it stands.
func ParsePath(s string) (Path, error) {
	if len(s) > MaxPathBytes {
		return nil, fmt.Errorf("path has %d bytes, and %d are allowed: %w", len(s), MaxPathBytes, ErrInvalid)
	}
	var p Path
	for rest := s; ; {
		key, n, err := cutKey(rest)
		if err != nil {
			return nil, fmt.Errorf("path %q, byte %d: %w", s, len(s)-len(rest)+1, err)
		}
		if p = append(p, key); len(p) > MaxPathKeys {
			return nil, fmt.Errorf("path %q has more than %d keys: %w", s, MaxPathKeys, ErrInvalid)
		}
		if rest = rest[n:]; rest == "" {
			return p, nil
		}
		if rest[0] != '.' {
			return nil, fmt.Errorf("path %q, byte %d: a dot ought to stand between two keys: %w", s, len(s)-len(rest)+1, ErrInvalid)
		}
		rest = rest[1:]
	}
}

// cutKey gives the key with which s begins, and the number of bytes that it takes there.
func cutKey(s string) (key string, n int, err error) {
	if s != "" && s[0] == '"' {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return "", 0, fmt.Errorf("a quoted key does not end: %w", ErrInvalid)
		}
		key, err = strconv.Unquote(quoted)
		if err != nil {
			return "", 0, fmt.Errorf("a quoted key has a bad escape: %w", ErrInvalid)
		}
		return key, len(quoted), nil
	}
	if n = strings.IndexAny(s, `."`); n < 0 {
		n = len(s)
	}
	if n == 0 {
		return "", 0, fmt.Errorf("a key is missing: %w", ErrInvalid)
	}
	if !plainKey(s[:n]) {
		return "", 0, fmt.Errorf("the key %q has to stand in double quotes: %w", s[:n], ErrInvalid)
	}
	return s[:n], n, nil
}

// String writes p as ParsePath reads it.
func (p Path) String() string {
	var b strings.Builder
	for i, key := range p {
		if i > 0 {
			b.WriteByte('.')
		}
		if plainKey(key) {
			b.WriteString(key)
		} else {
			b.WriteString(strconv.Quote(key))
		}
	}
	return b.String()
}

// plainKey tells whether key may stand without quotes. Any letter is allowed, so that words of other languages read well.
func plainKey(key string) bool {
	for _, r := range key {
		if r != '_' && r != '-' && !('0' <= r && r <= '9') && !('a' <= r && r <= 'z') && !('A' <= r && r <= 'Z') && r < 0x80 || r == 0xFFFD {
			return false
		}
	}
	return key != ""
}
