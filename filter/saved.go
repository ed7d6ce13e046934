package filter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fettle-dev/fettle"
)

// Saved gives the text of the filter that is kept under a name: fettle.ErrNotFound where there is none.
type Saved func(ctx context.Context, name string) (fettle.Filter, error)

// Bounds of saved filters.
const (
	MaxName  = 64 // bytes of a name
	maxSaved = 10 // how deep saved filters name one another
)

// Expand puts the text of saved filters in the place of @name, in parentheses, wherever that stands in no string and no comment. A name that does
// not exist, or filters that name one another in a circle, are an *Error.
func Expand(ctx context.Context, text fettle.Filter, saved Saved) (fettle.Filter, error) {
	if !strings.Contains(string(text), "@") {
		return text, nil
	}
	x := expansion{saved: saved}
	if err := x.put(ctx, string(text)); err != nil {
		return "", err
	}
	return fettle.Filter(x.out.String()), nil
}

// Open gives text with true in the place of saved filters: what can be compiled before their texts are known.
func Open(text fettle.Filter) fettle.Filter {
	var b strings.Builder
	pieces(string(text), func(p piece) bool {
		if p.name {
			p.text = "true"
		}
		b.WriteString(p.text)
		return true
	})
	return fettle.Filter(b.String())
}

// SavedNames gives the names of the saved filters that text stands on, each once, as they come.
func SavedNames(text fettle.Filter) (names []string) {
	pieces(string(text), func(p piece) bool {
		if p.name && !slices.Contains(names, p.text[1:]) {
			names = append(names, p.text[1:])
		}
		return true
	})
	return names
}

// CheckName tells whether a filter may be kept under name: ErrInvalid if not.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the name of a saved filter is missing: %w", fettle.ErrInvalid)
	case len(name) > MaxName:
		return fmt.Errorf("the name of a saved filter has at most %d bytes: %w", MaxName, fettle.ErrInvalid)
	case nameLength(name) != len(name):
		return fmt.Errorf("%q cannot be the name of a saved filter: letters, digits, and '_', '-' and '.' within: %w", name, fettle.ErrInvalid)
	}
	return nil
}

// faultText gives what err says, without its kind.
func faultText(err error) string {
	return strings.TrimSuffix(err.Error(), ": "+fettle.ErrInvalid.Error())
}

// expansion is a text that grows.
type expansion struct {
	saved Saved
	out   strings.Builder
	stack []string // the names that led here
}

func (x *expansion) put(ctx context.Context, s string) error {
	var fault error
	pieces(s, func(p piece) bool {
		if !p.name {
			x.out.WriteString(p.text)
		} else {
			fault = x.enter(ctx, s, p)
		}
		if fault == nil && x.out.Len() > MaxText {
			fault = &Error{Message: fmt.Sprintf("the filter has more than %d bytes when saved filters are put in", MaxText)}
		}
		return fault == nil
	})
	return fault
}

// enter puts in the text of one saved filter.
func (x *expansion) enter(ctx context.Context, s string, p piece) error {
	name := p.text[1:]
	if err := CheckName(name); err != nil {
		return errorAt(s, p.at, "%s", faultText(err))
	}
	if slices.Contains(x.stack, name) {
		return errorAt(s, p.at, "saved filters name one another in a circle: @%s", strings.Join(append(x.stack, name), " → @"))
	}
	if len(x.stack) >= maxSaved {
		return errorAt(s, p.at, "saved filters name one another more than %d deep", maxSaved)
	}
	text, err := x.saved(ctx, name)
	if errors.Is(err, fettle.ErrNotFound) {
		e := errorAt(s, p.at, "there is no saved filter @%s", name)
		e.Word = p.text
		return e
	}
	if err != nil {
		return fmt.Errorf("saved filter @%s: %w", name, err)
	}
	x.stack = append(x.stack, name)
	x.out.WriteByte('(')
	if err := x.put(ctx, string(text)); err != nil {
		return err
	}
	x.out.WriteString(ending(string(text)))
	x.stack = x.stack[:len(x.stack)-1]
	return nil
}

// enclosed puts s in parentheses.
func enclosed(s string) string { return "(" + s + ending(s) }

// ending closes a parenthesis behind s: on a new line where s ends in a comment.
func ending(s string) string {
	comment := false
	pieces(s, func(p piece) bool {
		comment = strings.HasPrefix(p.text, "//")
		return true
	})
	if comment {
		return "\n)"
	}
	return ")"
}

// piece is a part of a filter's text: a name with its @, a string, a comment, or what stands between them.
type piece struct {
	text string
	at   int // bytes in front of it
	name bool
}

// pieces cuts s up, until use says no.
func pieces(s string, use func(piece) bool) {
	from := 0
	for i := 0; i < len(s); {
		n := 0
		switch {
		case s[i] == '@':
			n = 1 + nameLength(s[i+1:])
		case s[i] == '"' || s[i] == '\'':
			n = stringLength(s, i)
		case strings.HasPrefix(s[i:], "//"):
			if n = strings.IndexByte(s[i:], '\n'); n < 0 {
				n = len(s) - i
			}
		default:
			i++
			continue
		}
		if from < i && !use(piece{text: s[from:i], at: from}) || !use(piece{text: s[i : i+n], at: i, name: s[i] == '@'}) {
			return
		}
		i += n
		from = i
	}
	if from < len(s) {
		use(piece{text: s[from:], at: from})
	}
}

// nameLength gives the length of the name at the beginning of s: letters, digits, '_', and '-' and '.' within.
func nameLength(s string) int {
	n := 0
	for n < len(s) && s[n] < 0x80 && (isWord(rune(s[n])) || n > 0 && (s[n] == '-' || s[n] == '.')) {
		n++
	}
	return len(strings.TrimRight(s[:n], ".-"))
}

// stringLength gives the length of the string of CEL that begins at i, to the end of s if it does not end.
func stringLength(s string, i int) int {
	quote := s[i : i+1]
	if strings.HasPrefix(s[i:], strings.Repeat(quote, 3)) {
		quote = s[i : i+3]
	}
	raw := isRaw(s[:i])
	for j := i + len(quote); j < len(s); j++ {
		switch {
		case s[j] == '\\' && !raw:
			j++
		case strings.HasPrefix(s[j:], quote):
			return j + len(quote) - i
		}
	}
	return len(s) - i
}

// isRaw tells whether what stands in front of a quote makes a raw string of it: r, br, rb.
func isRaw(before string) bool {
	n := len(before)
	for n > 0 && isWord(rune(before[n-1])) {
		n--
	}
	prefix := strings.ToLower(before[n:])
	return prefix == "r" || prefix == "br" || prefix == "rb"
}
