//go:build linux

package actions

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

// sleeper starts a process whose command line has a mark that no other has, and waits for it at the test's end.
func sleeper(t *testing.T) (mark string, pid int) {
	t.Helper()
	dir := t.TempDir()
	mark = filepath.Join(dir, "sleeper")
	cmd := exec.Command("/bin/sh", "-c", "sleep 60; true", mark)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-done })
	return mark, cmd.Process.Pid
}

func pidsIn(out Outcome) (pids []string) {
	rows, _ := out.Data["processes"].([]any)
	for _, row := range rows {
		fields, _ := row.(map[string]any)
		pids = append(pids, fmt.Sprint(fields["pid"]))
	}
	return pids
}

func TestProcesses(t *testing.T) {
	mark, pid := sleeper(t)
	out := do(t, "process.grep", map[string]any{"pattern": mark})
	want(t, out, fettle.StatusOK, "1 process")
	if pids := pidsIn(out); len(pids) != 1 || pids[0] != strconv.Itoa(pid) || out.Data["count"] != int64(1) {
		t.Fatalf("%v, want %d", out.Data, pid)
	}
	rows, _ := out.Data["processes"].([]any)
	row, _ := rows[0].(map[string]any)
	memory, _ := row["memory"].(int64)
	age, known := row["age"].(int64)
	if row["command"] != "/bin/sh -c sleep 60; true "+mark || row["state"] == "" || row["user"] == "" || memory <= 0 || !known || age < 0 || age > 60 {
		t.Errorf("row %v", row)
	}
	want(t, do(t, "process.grep", map[string]any{"pattern": mark, "user": "no-such-user"}), fettle.StatusOK, "0 processes")
	want(t, do(t, "process.grep", map[string]any{"pattern": "("}), fettle.StatusInvalidInput, "pattern: missing closing )")
	list := do(t, "process.list", map[string]any{"limit": 3})
	if n := len(pidsIn(list)); n != 3 || list.Data["count"].(int64) < 4 {
		t.Errorf("%d listed of %v", n, list.Data["count"])
	}

	want(t, do(t, "process.signal", nil), fettle.StatusMissingInput, "process.signal: input pid or input pattern is needed")
	want(t, do(t, "process.signal", map[string]any{"pattern": mark + "-nobody"}), fettle.StatusFailed, "there is no such process")
	want(t, do(t, "process.signal", map[string]any{"pid": []any{"1", strconv.Itoa(os.Getpid())}, "signal": "CONT"}), fettle.StatusFailed, "0 processes reached, 2 not")
	out = do(t, "process.signal", map[string]any{"pattern": mark, "signal": "KILL"})
	want(t, out, fettle.StatusOK, "KILL sent to 1 process")
	eventually(t, "it to end", func() bool { return gone(pid) })
}

func TestSignalsSpareTheAgent(t *testing.T) {
	own, err := os.ReadFile("/proc/self/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Split(string(own), "\x00")[0]
	out := do(t, "process.signal", map[string]any{"pattern": "^" + name, "pid": []any{strconv.Itoa(os.Getpid())}})
	if out.Status != fettle.StatusFailed || out.Data["count"] != int64(0) {
		t.Errorf("%+v", out)
	}
}
