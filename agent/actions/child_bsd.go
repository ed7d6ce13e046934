//go:build unix && !linux

package actions

import (
	"os/exec"
	"syscall"
)

// startAt starts cmd, and lowers its priority a moment later: what it starts in that moment is not lowered.
func startAt(cmd *exec.Cmd, l allowance, note func(string, ...any)) error {
	if l.io != "" {
		note("io is not kept: this system has no such thing")
	}
	err := cmd.Start()
	if err == nil && l.nice != 0 {
		if err := syscall.Setpriority(syscall.PRIO_PROCESS, cmd.Process.Pid, l.nice); err != nil {
			note("nice is not kept: %v", err)
		}
	}
	return err
}
