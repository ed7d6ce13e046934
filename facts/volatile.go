package facts

import (
	"fmt"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// anyKey in a pattern stands for any one key.
const anyKey = "*"

// DefaultVolatile gives the patterns of native facts that change from one collection to the next on a machine that nobody touches.
func DefaultVolatile() []string {
	patterns := []string{"system_uptime", "load_averages", "processors.speed"}
	for _, parent := range []string{"memory.system", "memory.swap", "mountpoints.*"} {
		for _, leaf := range []string{"available", "available_bytes", "capacity", "used", "used_bytes"} {
			patterns = append(patterns, parent+"."+leaf)
		}
	}
	return patterns
}

// Volatile tells which paths of a facts document change all the time. The zero value matches none. It is safe for concurrent use.
type Volatile struct{ top *branch }

// branch is a place in the tree of patterns.
type branch struct {
	end  bool // a pattern ends here: this path and all below it are volatile
	keys map[string]*branch
}

// NewVolatile reads patterns. A pattern is a path as fettle.ParsePath reads it, in which a bare * stands for any one key; it covers that path
// and all below it. A fault is ErrInvalid.
func NewVolatile(patterns []string) (Volatile, error) {
	top := &branch{keys: map[string]*branch{}}
	for _, pattern := range patterns {
		path, err := parsePattern(pattern)
		if err != nil {
			return Volatile{}, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		at := top
		for _, key := range path {
			next := at.keys[key]
			if next == nil {
				next = &branch{keys: map[string]*branch{}}
				at.keys[key] = next
			}
			at = next
		}
		at.end = true
	}
	return Volatile{top: top}, nil
}

// Match tells whether path, or an object that it lies in, is volatile.
func (v Volatile) Match(path fettle.Path) bool { return v.top != nil && v.top.match(path) }

func (b *branch) match(path fettle.Path) bool {
	if b.end {
		return true
	}
	if len(path) == 0 {
		return false
	}
	for _, key := range []string{path[0], anyKey} {
		if next := b.keys[key]; next != nil && next.match(path[1:]) {
			return true
		}
	}
	return false
}

// parsePattern quotes each bare *, which no path may hold, and reads the rest as a path.
func parsePattern(pattern string) (fettle.Path, error) {
	var b strings.Builder
	quoted, escaped := false, false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		if !quoted && c == '*' && (i == 0 || pattern[i-1] == '.') && (i+1 == len(pattern) || pattern[i+1] == '.') {
			b.WriteString(`"*"`)
			continue
		}
		if c == '"' && !escaped {
			quoted = !quoted
		}
		escaped = quoted && c == '\\' && !escaped
		b.WriteByte(c)
	}
	return fettle.ParsePath(b.String())
}
