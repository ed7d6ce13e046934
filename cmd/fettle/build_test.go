//go:build integration

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The whole program builds for the systems that it is offered for, without cgo.
func TestBuildsEverywhere(t *testing.T) {
	for _, target := range [][2]string{{"darwin", "arm64"}, {"windows", "amd64"}} {
		t.Run(target[0], func(t *testing.T) {
			file := filepath.Join(t.TempDir(), programName)
			cmd := exec.CommandContext(t.Context(), "go", "build", "-o", file, ".")
			cmd.Env = append(os.Environ(), "GOOS="+target[0], "GOARCH="+target[1], "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if info, err := os.Stat(file); err != nil || info.Size() < 1<<20 {
				t.Errorf("what was built is not there: %v", err)
			}
		})
	}
}
