package actions

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

// fakeFiles writes files below a new folder.
func fakeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOwnCgroup(t *testing.T) {
	const mounts = "24 1 0:22 / /proc rw - proc proc rw\n31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	proc := fakeFiles(t, map[string]string{"mountinfo": mounts, "cgroup": "12:pids:/a\n0::/system.slice/fettle-agent.service\n"})
	if got, err := ownCgroup(proc); got != "/sys/fs/cgroup/system.slice/fettle-agent.service" || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	for _, files := range []map[string]string{{"mountinfo": mounts, "cgroup": "12:pids:/a\n"}, {"mountinfo": "24 1 0:22 / /proc rw - proc proc rw\n", "cgroup": "0::/\n"}} {
		if got, err := ownCgroup(fakeFiles(t, files)); !errors.Is(err, fettle.ErrUnavailable) {
			t.Errorf("%s, %v", got, err)
		}
	}
}

func TestCgroupIsMadeBesideTheAgent(t *testing.T) {
	pid := strconv.Itoa(os.Getpid())
	own := fakeFiles(t, map[string]string{"cgroup.controllers": "cpuset cpu io memory pids\n", "cgroup.procs": pid + "\n"})
	wanted := allowance{memory: 64 << 20, cpu: 150, processes: 20}.files()
	g, err := makeCgroup(own, wanted)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(g.path) != own {
		t.Errorf("it is %s", g.path)
	}
	for file, content := range map[string]string{
		filepath.Join(own, "agent", "cgroup.procs"): pid, filepath.Join(g.path, "memory.max"): "67108864", filepath.Join(g.path, "cpu.max"): "150000 100000",
		filepath.Join(g.path, "pids.max"): "20", filepath.Join(g.path, "memory.oom.group"): "1", filepath.Join(own, "cgroup.subtree_control"): "+pids",
	} {
		if raw, err := os.ReadFile(file); string(raw) != content || err != nil {
			t.Errorf("%s holds %q, %v", file, raw, err)
		}
	}
	if g.starved() {
		t.Error("it starved before it began")
	}
	if err := os.WriteFile(filepath.Join(g.path, "memory.events"), []byte("low 0\noom 1\noom_kill 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if !g.starved() {
		t.Error("it starved, and does not know")
	}
	g.close(false)

	again, err := makeCgroup(filepath.Join(own, "agent"), wanted) // the agent has moved
	if err != nil || filepath.Dir(again.path) != own {
		t.Fatalf("%+v, %v", again, err)
	}
	again.close(false)
}

func TestCgroupThatCannotBe(t *testing.T) {
	wanted := allowance{memory: 1 << 20}.files()
	for content, files := range map[string]map[string]string{
		"no controller memory": {"cgroup.controllers": "cpu memory-ish pids\n", "cgroup.procs": strconv.Itoa(os.Getpid())},
		"shares its cgroup":    {"cgroup.controllers": "memory\n", "cgroup.procs": "1\n" + strconv.Itoa(os.Getpid()) + "\n"},
		"no such file":         {},
	} {
		own := fakeFiles(t, files)
		if g, err := makeCgroup(own, wanted); err == nil || !strings.Contains(err.Error(), content) {
			t.Errorf("%+v, %v, want %s", g, err, content)
		}
	}
	if g, err := newCgroup(allowance{nice: 3}); g != nil || err != nil {
		t.Errorf("nothing was to be limited: %+v, %v", g, err)
	}
}
