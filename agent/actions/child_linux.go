package actions

import (
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Of ioprio_set(2): who is meant, where the class stands, and the classes.
const (
	ioprioWhoProcess = 1
	ioprioShift      = 13
	ioprioBestEffort = 2
	ioprioIdle       = 3
	ioprioLowest     = 7 // of best-effort
)

// startAt starts cmd with the priorities of l. On Linux a thread has priorities of its own, and what is started from it inherits them: so there
// is no moment at which the child, or what it starts, runs without.
func startAt(cmd *exec.Cmd, l allowance, note func(string, ...any)) error {
	if l.nice == 0 && l.io == "" {
		return cmd.Start()
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread, with its priorities, ends with this goroutine
		if l.nice != 0 {
			if err := unix.Setpriority(unix.PRIO_PROCESS, 0, l.nice); err != nil {
				note("nice is not kept: %v", err)
			}
		}
		if l.io != "" {
			class := ioprioBestEffort<<ioprioShift | ioprioLowest
			if l.io == "idle" {
				class = ioprioIdle << ioprioShift
			}
			if _, _, fault := unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, 0, uintptr(class)); fault != 0 {
				note("io is not kept: %v", fault)
			}
		}
		started <- cmd.Start()
	}()
	return <-started
}
