//go:build !windows

package facts

import (
	"io/fs"
	"os/exec"
	"syscall"
)

// program gives the command that runs the file at path; nil: it is no program.
func program(path string, info fs.FileInfo) []string {
	if info.Mode().Perm()&0o111 == 0 {
		return nil
	}
	return []string{path}
}

// ownGroup gives cmd a process group, and kills the group where cmd would be killed: a shell's children hold its output open.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
