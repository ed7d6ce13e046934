package fettle

import (
	"errors"
	"strings"
)

// The kinds of error. Everything that a caller can mend or must tell apart wraps one of these, and errors.Is finds it; any other error is a
// fault of ours. One table each turns kinds into HTTP status (server/api), exit codes (cmd/fettle) and Nagios answers (check_fettle).
var (
	// ErrNotFound: the thing that was named does not exist.
	ErrNotFound = errors.New("not found")
	// ErrInvalid: what was given can never be right, however often it is tried.
	ErrInvalid = errors.New("invalid")
	// ErrConflict: what was given is right, but not in the state that things are in.
	ErrConflict = errors.New("conflict")
	// ErrDenied: who asked may not.
	ErrDenied = errors.New("denied")
	// ErrUnavailable: it may work later; nothing was done, or what was done is said.
	ErrUnavailable = errors.New("unavailable")
)

// Fault is something wrong with one setting, input or field. It is ErrInvalid.
type Fault struct {
	Key    string // as the person wrote it, such as checks[2].interval
	Reason string
}

// Error gives the key and the reason.
func (f *Fault) Error() string { return f.Key + ": " + f.Reason }

// Unwrap gives ErrInvalid.
func (f *Fault) Unwrap() error { return ErrInvalid }

// Faults takes apart what errors.Join has put together, also where that was joined again. An error that only wraps several, as fmt.Errorf
// makes it, is one fault with one text. Nil has none.
func Faults(err error) []error {
	if err == nil {
		return nil
	}
	many, is := err.(interface{ Unwrap() []error })
	if !is {
		return []error{err}
	}
	parts := many.Unwrap()
	texts := make([]string, len(parts))
	for i, one := range parts {
		texts[i] = one.Error()
	}
	if strings.Join(texts, "\n") != err.Error() {
		return []error{err}
	}
	var out []error
	for _, one := range parts {
		out = append(out, Faults(one)...)
	}
	return out
}
