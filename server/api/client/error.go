package client

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/fettle-dev/fettle"
)

// Error is what the server answered instead of what was asked for. It wraps the kind of error that it is; a fault of the server wraps none.
type Error struct {
	Problem // RFC 9457; it can be printed as JSON as it is
}

// kinds are the kinds of error, as the server writes them.
var kinds = map[string]error{
	"not-found":   fettle.ErrNotFound,
	"invalid":     fettle.ErrInvalid,
	"conflict":    fettle.ErrConflict,
	"denied":      fettle.ErrDenied,
	"unavailable": fettle.ErrUnavailable,
}

// Error gives the words for a person: what went wrong, every input that is wrong, and the place in a filter with its caret.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Detail)
	if s := deref(e.Suggestion); s != "" {
		fmt.Fprintf(&b, " (%s)", s)
	}
	if e.Kind == "fault" && deref(e.RequestId) != "" {
		fmt.Fprintf(&b, " (request %s, see the server's log)", *e.RequestId)
	}
	if len(e.Errors) > 1 {
		for _, detail := range e.Errors {
			fmt.Fprintf(&b, "\n  %s: %s", deref(detail.Location), deref(detail.Message))
		}
	}
	if text := deref(e.Text); text != "" {
		b.WriteString("\n" + text)
	}
	return b.String()
}

// Unwrap gives the kind of error; nil for a fault of the server.
func (e *Error) Unwrap() error { return kinds[e.Kind] }

// newError reads an answer that is an error. What stands between may answer too, and knows nothing of problems.
func newError(answer *http.Response, body []byte) *Error {
	e := &Error{}
	media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")) // "" where there is none
	if media == "application/problem+json" && json.Unmarshal(body, &e.Problem) == nil && e.Kind != "" {
		return e
	}
	text, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	if media == "text/html" || text == "" || len(text) > 200 {
		text = "the server answered " + answer.Status
	}
	return &Error{Problem{Title: http.StatusText(answer.StatusCode), Status: int64(answer.StatusCode), Kind: kindOf(answer.StatusCode), Detail: text}}
}

// kindOf gives the kind of an error of which only the status is known.
func kindOf(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "denied"
	case http.StatusNotFound:
		return "not-found"
	case http.StatusConflict:
		return "conflict"
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "unavailable"
	}
	if status >= 400 && status < 500 {
		return "invalid"
	}
	return "fault"
}

// deref gives what p leads to; the zero value for nil.
func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
