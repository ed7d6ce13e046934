package actions

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// cgroup is a control group (version 2) of one child. A nil one is none: its methods do nothing.
type cgroup struct {
	path string
	dir  *os.File // open, for clone3(2)
}

// cgroupPeriod is the span over which the kernel counts processor time, in microseconds: its own default.
const cgroupPeriod = 100_000

// newCgroup makes a group that is held to l, beside the agent's own. nil and no error: l has nothing to hold to. An error: the machine does not
// let us, because it has no cgroups of version 2, or because the agent's own was not delegated to it.
func newCgroup(l allowance) (*cgroup, error) {
	wanted := l.files()
	if len(wanted) == 0 {
		return nil, nil
	}
	own, err := ownCgroup("/proc/self")
	if err != nil {
		return nil, err
	}
	return makeCgroup(own, wanted)
}

// setting is one file of a cgroup, and the controller that it belongs to.
type setting struct{ controller, file, value string }

func (l allowance) files() (files []setting) {
	if l.memory > 0 {
		files = append(files, setting{"memory", "memory.max", strconv.FormatInt(l.memory, 10)}, setting{"memory", "memory.oom.group", "1"})
	}
	if l.cpu > 0 {
		files = append(files, setting{"cpu", "cpu.max", fmt.Sprintf("%d %d", l.cpu*cgroupPeriod/100, cgroupPeriod)})
	}
	if l.processes > 0 {
		files = append(files, setting{"pids", "pids.max", strconv.FormatInt(l.processes, 10)})
	}
	return files
}

// ownCgroup gives the folder of the cgroup that the process described in proc belongs to. ErrUnavailable: there is none of version 2.
func ownCgroup(proc string) (string, error) {
	mount, err := cgroupMount(filepath.Join(proc, "mountinfo"))
	if err != nil {
		return "", err
	}
	lines, err := os.ReadFile(filepath.Join(proc, "cgroup"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(lines)) {
		if path, is := strings.CutPrefix(strings.TrimSpace(line), "0::"); is {
			return filepath.Join(mount, path), nil
		}
	}
	return "", fmt.Errorf("this machine has no cgroups of version 2: %w", fettle.ErrUnavailable)
}

// cgroupMount gives where cgroups of version 2 are mounted.
func cgroupMount(mountinfo string) (string, error) {
	f, err := os.Open(mountinfo)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(before)
		if strings.HasPrefix(after, "cgroup2 ") && len(fields) > 4 {
			return fields[4], nil
		}
	}
	return "", fmt.Errorf("this machine has no cgroups of version 2: %w", fettle.ErrUnavailable)
}

// makeCgroup makes a group below own. A group that has processes cannot hand controllers down: the agent moves into a group of its own first,
// which is allowed where the service's group is delegated to it.
func makeCgroup(own string, wanted []setting) (*cgroup, error) {
	parent := own
	if filepath.Base(own) == cgroupOfAgent {
		parent = filepath.Dir(own) // moved already
	}
	there, err := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, s := range wanted {
		if !strings.Contains(" "+strings.TrimSpace(string(there))+" ", " "+s.controller+" ") {
			missing = append(missing, s.controller)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("the agent's cgroup has no controller %s: %w", strings.Join(missing, ", "), fettle.ErrUnavailable)
	}
	if parent == own {
		if err := moveAgent(own); err != nil {
			return nil, err
		}
	}
	for _, s := range wanted {
		if err := os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+"+s.controller), 0o600); err != nil {
			return nil, err
		}
	}
	g := &cgroup{}
	if g.path, err = os.MkdirTemp(parent, "task-"); err != nil {
		return nil, err
	}
	for _, s := range wanted {
		err := os.WriteFile(filepath.Join(g.path, s.file), []byte(s.value), 0o600)
		if err != nil && s.file != "memory.oom.group" { // of later kernels only
			_ = os.Remove(g.path)
			return nil, err
		}
	}
	if g.dir, err = os.Open(g.path); err != nil {
		_ = os.Remove(g.path)
		return nil, err
	}
	return g, nil
}

// cgroupOfAgent is the group, below the service's own, that the agent moves into.
const cgroupOfAgent = "agent"

// moveAgent moves this process into a group of its own, when it is the only one where it is: others are not ours to move.
func moveAgent(own string) error {
	list, err := os.ReadFile(filepath.Join(own, "cgroup.procs"))
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(list)) != strconv.Itoa(os.Getpid()) {
		return fmt.Errorf("the agent shares its cgroup with other processes: %w", fettle.ErrUnavailable)
	}
	leaf := filepath.Join(own, cgroupOfAgent)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return os.WriteFile(filepath.Join(leaf, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0o600)
}

// enter has cmd begin in the group.
func (g *cgroup) enter(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(g.dir.Fd())
}

// folder gives where the group is; empty: there is none.
func (g *cgroup) folder() string {
	if g == nil {
		return ""
	}
	return g.path
}

// starved tells whether the kernel ended a process of the group for want of memory.
func (g *cgroup) starved() bool {
	if g == nil {
		return false
	}
	events, _ := os.ReadFile(filepath.Join(g.path, "memory.events"))
	for line := range strings.Lines(string(events)) {
		if n, is := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); is {
			return n != "0"
		}
	}
	return false
}

// toEmpty is how long the kernel is given to end what is in a group that was killed.
const toEmpty = time.Second

// close ends what is still in the group, if kill says so, and takes the group away once it is empty. One that is not stays.
func (g *cgroup) close(kill bool) {
	if g == nil {
		return
	}
	_ = g.dir.Close()
	if kill {
		_ = os.WriteFile(filepath.Join(g.path, "cgroup.kill"), []byte("1"), 0o600) // of later kernels only
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(toEmpty); os.Remove(g.path) != nil && kill && time.Now().Before(end); {
		<-tick.C
	}
}
