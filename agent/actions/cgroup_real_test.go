//go:build integration && linux

package actions

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A child begins in its cgroup, and what it leaves behind ends with it. No controller is needed for that.
func TestCgroupForReal(t *testing.T) {
	mount, err := cgroupMount("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	g := &cgroup{}
	if g.path, err = os.MkdirTemp(mount, "fettle-test-"); err != nil {
		t.Fatal(err)
	}
	if g.dir, err = os.Open(g.path); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", "cat /proc/self/cgroup; setsid sleep 1000 >/dev/null 2>&1 & :")
	var out strings.Builder
	cmd.Stdout = &out
	setGroup(cmd, nil)
	g.enter(cmd)
	if err := startAt(cmd, allowance{nice: 5}, t.Logf); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "/fettle-test-") {
		t.Errorf("it ran in %q", out.String())
	}
	g.close(true)
	if _, err := os.Stat(g.path); err == nil {
		t.Error("the cgroup is still there")
	}
}
