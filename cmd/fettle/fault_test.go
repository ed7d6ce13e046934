package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

func TestReasonOfAFileThatIsNotThere(t *testing.T) {
	_, err := os.Lstat("nope.yaml")
	if got := reason(fmt.Errorf("checks: %w: %w", err, fettle.ErrInvalid)); got != "checks: nope.yaml: no such file or directory" {
		t.Errorf("got %q", got)
	}
}

func TestAdviceWhereAnotherListens(t *testing.T) {
	err := fmt.Errorf("http: %w", os.NewSyscallError("bind", syscall.EADDRINUSE))
	if got := (&app{}).advice(nil, err); !strings.Contains(got, "--http and --stomp") {
		t.Errorf("got %q", got)
	}
	if got := (&app{}).advice(nil, errors.New("http: no")); got != "" {
		t.Errorf("got %q", got)
	}
}
