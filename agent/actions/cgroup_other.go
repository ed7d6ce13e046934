//go:build !linux

package actions

import (
	"fmt"
	"os/exec"

	fettle "github.com/fettle-dev/fettle"
)

// cgroup is what Linux limits processes by. Elsewhere there is none, and all its methods do nothing.
type cgroup struct{}

func newCgroup(l allowance) (*cgroup, error) {
	if l.memory == 0 && l.cpu == 0 && l.processes == 0 {
		return nil, nil
	}
	return nil, fmt.Errorf("this system has no cgroups: %w", fettle.ErrUnavailable)
}

func (g *cgroup) enter(*exec.Cmd) {}

func (g *cgroup) folder() string { return "" }

func (g *cgroup) starved() bool { return false }

func (g *cgroup) close(bool) {}
