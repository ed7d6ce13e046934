//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	fettle "github.com/fettle-dev/fettle"
)

// lockState takes a state directory for this process: two that write to one would damage it. The lock goes with the process, however it ends.
// ErrConflict: another process has it.
func lockState(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		closeErr := f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("state directory %s: another fettle works in it; stop that one, or give --state another: %w", dir, fettle.ErrConflict)
		}
		return nil, errors.Join(fmt.Errorf("state directory %s: lock: %w", dir, err), closeErr)
	}
	return f, nil
}
