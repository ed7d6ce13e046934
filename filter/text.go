package filter

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/fettle-dev/fettle"
)

// maxBlanks bounds the expressions in one Text.
const maxBlanks = 32

// Text is text with expressions in it, in double braces: "{{data.used}} % of {{facts.memory.total}}". An expression ends at the first }}. It does
// not change, and is safe for concurrent use.
type Text struct {
	words  []string   // one more than there are blanks
	blanks []*Program // between them
}

// CompileText reads text with expressions in it. A fault is an *Error.
func CompileText(env Environment, text string) (*Text, error) {
	t := &Text{}
	for rest := text; ; {
		word, after, found := strings.Cut(rest, "{{")
		t.words = append(t.words, word)
		if !found {
			return t, nil
		}
		expression, next, closed := strings.Cut(after, "}}")
		if !closed {
			return nil, errorAt(text, len(text)-len(after)-2, "this {{ has no }}")
		}
		if len(t.blanks) == maxBlanks {
			return nil, fmt.Errorf("the text has more than %d expressions: %w", maxBlanks, fettle.ErrInvalid)
		}
		p, err := CompileColumn(env, fettle.Filter(strings.TrimSpace(expression)))
		if err != nil {
			return nil, err
		}
		t.blanks = append(t.blanks, p)
		rest = next
	}
}

// Plain tells whether there are no expressions in t.
func (t *Text) Plain() bool { return len(t.blanks) == 0 }

// Fill gives the text with each expression's value in its place. The error, which is ErrInvalid, says which one is undefined, and why.
func (t *Text) Fill(ctx context.Context, node Names) (string, error) {
	var b strings.Builder
	for i, p := range t.blanks {
		b.WriteString(t.words[i])
		v, missing, ok := p.Value(ctx, node)
		if !ok {
			return "", fmt.Errorf("{{%s}} is undefined%s: %w", p.Text(), because(missing), fettle.ErrInvalid)
		}
		b.WriteString(TextOf(v))
	}
	b.WriteString(t.words[len(t.words)-1])
	return b.String(), nil
}

func because(missing []Missing) string {
	if len(missing) == 0 {
		return ""
	}
	return ": " + missing[0].String()
}

// TextOf writes a value as a person reads it: text without quotes, numbers with at most three places, all else in JSON.
func TextOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		text := strconv.FormatFloat(v, 'f', 3, 64)
		return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return string(AppendJSON(nil, v))
}
