package filter

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/fettle-dev/fettle"
)

// Parse translates the short form, which people who know MCollective's -W type, into CEL:
//
//	environment=development customer=acme mysql::master /^db/ cores>=8
//
// Terms stand between blanks and must all be true. A bare word is a class, /…/ matches a class. A term with an operator is about a fact, or about
// `identity` or `class`: = and != take the literal as string, number or bool; < <= > >= take a fact that is a number or a string that is one,
// a literal with two dots as a version, and any other literal as text; ~ (also =~ and =/…/) and !~ match a regular expression. Quotes, single or
// double, hold blanks together. @name is a saved filter: it stays in what is returned, for Expand. A fault is an *Error.
func Parse(text fettle.Filter) (fettle.Filter, error) {
	if err := checkText(string(text)); err != nil {
		return "", err
	}
	words, err := splitWords(string(text))
	if err != nil {
		return "", err
	}
	var out []string
	for _, w := range words {
		cel, err := term(string(text), w)
		if err != nil {
			return "", err
		}
		out = append(out, cel)
	}
	return fettle.Filter(strings.Join(out, " && ")), nil
}

// word is a piece of the short form and the byte at which it stands.
type word struct {
	text string
	at   int
}

// splitWords cuts s at blanks that stand in no quotes; a blank in /…/ is written \s.
func splitWords(s string) ([]word, error) {
	var out []word
	for i := 0; i < len(s); {
		if isBlank(s[i]) {
			i++
			continue
		}
		n, err := wordLength(s, i)
		if err != nil {
			return nil, err
		}
		out = append(out, word{text: s[i : i+n], at: i})
		i += n
	}
	return out, nil
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func wordLength(s string, from int) (int, error) {
	i := from
	for i < len(s) && !isBlank(s[i]) {
		if c := s[i]; c == '"' || c == '\'' {
			end := closing(s, i)
			if end < 0 {
				return 0, errorAt(s, i, "the quote %c does not end", c)
			}
			i = end
		}
		i++
	}
	return i - from, nil
}

// closing gives the place of the character that closes what begins at i; a backslash takes away its meaning.
func closing(s string, i int) int {
	for j := i + 1; j < len(s); j++ {
		switch s[j] {
		case '\\':
			j++
		case s[i]:
			return j
		}
	}
	return -1
}

// operators of the short form, longest first.
var shortOperators = []string{"!=~", "==", "!=", ">=", "<=", "=~", "!~", "=", ">", "<", "~"}

// term translates one word. whole is the text that it stands in, for errors.
func term(whole string, w word) (string, error) {
	key, op, value, ok := cutOperator(w.text)
	if !ok {
		return wordTerm(whole, w)
	}
	at := w.at + len(key) + len(op)
	if key == "" {
		return "", errorAt(whole, w.at, "a fact's name is missing in front of %s", op)
	}
	if value == "" {
		return "", errorAt(whole, at, "a value is missing behind %s%s", key, op)
	}
	subject, err := subjectOf(whole, w.at, key)
	if err != nil {
		return "", err
	}
	if op == "==" {
		op = "="
	}
	if isRegex(value) && (op == "=" || op == "!=") {
		op = map[string]string{"=": "~", "!=": "!~"}[op]
	}
	switch op {
	case "~", "=~", "!~", "!=~":
		re, err := regexText(whole, at, value)
		if err != nil {
			return "", err
		}
		return negate(strings.HasPrefix(op, "!"), subject.matches(re)), nil
	case "=", "!=":
		return subject.equals(op, unquote(value)), nil
	}
	return subject.ordered(op, unquote(value)), nil
}

// wordTerm translates a word without an operator: a class, or a saved filter, whose name stays in place.
func wordTerm(whole string, w word) (string, error) {
	name, saved := strings.CutPrefix(w.text, "@")
	if !saved {
		return classTerm(whole, w)
	}
	if err := CheckName(name); err != nil {
		return "", errorAt(whole, w.at, "%s", faultText(err))
	}
	return w.text, nil
}

// cutOperator cuts w at its first operator that stands outside of quotes.
func cutOperator(w string) (key, op, value string, ok bool) {
	if isRegex(w) {
		return "", "", "", false
	}
	for i := 0; i < len(w); i++ {
		if w[i] == '"' || w[i] == '\'' {
			if end := closing(w, i); end > 0 {
				i = end
			}
			continue
		}
		for _, op := range shortOperators {
			if strings.HasPrefix(w[i:], op) {
				return w[:i], op, w[i+len(op):], true
			}
		}
	}
	return "", "", "", false
}

// isRegex tells whether s as a whole is /…/ or /…/i; /usr/bin is a path.
func isRegex(s string) bool {
	if s == "" || s[0] != '/' {
		return false
	}
	end := closing(s, 0)
	return end > 0 && (s[end+1:] == "" || s[end+1:] == "i")
}

// classTerm translates a word without an operator: a class, or /…/ over classes.
func classTerm(whole string, w word) (string, error) {
	if isRegex(w.text) {
		re, err := regexText(whole, w.at, w.text)
		if err != nil {
			return "", err
		}
		return "classes.exists(c, c.matches(" + quote(re) + "))", nil
	}
	name := unquote(w.text)
	if strings.HasPrefix(name, "/") {
		return "", errorAt(whole, w.at, "a regular expression is written /…/ or /…/i, and a blank in it \\s")
	}
	if strings.ContainsAny(name, "()&|!\"'`@") {
		return "", errorAt(whole, w.at, "%q is neither a class nor fact=value", name)
	}
	return quote(name) + " in classes", nil
}

// subject is what a term is about: an expression of CEL, and whether it is classes.
type subject struct {
	cel     string
	classes bool
	typed   bool // it is always a string
}

func subjectOf(whole string, at int, key string) (subject, error) {
	switch key {
	case "identity":
		return subject{cel: "identity", typed: true}, nil
	case "class", "classes":
		return subject{classes: true}, nil
	case "liveness":
		return subject{cel: "liveness", typed: true}, nil
	}
	p, err := fettle.ParsePath(key)
	if err != nil {
		return subject{}, errorAt(whole, at, "%v", strings.TrimSuffix(err.Error(), ": "+fettle.ErrInvalid.Error()))
	}
	if p[0] == "facts" && len(p) > 1 {
		p = p[1:]
	}
	return subject{cel: FactCEL(p)}, nil
}

// FactCEL writes the expression of CEL that reads a fact: facts.mountpoints["/boot"].size.
func FactCEL(p fettle.Path) string {
	var b strings.Builder
	b.WriteString("facts")
	for _, k := range p {
		if celKey.MatchString(k) && !reserved[k] {
			b.WriteString("." + k)
		} else {
			b.WriteString("[" + quote(k) + "]")
		}
	}
	return b.String()
}

var celKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// reserved are the words that CEL does not take behind a dot.
var reserved = map[string]bool{"in": true, "true": true, "false": true, "null": true}

func negate(not bool, cel string) string {
	if not {
		return "!" + cel
	}
	return cel
}

func (s subject) matches(re string) string {
	switch {
	case s.classes:
		return "classes.exists(c, c.matches(" + quote(re) + "))"
	case s.typed:
		return s.cel + ".matches(" + quote(re) + ")"
	}
	return "string(" + s.cel + ").matches(" + quote(re) + ")"
}

// equals compares with the literal as string and, where it reads as one, as number or bool.
func (s subject) equals(op, value string) string {
	not := op == "!="
	text := quote(value)
	switch {
	case s.classes && not:
		return "!(" + text + " in classes)"
	case s.classes:
		return text + " in classes"
	case s.typed || !jsonScalar.MatchString(value):
		return s.cel + map[bool]string{false: " == ", true: " != "}[not] + text
	}
	either := s.cel + " in [" + text + ", " + celNumber(value) + "]"
	if not {
		return "!(" + either + ")"
	}
	return either
}

var (
	jsonScalar  = regexp.MustCompile(`^(true|false|-?(0|[1-9][0-9]*)(\.[0-9]+)?)$`)
	jsonNumber  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)
	versionLike = regexp.MustCompile(`^[0-9]+(\.[0-9]+){2,}([-+~.][0-9A-Za-z.+~-]*)?$`)
)

