//go:build !unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// lockState opens the lock file of a state directory. On this system it does not keep a second process out.
func lockState(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	return f, nil
}
