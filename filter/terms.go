package filter

import (
	"context"
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
	// Saved gives the filters that @name stands for; nil: a name stays in place, for whoever is asked to put the text in.
	Saved Saved
}

// Empty tells whether nothing was given.
func (t Terms) Empty() bool {
	return len(t.Bare)+len(t.CEL)+len(t.Short)+len(t.Facts)+len(t.Classes)+len(t.Identities) == 0
}

// Filter gives what the terms mean together, in CEL that compiles for a node, names of saved filters apart. Nothing given is an *Error: every
// node is --all.
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
	return t.conjunction(ctx, parts)
}

// conjunction joins the parts by &&, each in parentheses where there are several.
func (t Terms) conjunction(ctx context.Context, parts []string) (fettle.Filter, error) {
	if len(parts) == 0 {
		return "", checkText("")
	}
	whole := parts[0]
	if len(parts) > 1 {
		for i, part := range parts {
			parts[i] = enclosed(part)
		}
		whole = strings.Join(parts, " && ")
	}
	if t.Saved == nil {
		return fettle.Filter(whole), nil
	}
	return Expand(ctx, fettle.Filter(whole), t.Saved)
}

// checked compiles s; with compound, what is no CEL may be MCollective's compound form.
func (t Terms) checked(ctx context.Context, s string, compound bool) (fettle.Filter, error) {
	text := Open(fettle.Filter(s))
	if t.Saved != nil {
		var err error
		if text, err = Expand(ctx, fettle.Filter(s), t.Saved); err != nil {
			return "", err
		}
	}
	_, err := Compile(Node, text)
	if err == nil {
		return fettle.Filter(s), nil
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
