//go:build !unix

package actions

import (
	"os"
	"os/exec"
)

func rootDir() string { return os.TempDir() }

// setGroup does nothing: without process groups only the child itself is ended.
func setGroup(*exec.Cmd, *owner) {}

func signalGroup(cmd *exec.Cmd, _ bool) {
	_ = cmd.Process.Kill() // there is no gentler way, and an error means that it is gone
}

func groupLives(*exec.Cmd) bool { return false }

// owner is a user as whom a child runs. Here it is always the agent's own.
type owner struct{ env []string }

func ownerOf(string, string) (*owner, error) { return nil, nil }
