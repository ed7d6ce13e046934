package filter

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/google/cel-go/cel"
)

// explainIssues makes one error of what cel-go found: the first of it, in words that help.
func explainIssues(env Environment, lang *language, text string, iss *cel.Issues) error {
	all := iss.Errors()
	if len(all) == 0 {
		return &Error{Message: iss.Err().Error()}
	}
	first := all[0]
	e := &Error{Line: max(1, first.Location.Line()), Column: first.Location.Column() + 1, Message: first.Message}
	if lines := strings.Split(text, "\n"); e.Line <= len(lines) {
		e.Text = lines[e.Line-1]
	}
	f := fault{Error: e, env: env, lang: lang, line: []rune(e.Text)}
	f.reword(first.Message)
	return e
}

// fault is an error while its words are chosen.
type fault struct {
	*Error
	env  Environment
	lang *language
	line []rune // Text
}

var (
	undeclared  = regexp.MustCompile(`^undeclared reference to '(.*)' \(in container`)
	noOverload  = regexp.MustCompile(`^found no matching overload for '(.*)' applied to '(.*)'$`)
	mismatched  = regexp.MustCompile(`^Syntax error: (?:mismatched|extraneous) input '(.*)' expecting (.*)`)
	unknownTok  = regexp.MustCompile(`^Syntax error: token recognition error at: '(.*)'$`)
	noViable    = regexp.MustCompile(`^Syntax error: no viable alternative at input '(.*)'$`)
	badArgument = regexp.MustCompile(`^invalid (\S+) argument(?:: (.*))?$`)
)

// reword turns cel-go's message into one that says what to do.
func (f *fault) reword(msg string) {
	if m := undeclared.FindStringSubmatch(msg); m != nil {
		f.undeclared(m[1])
	} else if m := noOverload.FindStringSubmatch(msg); m != nil {
		f.noOverload(m[1], m[2])
	} else if m := mismatched.FindStringSubmatch(msg); m != nil {
		f.unexpected(m[1], m[2])
	} else if m := unknownTok.FindStringSubmatch(msg); m != nil {
		f.unknownToken(m[1])
	} else if m := noViable.FindStringSubmatch(msg); m != nil {
		f.notViable(m[1])
	} else if m := badArgument.FindStringSubmatch(msg); m != nil {
		f.badArgument(m[1], m[2])
	} else {
		f.Message = strings.TrimPrefix(msg, "Syntax error: ")
		f.macro()
	}
}

// macro explains faults around has() and the loops.
func (f *fault) macro() {
	switch f.Message {
	case "invalid argument to has() macro":
		f.Message, f.Suggestion = "has() takes a path of at least two names", "as in has(facts.env)"
	case "comprehension exceeds nesting limit":
		f.Message = fmt.Sprintf("exists, all, map and filter are nested more than %d deep", maxLoops)
	case "argument must be a simple name":
		f.Suggestion = `as in classes.exists(c, c == "web")`
	}
}

// undeclared explains a name that the environment does not have.
func (f *fault) undeclared(name string) {
	f.Word = name
	if f.at(0) == '(' || f.at(len([]rune(name))) == '(' {
		f.unknownFunction(name)
		return
	}
	if serverOnly(name) && (f.env == OnNode || f.env == NodePolicy || f.env == Outcome) {
		f.Message, f.Word = fmt.Sprintf("%q is known to the server only, and this filter is evaluated on the node", name), ""
		return
	}
	f.Message = fmt.Sprintf("undeclared name %q", name)
	f.Word = f.dotted()
	if hyphen := f.hyphenated(); hyphen != "" {
		f.Suggestion = fmt.Sprintf("a key with a hyphen stands in brackets: [%q]", hyphen)
	} else if f.behindOperator() && nearName(f.Word) == "" && !strings.Contains(f.Word, ".") {
		f.Suggestion = fmt.Sprintf("text stands in quotes: %q", name)
	}
}

// at gives the character at i behind the error's place, and zero beyond the line.
func (f *fault) at(i int) rune {
	if i += f.Column - 1; i >= 0 && i < len(f.line) {
		return f.line[i]
	}
	return 0
}

// unknownFunction explains a call of what is no function, and suggests one that is.
func (f *fault) unknownFunction(name string) {
	if f.at(0) == '(' {
		f.Column -= len([]rune(name))
	}
	f.Message, f.Word = fmt.Sprintf("there is no function %q", name), ""
	for _, m := range f.lang.Macros() {
		if m.Function() == name {
			f.Message, f.Suggestion = name+"() is given the wrong arguments", `as in classes.exists(c, c == "web")`
			return
		}
	}
	best, least := "", 3
	for known := range f.lang.Functions() {
		if d := distance(strings.ToLower(name), strings.ToLower(known), 2); isWord([]rune(known)[0]) && (d < least || d == least && known < best) {
			best, least = known, d
		}
	}
	if best != "" {
		f.Suggestion = "did you mean " + best + "?"
	}
}

// dotted gives the name at the error's place with the path that follows it: os.family of os.family == "x".
func (f *fault) dotted() string {
	from := f.Column - 1
	if from < 0 || from >= len(f.line) {
		return f.Word
	}
	to := from
	for to < len(f.line) && (f.line[to] == '.' || isWord(f.line[to])) {
		to++
	}
	return strings.Trim(string(f.line[from:to]), ".")
}

