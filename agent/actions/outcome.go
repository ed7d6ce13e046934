package actions

import (
	"errors"
	"fmt"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// Inputs have been validated: those that are there are of their declared type.

func inputString(call Call, name string) string {
	s, _ := call.Inputs[name].(string)
	return s
}

func inputInt(call Call, name string) int64 {
	n, _ := call.Inputs[name].(int64)
	return n
}

func inputBool(call Call, name string) bool {
	b, _ := call.Inputs[name].(bool)
	return b
}

func inputList(call Call, name string) []string {
	l, _ := call.Inputs[name].([]string)
	return l
}

// failed gives the outcome of an action that says no.
func failed(format string, args ...any) Outcome {
	return Outcome{Status: fettle.StatusFailed, Message: fmt.Sprintf(format, args...)}
}

// invalid gives the outcome of an action whose inputs do not fit this node, or one another.
func invalid(format string, args ...any) Outcome {
	return Outcome{Status: fettle.StatusInvalidInput, Message: fmt.Sprintf(format, args...)}
}

// refusedOr gives the outcome of an error: of those kinds that have a status of their own, that one.
func refusedOr(err error, other fettle.Status) Outcome {
	message, status := err.Error(), other
	for kind, s := range map[error]fettle.Status{
		fettle.ErrDenied: fettle.StatusRefused, fettle.ErrInvalid: fettle.StatusInvalidInput, fettle.ErrNotFound: fettle.StatusFailed, fettle.ErrUnavailable: fettle.StatusOther,
	} {
		if errors.Is(err, kind) {
			message, status = strings.TrimSuffix(message, ": "+kind.Error()), s
		}
	}
	return Outcome{Status: status, Message: message}
}
