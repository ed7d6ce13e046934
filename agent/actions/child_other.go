//go:build !unix

package actions

import (
	"fmt"
	"os"
	"os/exec"

	fettle "github.com/fettle-dev/fettle"
)

func rootDir() string { return os.TempDir() }

// setGroup does nothing: without process groups only the child itself is ended.
func setGroup(*exec.Cmd, *owner) {}

func signalGroup(cmd *exec.Cmd, _ bool) {
	_ = cmd.Process.Kill() // there is no gentler way, and an error means that it is gone
}

func groupLives(*exec.Cmd) bool { return false }

func signalOf(*os.ProcessState) string { return "" }

// userOf refuses any user: here a child runs as the agent does.
func userOf(name string) (*owner, error) {
	if name == "" {
		return nil, nil
	}
	return nil, fmt.Errorf("on this system the agent cannot run anything as another user: %w", fettle.ErrDenied)
}

// startAt starts cmd. Nothing can be limited here.
func startAt(cmd *exec.Cmd, l allowance, note func(string, ...any)) error {
	if l.nice != 0 || l.io != "" {
		note("nice and io are not kept: this system has no such thing")
	}
	return cmd.Start()
}

// owner is a user as whom a child runs. Here it is always the agent's own.
type owner struct{ env []string }

func ownerOf(string, string) (*owner, error) { return nil, nil }

func giveTo(string, *owner) error { return nil }

// signalNamed knows KILL only.
func signalNamed(name string) (os.Signal, bool) { return os.Kill, name == "KILL" }

func sendSignal(pid int, s os.Signal) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Signal(s)
}

func syscallKill(int) error { return fettle.ErrUnavailable }