// celNumber writes a literal that CEL reads: an integer that does not fit 64 bits becomes a double.
func celNumber(value string) string {
	if value == "true" || value == "false" || strings.Contains(value, ".") {
		return value
	}
	if _, err := strconv.ParseInt(value, 10, 64); err != nil {
		return value + ".0"
	}
	return value
}

func (s subject) ordered(op, value string) string {
	switch {
	case s.classes:
		return "classes.exists(c, c " + op + " " + quote(value) + ")"
	case s.typed:
		return s.cel + " " + op + " " + quote(value)
	case jsonNumber.MatchString(value):
		return "number(" + s.cel + ") " + op + " " + celNumber(value)
	case versionLike.MatchString(value):
		return "version(" + s.cel + ") " + op + " version(" + quote(value) + ")"
	}
	return "string(" + s.cel + ") " + op + " " + quote(value)
}

// regexText takes the slashes from /…/ and makes of an i behind them a flag; a value without slashes is the expression itself.
func regexText(whole string, at int, s string) (string, error) {
	re := unquote(s)
	if isRegex(s) {
		end := closing(s, 0)
		re = strings.ReplaceAll(s[1:end], `\/`, "/")
		if s[end+1:] == "i" {
			re = "(?i)" + re
		}
	}
	if _, err := regexp.Compile(re); err != nil {
		return "", errorAt(whole, at, "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return re, nil
}

// unquote takes the quotes from a value that stands in them as a whole, and the backslashes from before quotes and backslashes within.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' && s[0] != '\'' || closing(s, 0) != len(s)-1 {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i+1 < len(s)-1 && (s[i+1] == '\\' || s[i+1] == s[0]) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// quote writes s as a string of CEL.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x20 || r == 0x7f:
			b.WriteString(`\x` + strconv.FormatInt(int64(r)+0x100, 16)[1:])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
