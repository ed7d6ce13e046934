package filter

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

var versionType = cel.ObjectType("fettle.Version", traits.ComparerType)

// maxVersion is the length of the longest version, in bytes; a longer string is a mistake.
const maxVersion = 256

// version is a version number, split into what is compared: runs of digits and runs of letters. Numbers compare as numbers, so that 1.10 comes
// after 1.9; absent numbers are 0, so that 1.2 equals 1.2.0; what follows `+` is ignored; a word such as rc or beta comes before nothing, any
// other suffix, such as Debian's -18, after it.
type version struct {
	text  string
	parts []string
}

func parseVersion(s string) (version, error) {
	v := version{text: s}
	if len(s) > maxVersion {
		return v, fmt.Errorf("version: the string is longer than %d bytes", maxVersion)
	}
	s = strings.TrimPrefix(strings.TrimSpace(s), "v")
	s, _, _ = strings.Cut(s, "+")
	if s == "" || s[0] < '0' || s[0] > '9' {
		return v, fmt.Errorf("version: the string does not begin with a digit")
	}
	for s != "" {
		kind := charKind(s[0])
		n := 1
		for n < len(s) && charKind(s[n]) == kind {
			n++
		}
		switch kind {
		case kindDigit:
			v.parts = append(v.parts, s[:n])
		case kindLetter:
			v.parts = append(v.parts, strings.ToLower(s[:n]))
		default:
			if strings.Contains(s[:n], "~") {
				v.parts = append(v.parts, "~")
			}
		}
		s = s[n:]
	}
	return v, nil
}

const (
	kindOther = iota
	kindDigit
	kindLetter
)

func charKind(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return kindDigit
	case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
		return kindLetter
	}
	return kindOther
}

// compare gives -1, 0 or 1.
func (v version) compare(o version) int {
	for i := 0; i < len(v.parts) || i < len(o.parts); i++ {
		if c := comparePart(part(v, i), part(o, i)); c != 0 {
			return c
		}
	}
	return 0
}

func part(v version, i int) string {
	if i < len(v.parts) {
		return v.parts[i]
	}
	return ""
}

// comparePart orders: ~ and words such as rc, then nothing and 0, then other words, then numbers.
func comparePart(a, b string) int {
	ra, rb := partRank(a), partRank(b)
	if ra != rb {
		return sign(ra - rb)
	}
	switch ra {
	case rankNothing:
		return 0
	case rankNumber:
	default:
		return strings.Compare(a, b)
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return sign(len(a) - len(b))
	}
	return strings.Compare(a, b)
}

const (
	rankTilde = iota
	rankBefore
	rankNothing
	rankWord
	rankNumber
)

func partRank(p string) int {
	switch p {
	case "~":
		return rankTilde
	case "alpha", "beta", "dev", "milestone", "pre", "preview", "rc", "snapshot":
		return rankBefore
	case "":
		return rankNothing
	}
	if charKind(p[0]) == kindLetter {
		return rankWord
	}
	if strings.Trim(p, "0") == "" {
		return rankNothing
	}
	return rankNumber
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func versionOfString(s ref.Val) ref.Val {
	text, ok := s.(types.String)
	if !ok {
		return types.NoSuchOverloadErr()
	}
	v, err := parseVersion(string(text))
	if err != nil {
		return types.WrapErr(err)
	}
	return v
}

func versionOfInt(i ref.Val) ref.Val {
	n, ok := i.(types.Int)
	if !ok || n < 0 {
		return types.NewErr("version: the number is negative")
	}
	return version{text: fmt.Sprint(int64(n)), parts: []string{fmt.Sprint(int64(n))}}
}

// Compare orders two versions, for CEL's < <= > >=.
func (v version) Compare(other ref.Val) ref.Val {
	o, ok := other.(version)
	if !ok {
		return types.MaybeNoSuchOverloadErr(other)
	}
	return types.Int(v.compare(o))
}

// Equal tells whether other is the same version; 1.2 equals 1.2.0.
func (v version) Equal(other ref.Val) ref.Val {
	o, ok := other.(version)
	return types.Bool(ok && v.compare(o) == 0)
}

// Type gives CEL's type of a version.
func (v version) Type() ref.Type { return versionType }

// Value gives the text of the version.
func (v version) Value() any { return v.text }

// ConvertToNative gives the text.
func (v version) ConvertToNative(t reflect.Type) (any, error) {
	if t.Kind() == reflect.String {
		return v.text, nil
	}
	return nil, fmt.Errorf("convert a version to %v: only text is known", t)
}

// ConvertToType gives the type, or the text.
func (v version) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.TypeType:
		return versionType
	case types.StringType:
		return types.String(v.text)
	}
	return types.NewErr("type conversion error from 'version' to '%s'", t)
}
