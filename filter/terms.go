package filter

import (
	"context"
	"fmt"
	"strings"

	"github.com/fettle-dev/fettle"
)

// Terms are the parts of a filter as a command line gives them. A node has to satisfy every part; of several identities, one.
type Terms struct {
	Bare       []string // CEL, as a positional
	CEL        []string // -S: CEL, or MCollective's compound form when it is not CEL
	Short      []string // -W: the short form
	Facts      []string // -F: fact=value, one term of the short form
	Classes    []string // -C: a class or /regex/
	Identities []string // -I: an identity, a glob, or /regex/
	// Saved gives the text of the filter that is kept under a name, for @name in Bare and CEL; nil: there are none. It returns
	// fettle.ErrNotFound for an unknown name.
	Saved func(ctx context.Context, name string) (fettle.Filter, error)
}

// Empty tells whether nothing was given.
func (t Terms) Empty() bool {
	return len(t.Bare)+len(t.CEL)+len(t.Short)+len(t.Facts)+len(t.Classes)+len(t.Identities) == 0
}

// Filter gives what the terms mean together, in CEL that compiles for a node. Nothing given is an *Error: every node is --all.
func (t Terms) Filter(ctx context.Context) (fettle.Filter, error) {
	var parts []string
	add := func(f fettle.Filter, err error) error {
		parts = append(parts, string(f))
		return err
	}
	for _, s := range t.Bare {
		if err := add(t.checked(ctx, s, false)); err != nil {
			return "", err
		}
	}
	for _, s := range t.CEL {
		if err := add(t.checked(ctx, s, true)); err != nil {
			return "", err
		}
	}
	for _, s := range t.Short {
		if err := add(Parse(fettle.Filter(s))); err != nil {
			return "", err
		}
	}
	for _, s := range t.Facts {
		if err := add(factTerm(s)); err != nil {
			return "", err
		}
	}
	for _, s := range t.Classes {
		if err := add(one(s, classTerm)); err != nil {
			return "", err
		}
	}
	if len(t.Identities) > 0 {
		if err := add(identities(t.Identities)); err != nil {
			return "", err
		}
	}
	return conjunction(parts)
}

// conjunction joins the parts by &&, each in parentheses where there are several.
func conjunction(parts []string) (fettle.Filter, error) {
	switch len(parts) {
	case 0:
		return "", checkText("")
	case 1:
		return fettle.Filter(parts[0]), nil
	}
	return fettle.Filter("(" + strings.Join(parts, ") && (") + ")"), nil
}

// checked expands and compiles s; with compound, what is no CEL may be MCollective's compound form.
func (t Terms) checked(ctx context.Context, s string, compound bool) (fettle.Filter, error) {
	text, err := t.expand(ctx, s, 0)
	if err != nil {
		return "", err
	}
	_, err = Compile(Node, fettle.Filter(text))
	if err == nil {
		return fettle.Filter(text), nil
	}
	if compound && strings.TrimSpace(s) != "" {
		if f, bad := ParseCompound(fettle.Filter(s)); bad == nil {
			return f, nil
		}
	}
	return "", err
}

// factTerm translates fact=value, where the value may hold blanks.
func factTerm(s string) (fettle.Filter, error) {
	key, op, value, ok := cutOperator(s)
	if !ok || key == "" {
		return "", errorAt(s, 0, "a fact is given as name=value")
	}
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	cel, err := term(key+op+value, word{text: key + op + value})
	return fettle.Filter(cel), err
}

// one translates a single word as it is, blanks included.
func one(s string, translate func(string, word) (string, error)) (fettle.Filter, error) {
	if strings.TrimSpace(s) == "" {
		return "", checkText("")
	}
	cel, err := translate(s, word{text: s})
	return fettle.Filter(cel), err
}

// identities translates identities, of which a node has one.
func identities(list []string) (fettle.Filter, error) {
	var parts, plain []string
	for _, s := range list {
		switch {
		case isRegex(s):
			re, err := regexText(s, 0, s)
			if err != nil {
				return "", err
			}
			parts = append(parts, "identity.matches("+quote(re)+")")
		case strings.ContainsAny(s, "*?["):
			if _, err := globMatch(s, ""); err != nil {
				return "", errorAt(s, 0, "%v", err)
			}
			parts = append(parts, "identity.glob("+quote(strings.ToLower(s))+")")
		default:
			id, err := fettle.ParseNodeID(s)
			if err != nil {
				return "", errorAt(s, 0, "%v", strings.TrimSuffix(err.Error(), ": "+fettle.ErrInvalid.Error()))
			}
			plain = append(plain, quote(string(id)))
		}
	}
	switch {
	case len(plain) == 1:
		parts = append(parts, "identity == "+plain[0])
	case len(plain) > 1:
		parts = append(parts, "identity in ["+strings.Join(plain, ", ")+"]")
	}
	return fettle.Filter(strings.Join(parts, " || ")), nil
}

// maxSaved bounds how deep saved filters name one another; a circle ends here.
const maxSaved = 10

// expand puts the text of saved filters in the place of @name, in parentheses, wherever that stands in no string.
func (t Terms) expand(ctx context.Context, s string, depth int) (string, error) {
	if depth > maxSaved {
		return "", &Error{Message: fmt.Sprintf("saved filters name one another more than %d deep", maxSaved)}
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"' || s[i] == '\'':
			end := closing(s, i)
			if end < 0 {
				end = len(s) - 1
			}
			b.WriteString(s[i : end+1])
			i = end
		case s[i] != '@':
			b.WriteByte(s[i])
		default:
			n := savedName(s[i+1:])
			text, err := t.saved(ctx, s, i, s[i+1:i+1+n])
			if err != nil {
				return "", err
			}
			if text, err = t.expand(ctx, text, depth+1); err != nil {
				return "", err
			}
			b.WriteString("(" + text + ")")
			i += n
		}
		if b.Len() > MaxText {
			return "", &Error{Message: fmt.Sprintf("the filter has more than %d bytes when saved filters are put in", MaxText)}
		}
	}
	return b.String(), nil
}

// savedName gives the length of the name at the beginning of s: letters, digits, '_', '-' and '.' within.
func savedName(s string) int {
	n := 0
	for n < len(s) && (isWord(rune(s[n])) || s[n] == '-' || s[n] == '.') {
		n++
	}
	return len(strings.TrimRight(s[:n], ".-"))
}

func (t Terms) saved(ctx context.Context, s string, at int, name string) (string, error) {
	if name == "" {
		return "", errorAt(s, at, "the name of a saved filter is missing behind @")
	}
	if t.Saved == nil {
		return "", errorAt(s, at, "there is no saved filter @%s", name)
	}
	f, err := t.Saved(ctx, name)
	if err != nil {
		return "", fmt.Errorf("saved filter @%s: %w", name, err)
	}
	return string(f), nil
}
