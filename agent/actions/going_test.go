package actions

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGoing has a process that is called as Puppet hold Puppet's lock, as its daemon does while it runs.
func TestGoing(t *testing.T) {
	dir := t.TempDir()
	lock := filepath.Join(dir, "state", "agent_catalog_run.lock")
	if err := os.MkdirAll(filepath.Dir(lock), 0o755); err != nil {
		t.Fatal(err)
	}
	table, err := New(Config{PuppetDirs: []string{filepath.Join(dir, "none"), dir}})
	if err != nil {
		t.Fatal(err)
	}
	if got := table.Going(); len(got) != 0 {
		t.Errorf("nothing runs: %v", got)
	}
	daemon := exec.Command("sleep", "60")
	daemon.Args[0] = "puppet agent: applying configuration"
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(lock, []byte(strconv.Itoa(daemon.Process.Pid)), 0o644); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"puppet.runonce"}, table.Going()); diff != "" {
		t.Error(diff)
	}
	_ = daemon.Process.Kill()
	_ = daemon.Wait() // it was killed
	if got := table.Going(); len(got) != 0 {
		t.Errorf("the lock is of a process that is no more: %v", got)
	}
}
