//go:build !linux

package actions

import (
	"context"
	"fmt"

	fettle "github.com/fettle-dev/fettle"
)

// tracing tells whether a process can be told from a later one of the same number. Without /proc it cannot, and nothing is ended.
const tracing = false

func birth(int) (uint64, string, error) {
	return 0, "", fmt.Errorf("this system does not tell processes apart: %w", fettle.ErrUnavailable)
}

func (t trace) end(context.Context) fate { return fate{} }
