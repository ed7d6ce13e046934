//go:build unix

package main

import (
	"context"
	"syscall"
)

// become turns this process into another program: the terminal is its own from then on, and so is the exit code.
func (a *app) become(_ context.Context, program string, line []string) error {
	return syscall.Exec(program, line, syscall.Environ())
}
