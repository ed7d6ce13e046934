package filter

import (
	"strings"

	"github.com/fettle-dev/fettle"
)

// ParseCompound translates MCollective's compound form into CEL: terms of the short form with and, or, not and parentheses, such as
//
//	environment=production and (/mysql/ or not country=us)
//
// `!`, `&&` and `||` are taken for the words. A fault is an *Error.
func ParseCompound(text fettle.Filter) (fettle.Filter, error) {
	if err := checkText(string(text)); err != nil {
		return "", err
	}
	tokens, err := compoundTokens(string(text))
	if err != nil {
		return "", err
	}
	p := compound{whole: string(text), tokens: tokens}
	cel, err := p.or()
	if err != nil {
		return "", err
	}
	if p.at < len(p.tokens) {
		return "", p.fault("cannot stand here")
	}
	return fettle.Filter(cel), nil
}

// compoundTokens cuts the text at blanks and around parentheses, `!` in front of a term, && and ||.
func compoundTokens(s string) ([]word, error) {
	var out []word
	for i := 0; i < len(s); {
		switch {
		case isBlank(s[i]):
			i++
			continue
		case s[i] == '(' || s[i] == ')' || s[i] == '!':
			out = append(out, word{s[i : i+1], i})
			i++
			continue
		case strings.HasPrefix(s[i:], "&&") || strings.HasPrefix(s[i:], "||"):
			out = append(out, word{s[i : i+2], i})
			i += 2
			continue
		}
		n, err := wordLength(s, i)
		if err != nil {
			return nil, err
		}
		n = cutAtBrace(s[i : i+n])
		out = append(out, word{s[i : i+n], i})
		i += n
	}
	return out, nil
}

// cutAtBrace gives the length of w up to a parenthesis outside of quotes and of /…/.
func cutAtBrace(w string) int {
	for i := 0; i < len(w); i++ {
		switch c := w[i]; {
		case c == '"' || c == '\'' || c == '/' && (i == 0 || w[i-1] == '=' || w[i-1] == '~'):
			if end := closing(w, i); end > 0 {
				i = end
			}
		case c == '(' || c == ')':
			return i
		}
	}
	return len(w)
}

// maxCompound bounds the nesting of a compound filter.
const maxCompound = 50

type compound struct {
	whole  string
	tokens []word
	at     int
	depth  int
}

func (p *compound) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at].text
	}
	return ""
}

func (p *compound) fault(what string) error {
	if p.at >= len(p.tokens) {
		return errorAt(p.whole, len(p.whole), "the filter ends too early")
	}
	return errorAt(p.whole, p.tokens[p.at].at, "%q %s", p.peek(), what)
}

func (p *compound) or() (string, error)  { return p.list("or", "||", p.and) }
func (p *compound) and() (string, error) { return p.list("and", "&&", p.not) }

func (p *compound) list(name, sign string, next func() (string, error)) (string, error) {
	out, err := next()
	for err == nil && (strings.EqualFold(p.peek(), name) || p.peek() == sign) {
		p.at++
		var right string
		if right, err = next(); err == nil {
			out += " " + sign + " " + right
		}
	}
	return out, err
}

func (p *compound) not() (string, error) {
	if p.depth++; p.depth > maxCompound {
		return "", p.fault("is nested too deeply")
	}
	defer func() { p.depth-- }()
	switch t := p.peek(); {
	case strings.EqualFold(t, "not") || t == "!":
		p.at++
		inner, err := p.not()
		return "!(" + inner + ")", err
	case t == "(":
		p.at++
		inner, err := p.or()
		if err != nil {
			return "", err
		}
		if p.peek() != ")" {
			return "", p.fault("stands where a closing parenthesis is missing")
		}
		p.at++
		return "(" + inner + ")", nil
	case t == "" || t == ")" || t == "&&" || t == "||" || strings.EqualFold(t, "and") || strings.EqualFold(t, "or"):
		return "", p.fault("stands where a class or fact=value is missing")
	}
	w := p.tokens[p.at]
	p.at++
	return term(p.whole, w)
}
