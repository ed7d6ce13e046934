package filter

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fettle-dev/fettle"
)

// Error is a fault in the text of a filter. It wraps fettle.ErrInvalid.
type Error struct {
	Line       int    `json:"line"`                 // from 1; zero: the fault stands nowhere in particular
	Column     int    `json:"column"`               // in characters, from 1
	Text       string `json:"text"`                 // the line at fault, as it was written
	Message    string `json:"message"`              // what is wrong, in one line
	Suggestion string `json:"suggestion,omitempty"` // what may have been meant, ready to be read
	Word       string `json:"-"`                    // the name at fault, where it is one; Suggest looks for its likes
}

// Error gives the message, and below it the line with a caret under the fault:
//
//	undeclared name "os" (did you mean facts.os.family?)
//	  1 | os.family == "Debian"
//	    | ^
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	if e.Suggestion != "" {
		fmt.Fprintf(&b, " (%s)", e.Suggestion)
	}
	if e.Line > 0 {
		n := fmt.Sprint(e.Line)
		text, column := e.window()
		fmt.Fprintf(&b, "\n  %s | %s\n  %s | %s^", n, text, strings.Repeat(" ", len(n)), strings.Repeat(" ", column-1))
	}
	return b.String()
}

// Unwrap gives fettle.ErrInvalid.
func (e *Error) Unwrap() error { return fettle.ErrInvalid }

// shown is how much of a long line an error prints, in characters.
const shown = 120

// window gives the part of the line around the fault, on which a tab is one blank so that the caret stands right, and the fault's column in it.
func (e *Error) window() (string, int) {
	line := []rune(strings.ReplaceAll(e.Text, "\t", " "))
	column := max(1, min(e.Column, len(line)+1))
	if len(line) <= shown {
		return string(line), column
	}
	from := max(0, min(column-1-shown/2, len(line)-shown))
	text := string(line[from : from+shown])
	if from > 0 {
		text, column = "…"+text, column+1
	}
	if from+shown < len(line) {
		text += "…"
	}
	return text, column - from
}

// errorAt makes an Error for the place at a byte offset of text.
func errorAt(text string, offset int, format string, args ...any) *Error {
	offset = max(0, min(offset, len(text)))
	before := text[:offset]
	start := strings.LastIndexByte(before, '\n') + 1
	line := text[start:]
	if end := strings.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	return &Error{
		Line: strings.Count(before, "\n") + 1, Column: utf8.RuneCountInString(text[start:offset]) + 1,
		Text: line, Message: fmt.Sprintf(format, args...),
	}
}
