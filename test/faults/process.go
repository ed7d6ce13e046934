//go:build unix

package main

import (
	"path/filepath"

	"github.com/fettle-dev/fettle/test/proc"
)

// start starts a program. What it says of itself is added to a log file, beside which is the file that its clock is read from.
func start(log, name, program string, args ...string) (*proc.Process, error) {
	clock := clockVariable + "=" + filepath.Join(filepath.Dir(log), name+".clock")
	return proc.Start(proc.Command{Name: name, Program: program, Args: args, Env: []string{clock}, Log: log})
}
