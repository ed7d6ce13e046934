package main

import (
	"errors"
	"net/http"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/server/api/client"
)

// problemOf gives err as an RFC 9457 object, as the server would have.
func problemOf(err error) client.Problem {
	var answered *client.Error
	if errors.As(err, &answered) {
		return answered.Problem
	}
	status, kind := http.StatusInternalServerError, "fault"
	for _, one := range []struct {
		err    error
		status int
		kind   string
	}{
		{fettle.ErrNotFound, http.StatusNotFound, "not-found"},
		{fettle.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{fettle.ErrConflict, http.StatusConflict, "conflict"},
		{fettle.ErrDenied, http.StatusForbidden, "denied"},
		{fettle.ErrUnavailable, http.StatusServiceUnavailable, "unavailable"},
	} {
		if errors.Is(err, one.err) {
			status, kind = one.status, one.kind
			break
		}
	}
	if exitCode(err) == exitUsage {
		status, kind = http.StatusUnprocessableEntity, "invalid"
	}
	p := client.Problem{Title: http.StatusText(status), Status: int64(status), Kind: kind, Detail: reason(err)}
	var settings *settingsError
	if errors.As(err, &settings) {
		p.Errors = settings.details()
	}
	var fault *filter.Error
	if errors.As(err, &fault) {
		_, text, _ := strings.Cut(fault.Error(), "\n")
		p.Detail, p.Text, p.Suggestion = fault.Message, pointer(text), pointer(fault.Suggestion)
		p.Line, p.Column = pointer(int64(fault.Line)), pointer(int64(fault.Column))
	}
	return p
}
