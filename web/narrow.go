package web

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// quoteCEL writes s as a string of CEL, which has Go's escapes.
func quoteCEL(s string) string { return strconv.Quote(strings.ToValidUTF8(s, "\uFFFD")) }

// literal writes a value of a fact in CEL. Objects have no literal that a person would want to read: false.
func literal(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "null", true
	case bool:
		return strconv.FormatBool(v), true
	case string:
		return quoteCEL(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case int:
		return strconv.Itoa(v), true
	case float64:
		return floatLiteral(v)
	case json.Number:
		return numberLiteral(v)
	case []any:
		parts := make([]string, len(v))
		for i, kid := range v {
			part, ok := literal(kid)
			if !ok {
				return "", false
			}
			parts[i] = part
		}
		return "[" + strings.Join(parts, ", ") + "]", true
	}
	return "", false
}

func floatLiteral(f float64) (string, bool) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return "", false
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text, true
}

// numberLiteral writes a number of a document: an integer where it is one that CEL can hold, as the inventory has it.
func numberLiteral(n json.Number) (string, bool) {
	if i, err := n.Int64(); err == nil {
		return strconv.FormatInt(i, 10), true
	}
	f, err := n.Float64()
	if err != nil {
		return "", false
	}
	return floatLiteral(f)
}

// clause is one condition that a link adds to a filter, or takes out of it.
type clause struct {
	Text  string
	Short bool // in the short form; else in CEL
}

// clauseFor writes that a fact has a value: in the short form where the filter is that and the words are plain, else in CEL. False: it cannot
// be written.
func clauseFor(path fettle.Path, value any, short bool) (clause, bool) {
	if short {
		if text, ok := plainWord(value); ok && shortPath.MatchString(path.String()) {
			return clause{Text: path.String() + "=" + text, Short: true}, true
		}
	}
	text, ok := literal(value)
	return clause{Text: server.FactCEL(path) + " == " + text}, ok
}

// shortPath and shortWord are paths and values that need no quotes in the short form.
var (
	shortPath = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
	shortWord = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.:+-]*$`)
)

// plainWord gives a value as it can stand in the short form without quotes.
func plainWord(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, shortWord.MatchString(v)
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), v >= 0
	}
	return "", false
}

// clauseWithout writes that a node lacks a fact: asked so that a missing parent is no fault.
func clauseWithout(path fettle.Path) clause {
	var b strings.Builder
	b.WriteString("!facts")
	for _, key := range path {
		b.WriteString("[?" + quoteCEL(key) + "]")
	}
	b.WriteString(".hasValue()")
	return clause{Text: b.String()}
}

// narrowed adds a clause to the filter that r read. A short clause goes to a short filter; any other filter is CEL by then.
func narrowed(r reading, c clause) string {
	switch {
	case r.Text == "":
		return c.Text
	case r.Short && c.Short:
		return r.Text + " " + c.Text
	case r.Short:
		return bracketed(string(r.CEL)) + " && " + c.Text
	}
	return bracketed(r.Text) + " && " + c.Text
}

// bracketed puts CEL in parentheses where an && behind it would change its meaning.
func bracketed(cel string) string {
	switch {
	case strings.Contains(cel, "//"): // perhaps a comment, which ends with its line
		return "(" + cel + "\n)"
	case strings.Contains(cel, "||") || strings.Contains(cel, "?"):
		return "(" + cel + ")"
	}
	return cel
}

// widened takes a clause out of a filter again, where it stands in it as narrowed puts it; false: it does not.
func widened(r reading, c clause) (string, bool) {
	glue := " && "
	if r.Short {
		glue = " "
	}
	if r.Text == c.Text {
		return "", true
	}
	if rest, ok := strings.CutSuffix(r.Text, glue+c.Text); ok {
		return unbracketed(rest), true
	}
	if rest, ok := strings.CutPrefix(r.Text, c.Text+glue); ok {
		return rest, true
	}
	if before, after, ok := strings.Cut(r.Text, glue+c.Text+glue); ok {
		return before + glue + after, true
	}
	return "", false
}

// unbracketed takes away parentheses that hold the whole of cel together.
func unbracketed(cel string) string {
	inner, ok := strings.CutPrefix(cel, "(")
	if !ok || !strings.HasSuffix(inner, ")") || strings.ContainsAny(inner[:len(inner)-1], `()"'`) {
		return cel
	}
	return strings.TrimRight(inner[:len(inner)-1], "\n")
}

// shown gives a value of a fact as text for a person, and whether it is a number.
func shown(v any) (text string, number bool) {
	switch v := v.(type) {
	case string:
		return v, false
	case int64, int, float64, json.Number:
		text, _ := literal(v)
		return strings.TrimSuffix(text, ".0"), true
	case []any:
		parts := make([]string, len(v))
		for i, kid := range v {
			parts[i], _ = shown(kid)
		}
		return strings.Join(parts, ", "), false
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return "?", false
	}
	return string(raw), false
}
