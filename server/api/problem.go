package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// Problem is the body of every error: RFC 9457, with members of our own. Line to Suggestion stand where the fault has a place in a filter.
type Problem struct {
	Title      string              `json:"title" doc:"The words for the status"`
	Status     int                 `json:"status" doc:"The HTTP status"`
	Kind       string              `json:"kind" enum:"not-found,invalid,conflict,denied,unavailable,fault" doc:"What kind of error it is: a fault is the server's own, and its log has the rest under request_id"`
	Detail     string              `json:"detail" doc:"What went wrong, for a person"`
	RequestID  string              `json:"request_id,omitempty" doc:"By which the server's log knows this request"`
	Line       int                 `json:"line,omitempty" doc:"Where a filter is at fault, from 1"`
	Column     int                 `json:"column,omitempty" doc:"In characters, from 1"`
	Text       string              `json:"text,omitempty" doc:"The line at fault, and a caret below the place"`
	Suggestion string              `json:"suggestion,omitempty" doc:"What may have been meant"`
	Errors     []*huma.ErrorDetail `json:"errors,omitempty" doc:"Every input that is wrong, with its place in the request"`

	after time.Duration // after which the same may be asked again; zero: nobody knows
}

// problemType is the media type of RFC 9457.
const problemType = "application/problem+json"

// Error gives what went wrong.
func (p *Problem) Error() string { return p.Detail }

// GetStatus gives the HTTP status, for huma.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType gives the media type, for huma.
func (p *Problem) ContentType(string) string { return problemType }

// GetHeaders gives what the answer's head says beside its status, for huma.
func (p *Problem) GetHeaders() http.Header {
	if p.after <= 0 {
		return nil
	}
	return http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(p.after.Seconds())))}}
}

// kindOf is the one table from the kinds of error to an answer. What is not in it is a fault of ours.
var kindOf = []struct {
	err    error
	status int
	kind   string
	words  string // what a person is told; empty: the error's own
}{
	{fettle.ErrNotFound, http.StatusNotFound, "not-found", ""},
	{fettle.ErrInvalid, http.StatusUnprocessableEntity, "invalid", ""},
	{fettle.ErrConflict, http.StatusConflict, "conflict", ""},
	{fettle.ErrDenied, http.StatusForbidden, "denied", ""},
	{fettle.ErrUnavailable, http.StatusServiceUnavailable, "unavailable", ""},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "unavailable", "this took longer than a request may"},
	{context.Canceled, http.StatusServiceUnavailable, "unavailable", "the request was given up"}, // who asked has gone, or the server stops
}

// problemOf turns err into the answer that a person gets. An unknown kind shows nothing of err.
func problemOf(err error) *Problem {
	var ready *Problem
	if errors.As(err, &ready) {
		return ready
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return problemFor(http.StatusRequestEntityTooLarge, "the body is too large")
	}
	var limit *auth.LimitError
	if errors.As(err, &limit) {
		p := problemFor(http.StatusTooManyRequests, strings.TrimSuffix(limit.Error(), ": "+fettle.ErrDenied.Error()))
		p.after = limit.After
		return p
	}
	for _, k := range kindOf {
		if errors.Is(err, k.err) {
			p := &Problem{Title: http.StatusText(k.status), Status: k.status, Kind: k.kind, Detail: k.words}
			if p.Detail == "" {
				p.Detail = strings.TrimSuffix(err.Error(), ": "+k.err.Error())
			}
			p.place(err)
			return p
		}
	}
	return problemFor(http.StatusInternalServerError, "internal error")
}

// place says where in a filter the fault stands.
func (p *Problem) place(err error) {
	var fault *server.FilterError
	if !errors.As(err, &fault) {
		return
	}
	_, text, _ := strings.Cut(fault.Error(), "\n") // the line with its caret
	p.Detail, p.Line, p.Column, p.Text, p.Suggestion = fault.Message, fault.Line, fault.Column, text, fault.Suggestion
}

// problemFor gives the problem of a status that HTTP itself calls for.
func problemFor(status int, detail string) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Kind: kindOfStatus(status), Detail: detail}
}

// kindOfStatus gives the kind of an error of which only the status is known.
func kindOfStatus(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "denied"
	case http.StatusNotFound, http.StatusGone:
		return "not-found"
	case http.StatusConflict, http.StatusPreconditionFailed:
		return "conflict"
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusTooManyRequests, http.StatusRequestTimeout:
		return "unavailable"
	}
	if status >= 400 && status < 500 {
		return "invalid"
	}
	return "fault"
}

// newHumaError makes the errors that huma finds before a handler is called: what in the request is not as the OpenAPI document has it.
func newHumaError(status int, detail string, errs ...error) huma.StatusError {
	p := problemFor(status, detail)
	for _, err := range errs {
		var own *Problem
		if errors.As(err, &own) {
			return own
		}
		if d, ok := err.(huma.ErrorDetailer); ok { // huma's own test for the errors that it makes
			p.Errors = append(p.Errors, d.ErrorDetail())
		} else if err != nil {
			p.Errors = append(p.Errors, &huma.ErrorDetail{Message: err.Error()})
		}
	}
	if len(p.Errors) == 1 && p.Kind == "invalid" {
		p.Detail = strings.TrimPrefix(p.Errors[0].Location+": ", ": ") + p.Errors[0].Message
	}
	return p
}

// answer gives the problem of err with the id of its request, and logs what is a fault of ours: it is returned to nobody else.
func answer(ctx context.Context, log *slog.Logger, err error) *Problem {
	p := *problemOf(err)
	p.RequestID = RequestID(ctx)
	if p.Kind == "fault" {
		log.Error("request failed", "request", p.RequestID, "err", err)
	}
	return &p
}

// write sends p outside huma.
func (p *Problem) write(w http.ResponseWriter) {
	body, err := json.Marshal(p)
	if err != nil { // strings and numbers always marshal
		body = []byte("{}")
	}
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // who asked has gone
}
