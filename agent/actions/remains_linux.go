package actions

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	fettle "github.com/fettle-dev/fettle"
)

// tracing tells whether a process can be told from a later one of the same number.
const tracing = true

// status is what the kernel says of a process.
type status struct {
	state  byte
	parent int
	group  int
	start  uint64 // ticks since the machine began
}

// statusOf reads the status of a process.
func statusOf(pid int) (s status, err error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return s, err
	}
	_, rest, _ := strings.Cut(string(raw[bytes.LastIndexByte(raw, ')')+1:]), " ") // a name may have spaces and brackets
	fields := strings.Fields(rest)
	if len(fields) < 20 || len(fields[0]) != 1 {
		return s, fmt.Errorf("status of process %d: %w", pid, fettle.ErrInvalid)
	}
	s.state = fields[0][0]
	if s.parent, err = strconv.Atoi(fields[1]); err == nil {
		if s.group, err = strconv.Atoi(fields[2]); err == nil {
			s.start, err = strconv.ParseUint(fields[19], 10, 64)
		}
	}
	return s, err
}

func (s status) dead() bool { return s.state == 'Z' || s.state == 'X' }

// birth gives what no later process of the same number has: when it began, and in which life of the machine.
func birth(pid int) (start uint64, boot string, err error) {
	s, err := statusOf(pid)
	if err != nil {
		return 0, "", err
	}
	boot, err = bootID()
	return s.start, boot, err
}

func bootID() (string, error) {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(raw)), err
}

// pack is what lives of a program.
type pack struct {
	trace
	group    map[int]uint64 // processes of its group, and when they began
	confined []int          // processes of its control group, whose name is given once
}

// end ends the group and the control group of a program, when they are what they were: TERM, and KILL for what is left of it.
func (t trace) end(ctx context.Context) (f fate) {
	if boot, err := bootID(); err != nil || boot != t.Boot {
		return f
	}
	p := pack{trace: t}
	if f.found = p.look(); f.found == 0 {
		return f
	}
	if _, led := p.group[t.PID]; t.Leave && !led {
		f.left = true
		return f
	}
	p.signal(syscall.SIGTERM)
	if p.waitGone(ctx, toTerminate) {
		return f
	}
	f.killed = true
	p.signal(syscall.SIGKILL)
	f.alive = !p.waitGone(context.WithoutCancel(ctx), toCollapse)
	return f
}

// look finds what lives of the program, and gives how many processes that is. The number of the group proves nothing: it may have been given again.
// The group is ours while it has one process that is: the first one, one that was seen before, or one that has the mark.
func (p *pack) look() int {
	members, proven := map[int]uint64{}, false
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		s, err := statusOf(pid)
		if err != nil || s.group != p.PID {
			continue
		}
		first := pid == p.PID && s.start == p.Start
		if s.dead() {
			if first && s.parent == os.Getpid() { // the agent before was this process
				_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
			}
			continue
		}
		members[pid] = s.start
		proven = proven || first || p.group[pid] == s.start || p.marks(pid)
	}
	if p.group = members; !proven {
		p.group = nil
	}
	p.confined = nil
	for _, pid := range confinedTo(p.Cgroup) {
		if s, err := statusOf(pid); err == nil && !s.dead() && p.group[pid] == 0 {
			p.confined = append(p.confined, pid)
		}
	}
	return len(p.group) + len(p.confined)
}

// marks tells whether a process was started by the program.
func (t trace) marks(pid int) bool {
	environment, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return bytes.Contains(append([]byte{0}, environment...), []byte("\x00"+markVariable+"="+t.Mark+"\x00"))
}

// confinedTo gives the processes of a control group; none where there is no such group.
func confinedTo(folder string) (pids []int) {
	if folder == "" {
		return nil
	}
	list, _ := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
	for word := range strings.FieldsSeq(string(list)) {
		if pid, err := strconv.Atoi(word); err == nil && pid > 1 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// signal sends to all that live. ESRCH: they are gone.
func (p *pack) signal(signal syscall.Signal) {
	if len(p.group) > 0 {
		_ = syscall.Kill(-p.PID, signal)
	}
	for _, pid := range p.confined {
		_ = syscall.Kill(pid, signal)
	}
	if signal == syscall.SIGKILL && p.Cgroup != "" {
		_ = os.WriteFile(filepath.Join(p.Cgroup, "cgroup.kill"), []byte("1"), 0o600) // of later kernels only
	}
}

// lookEvery is how often it is looked whether processes have ended.
const lookEvery = 50 * time.Millisecond

// waitGone waits until nothing of the program lives, and tells whether that came.
func (p *pack) waitGone(ctx context.Context, wait time.Duration) bool {
	every := time.NewTicker(lookEvery)
	defer every.Stop()
	end := time.NewTimer(wait)
	defer end.Stop()
	for p.look() > 0 {
		select {
		case <-every.C:
		case <-end.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
	if p.Cgroup != "" {
		_ = os.Remove(p.Cgroup)
	}
	return true
}
