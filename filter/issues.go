package filter

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/google/cel-go/cel"
)

// explainIssues makes one error of what cel-go found: the first of it, in words that help.
func explainIssues(env Environment, text string, iss *cel.Issues) error {
	all := iss.Errors()
	if len(all) == 0 {
		return &Error{Message: iss.Err().Error()}
	}
	first := all[0]
	e := &Error{Line: max(1, first.Location.Line()), Column: first.Location.Column() + 1, Message: first.Message}
	if lines := strings.Split(text, "\n"); e.Line <= len(lines) {
		e.Text = lines[e.Line-1]
	}
	e.reword(env, first.Message)
	return e
}

var (
	undeclared = regexp.MustCompile(`^undeclared reference to '(.*)' \(in container`)
	noOverload = regexp.MustCompile(`^found no matching overload for '(.*)' applied to '(.*)'$`)
	mismatched = regexp.MustCompile(`^Syntax error: (?:mismatched|extraneous) input '(.*)' expecting`)
	unknownTok = regexp.MustCompile(`^Syntax error: token recognition error at: '(.*)'$`)
	noViable   = regexp.MustCompile(`^Syntax error: no viable alternative at input '(.*)'$`)
)

// reword turns cel-go's message into one that says what to do.
func (e *Error) reword(env Environment, msg string) {
	switch {
	case undeclared.MatchString(msg):
		e.undeclared(env, undeclared.FindStringSubmatch(msg)[1])
	case noOverload.MatchString(msg):
		m := noOverload.FindStringSubmatch(msg)
		e.noOverload(m[1], m[2])
	case mismatched.MatchString(msg):
		e.unexpected(mismatched.FindStringSubmatch(msg)[1])
	case unknownTok.MatchString(msg):
		e.unknownToken(unknownTok.FindStringSubmatch(msg)[1])
	case noViable.MatchString(msg):
		e.Message = fmt.Sprintf("%s cannot stand here", noViable.FindStringSubmatch(msg)[1])
		if strings.Contains(e.Message, `."`) {
			e.Suggestion = `a key that is no plain word stands in brackets: facts.mountpoints["/boot"].size`
		}
	default:
		e.Message = strings.TrimPrefix(msg, "Syntax error: ")
	}
}

// undeclared explains a name that the environment does not have.
func (e *Error) undeclared(env Environment, name string) {
	e.Word = name
	if serverOnly(name) && env == OnNode {
		e.Message = fmt.Sprintf("%q is known to the server only, and this filter is evaluated on the node", name)
		return
	}
	e.Message = fmt.Sprintf("undeclared name %q", name)
	e.Word = e.dotted()
	if hyphen := e.hyphenated(); hyphen != "" {
		e.Suggestion = fmt.Sprintf("a key with a hyphen stands in brackets: [%q]", hyphen)
	}
}

// dotted gives the name at the error's place with the path that follows it: os.family of os.family == "x".
func (e *Error) dotted() string {
	line := []rune(e.Text)
	from := e.Column - 1
	if from < 0 || from >= len(line) {
		return e.Word
	}
	to := from
	for to < len(line) && (line[to] == '.' || line[to] == '_' || isWord(line[to])) {
		to++
	}
	return strings.Trim(string(line[from:to]), ".")
}

// hyphenated gives the key with hyphens that the error's place is the tail of: my-key of facts.my-key.
func (e *Error) hyphenated() string {
	line := []rune(e.Text)
	from := e.Column - 1
	if from < 2 || from >= len(line) || line[from-1] != '-' {
		return ""
	}
	to := from
	for to < len(line) && (isWord(line[to]) || line[to] == '-') {
		to++
	}
	for from > 0 && (isWord(line[from-1]) || line[from-1] == '-') {
		from--
	}
	if from == 0 || line[from-1] != '.' {
		return ""
	}
	return string(line[from:to])
}

func isWord(r rune) bool {
	return r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r > 0x7f
}

func (e *Error) noOverload(function, operands string) {
	word := functionWord(function)
	operands = strings.NewReplacer("(", "", ")", "", ", ", " and ", "dyn", "any value").Replace(strings.ReplaceAll(operands, ".(", " and "))
	e.Message = fmt.Sprintf("no %s for %s", word, operands)
}

func (e *Error) unexpected(token string) {
	if token == "<EOF>" {
		e.Message = "the filter ends too early"
		return
	}
	e.Message = fmt.Sprintf("%q cannot stand here", strings.Trim(token, `"`))
	switch token {
	case "and":
		e.Suggestion = "did you mean &&?"
	case "or":
		e.Suggestion = "did you mean ||?"
	case "not":
		e.Suggestion = "did you mean !?"
	}
}

func (e *Error) unknownToken(token string) {
	switch {
	case strings.HasPrefix(token, "="):
		e.Message, e.Suggestion = `"=" does not compare`, "did you mean ==? the short form a=b is given by -W"
	case strings.HasPrefix(token, `"`) || strings.HasPrefix(token, "'"):
		e.Message = "a string does not end"
	case strings.HasPrefix(token, "~") || strings.HasPrefix(token, "=~"):
		e.Message, e.Suggestion = fmt.Sprintf("%q is no operator", token), `did you mean .matches("…")?`
	case token == "&" || token == "|":
		e.Message, e.Suggestion = fmt.Sprintf("%q is no operator", token), "did you mean "+token+token+"?"
	default:
		e.Message = fmt.Sprintf("%q cannot stand here", strings.TrimSpace(token))
	}
}
