//go:build unix

package actions

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	fettle "github.com/fettle-dev/fettle"
)

func rootDir() string { return "/" }

// setGroup puts the child into a process group of its own, and lets it run as user.
func setGroup(cmd *exec.Cmd, user *owner) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if user != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: user.uid, Gid: user.gid, Groups: user.groups}
	}
}

// signalGroup sends TERM, or KILL, to all processes of the child's group.
func signalGroup(cmd *exec.Cmd, kill bool) {
	signal := syscall.SIGTERM
	if kill {
		signal = syscall.SIGKILL
	}
	_ = syscall.Kill(-cmd.Process.Pid, signal) // ESRCH: they are gone
}

// signalNamed gives SIGKILL for KILL.
func signalNamed(name string) (syscall.Signal, bool) {
	s := unix.SignalNum("SIG" + name)
	return s, s != 0
}

func sendSignal(pid int, s syscall.Signal) error { return syscall.Kill(pid, s) }

// syscallKill tells whether a process could be signalled.
func syscallKill(pid int) error { return syscall.Kill(pid, 0) }

// signalName gives KILL for SIGKILL.
func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return strings.TrimPrefix(name, "SIG")
	}
	return strconv.Itoa(int(s))
}

// groupLives tells whether the child's group has processes.
func groupLives(cmd *exec.Cmd) bool { return syscall.Kill(-cmd.Process.Pid, 0) == nil }

// signalOf names the signal that ended a process; empty: none did.
func signalOf(state *os.ProcessState) string {
	if s, is := state.Sys().(syscall.WaitStatus); is && s.Signaled() {
		return signalName(s.Signal())
	}
	return ""
}

// owner is a user as whom a child runs.
type owner struct {
	uid, gid uint32
	groups   []uint32
	env      []string // LOGNAME, USER, HOME
}

// userOf gives a user as whom a child is to run; nil: empty, or the agent's own. ErrDenied: the agent is not root, and cannot choose.
func userOf(name string) (*owner, error) {
	if name == "" {
		return nil, nil
	}
	if u, err := user.Current(); err == nil && (u.Username == name || u.Uid == name) {
		return nil, nil
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("the agent is not root and cannot run anything as %s: %w", name, fettle.ErrDenied)
	}
	return ownerOf(name, "")
}

// ownerOf gives the user and group that NRPE's configuration names, each by name or number; nil when none is named, or when the agent is not
// root and cannot choose.
func ownerOf(name, group string) (*owner, error) {
	if name == "" || os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return nil, fmt.Errorf("user %q: %w", name, err)
		}
	}
	gid := u.Gid
	if group != "" {
		if g, err := user.LookupGroup(group); err == nil {
			gid = g.Gid
		} else if g, err := user.LookupGroupId(group); err == nil {
			gid = g.Gid
		} else {
			return nil, fmt.Errorf("group %q: %w", group, err)
		}
	}
	o := &owner{env: []string{"LOGNAME=" + u.Username, "USER=" + u.Username, "HOME=" + u.HomeDir}}
	if o.uid, err = number(u.Uid); err != nil {
		return nil, err
	}
	if o.gid, err = number(gid); err != nil {
		return nil, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of %q: %w", name, err)
	}
	for _, id := range ids {
		n, err := number(id)
		if err != nil {
			return nil, err
		}
		o.groups = append(o.groups, n)
	}
	return o, nil
}

// giveTo gives a file to the user as whom a child runs.
func giveTo(path string, user *owner) error {
	if user == nil {
		return nil
	}
	return os.Chown(path, int(user.uid), int(user.gid))
}

func number(id string) (uint32, error) {
	n, err := strconv.ParseUint(id, 10, 32)
	return uint32(n), err
}
