package main

import (
	"errors"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

// What comes by stdin is whole, or refused: a file that is cut off would lack its last policies without a word.
func TestTooMuchByStdin(t *testing.T) {
	a := &app{stdin: strings.NewReader(strings.Repeat("#", maxYAMLBytes+1))}
	if _, err := a.readInput("-"); !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), "-: the file has more than") {
		t.Errorf("%v", err)
	}
	a.stdin = strings.NewReader(strings.Repeat("#", maxYAMLBytes))
	if raw, err := a.readInput("-"); err != nil || len(raw) != maxYAMLBytes {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
}
