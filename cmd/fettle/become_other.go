//go:build !unix

package main

import (
	"context"
	"errors"
	"os/exec"
)

// become runs another program on this terminal and ends as it ended: a process cannot turn into another here.
func (a *app) become(ctx context.Context, program string, line []string) error {
	cmd := exec.CommandContext(ctx, program, line[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.stdin, a.stdout, a.stderr
	err := cmd.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return &codeError{code: ended.ExitCode()}
	}
	return err
}