// hyphenated gives the key with hyphens that the error's place is the tail of: my-key of facts.my-key.
func (f *fault) hyphenated() string {
	from := f.Column - 1
	if f.at(-1) != '-' || from >= len(f.line) {
		return ""
	}
	to := from
	for to < len(f.line) && (isWord(f.line[to]) || f.line[to] == '-') {
		to++
	}
	for from > 0 && (isWord(f.line[from-1]) || f.line[from-1] == '-') {
		from--
	}
	if from == 0 || f.line[from-1] != '.' {
		return ""
	}
	return string(f.line[from:to])
}

// behindOperator tells whether what stands before the error's place compares it with something.
func (f *fault) behindOperator() bool {
	if f.Column < 1 || f.Column-1 > len(f.line) {
		return false
	}
	before := strings.TrimRight(string(f.line[:f.Column-1]), " \t")
	for _, op := range []string{"==", "!=", "<", ">", "<=", ">=", " in", "[", ","} {
		if strings.HasSuffix(before, op) {
			return true
		}
	}
	return false
}

func isWord(r rune) bool {
	return r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r > 0x7f
}

func (f *fault) noOverload(function, operands string) {
	words := strings.NewReplacer("(", "", ")", "", "dyn", "any value", "fettle.Version", "version", "net.IP", "ip", "net.CIDR", "cidr").Replace(strings.ReplaceAll(operands, ".(", ", "))
	f.Message = fmt.Sprintf("no %s for %s", functionWord(function), join(strings.Split(words, ", ")))
}

// unexpected explains a word at which the parser found no way to go on.
func (f *fault) unexpected(token, expecting string) {
	if token == "<EOF>" {
		f.Message = "the filter ends too early"
		return
	}
	f.Message = fmt.Sprintf("%q cannot stand here", strings.Trim(token, `"'`))
	before := strings.Fields(string(f.line[:min(len(f.line), max(0, f.Column-1))]))
	switch strings.ToLower(token) {
	case "and":
		f.Suggestion = "did you mean &&?"
	case "or":
		f.Suggestion = "did you mean ||?"
	case "in":
		f.Suggestion = `a key that is a word of CEL stands in brackets: facts["in"]`
	default:
		if len(before) > 0 && strings.EqualFold(before[len(before)-1], "not") {
			f.Suggestion = "did you mean ! instead of not?"
		} else if r := []rune(token); strings.HasPrefix(expecting, "<EOF>") && (isWord(r[0]) || r[0] == '"') {
			f.Suggestion = "is && missing in front of it?"
		}
	}
}

func (f *fault) unknownToken(token string) {
	token = strings.TrimSpace(token)
	switch {
	case strings.HasPrefix(token, "=~"), strings.HasPrefix(token, "~"):
		f.Message, f.Suggestion = "~ is no operator of CEL", `did you mean .matches("…")?`
	case strings.HasPrefix(token, "=") && f.at(1) == '~':
		f.Message, f.Suggestion = "=~ is no operator of CEL", `did you mean .matches("…")?`
	case strings.HasPrefix(token, "="):
		f.Message, f.Suggestion = "= does not compare", "did you mean ==? the short form a=b is given by -W"
	case strings.HasPrefix(token, `"`), strings.HasPrefix(token, "'"):
		f.Message = "a string does not end"
		if strings.Contains(token, `\`) {
			f.Message = "a string has an escape that does not exist, or does not end"
			f.Suggestion = `\\ writes a backslash, and r"…" takes every backslash as it is`
		}
	case strings.HasPrefix(token, "&"), strings.HasPrefix(token, "|"):
		f.Message, f.Suggestion = token[:1]+" is no operator of CEL", "did you mean "+token[:1]+token[:1]+"?"
	case strings.HasPrefix(token, "@"):
		f.Message = "a saved filter cannot stand here"
	default:
		f.Message = fmt.Sprintf("%q cannot stand here", token)
	}
}

func (f *fault) notViable(token string) {
	f.Message = fmt.Sprintf("%s cannot stand here", token)
	if strings.HasPrefix(token, ".") && len(token) > 1 && token != ".." {
		f.Suggestion = `a key that is no plain word stands in brackets: facts.mountpoints["/boot"].size`
	}
}

// badArgument explains a literal that the function which takes it cannot read.
func (f *fault) badArgument(function, why string) {
	why, _, _ = strings.Cut(why, ": ParseAddr(")
	f.Message = fmt.Sprintf("%s() cannot read this", function)
	if why != "" {
		f.Message += ": " + why
	}
	switch function {
	case "timestamp":
		f.Suggestion = `as in timestamp("2026-11-21T09:00:00Z")`
	case "duration":
		f.Suggestion = `as in duration("90m") or duration("36h")`
	case "matches":
		if why == "" {
			f.Message = "the regular expression is broken" + f.regexFault()
		}
	}
}

// regexFault says what is wrong with the regular expression at the error's place.
func (f *fault) regexFault() string {
	rest := string(f.line[min(len(f.line), f.Column-1):])
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	end := closing(rest, 0)
	if end < 0 {
		return ""
	}
	_, err := regexp.Compile(strings.ReplaceAll(rest[1:end], `\\`, `\`))
	if err == nil {
		return ""
	}
	return ": " + strings.TrimPrefix(err.Error(), "error parsing regexp: ")
}
