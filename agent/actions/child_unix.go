//go:build unix

package actions

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
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

// groupLives tells whether the child's group has processes.
func groupLives(cmd *exec.Cmd) bool { return syscall.Kill(-cmd.Process.Pid, 0) == nil }

// owner is a user as whom a child runs.
type owner struct {
	uid, gid uint32
	groups   []uint32
	env      []string // LOGNAME, USER, HOME
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

func number(id string) (uint32, error) {
	n, err := strconv.ParseUint(id, 10, 32)
	return uint32(n), err
}
