package fettle

import (
	"fmt"
	"strings"
)

// MaxIdentity is the length of the longest identity, in bytes: that of the longest DNS name.
const MaxIdentity = 253

// NodeID is the identity of a node: its name, by default its FQDN, in lower case. The zero value names no node.
type NodeID string

// ParseNodeID makes s lower case and checks that it is an identity: [a-z0-9][a-z0-9._-]{0,252}. Anything else is ErrInvalid, because an
// identity becomes part of a destination, of a file name and of a line that a person reads.
func ParseNodeID(s string) (NodeID, error) {
	s = strings.ToLower(s)
	if s == "" {
		return "", fmt.Errorf("identity is empty: %w", ErrInvalid)
	}
	if len(s) > MaxIdentity {
		return "", fmt.Errorf("identity %q… has %d bytes, and %d are allowed: %w", s[:40], len(s), MaxIdentity, ErrInvalid)
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		alnum := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !alnum && (i == 0 || c != '.' && c != '_' && c != '-') {
			return "", fmt.Errorf("identity %q: %q at byte %d is not allowed, use a-z 0-9 . _ - and begin with a letter or digit: %w", s, c, i+1, ErrInvalid)
		}
	}
	return NodeID(s), nil
}
