//go:build unix

package main

import (
	"errors"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

func TestAStateDirectoryHasOneProcess(t *testing.T) {
	dir := t.TempDir()
	first, err := lockState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockState(dir); !errors.Is(err, fettle.ErrConflict) {
		t.Errorf("a second one: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := lockState(dir)
	if err != nil {
		t.Fatalf("after the first has gone: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}
