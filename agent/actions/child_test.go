//go:build unix

package actions

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/agent"
)

// testPlugin gives the path of a script in testdata.
func testPlugin(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "plugins", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// processes gives the process ids that a script has written to a file, once there are want of them.
func processes(t *testing.T, file string, want int) (pids []int) {
	t.Helper()
	eventually(t, "the script to tell its processes", func() bool {
		text, _ := os.ReadFile(file)
		pids = nil
		for _, word := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
		return len(pids) == want
	})
	return pids
}

// eventually waits until done says so, and fails after a minute.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// gone tells whether a process has ended; one that nobody has waited for yet counts as ended.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}

func TestChildThatIgnoresTermIsKilledWithItsGroup(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pids")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan ending)
	go func() {
		end, err := child{path: testPlugin(t, "check_stubborn"), args: []string{pidFile}, env: nrpeEnv(nil, nil)}.run(ctx)
		if err != nil {
			t.Error(err)
		}
		ended <- end
	}()
	pids := processes(t, pidFile, 2)
	began := time.Now()
	cancel()
	end := <-ended
	if took := time.Since(began); took > toTerminate+3*time.Second {
		t.Errorf("it took %s to end it", took)
	}
	if !end.killed || string(end.stdout) != "begun\n" {
		t.Errorf("ended %+v", end)
	}
	for _, pid := range pids {
		eventually(t, "process "+strconv.Itoa(pid)+" to end", func() bool { return gone(pid) })
	}
}

// TestAnAgentThatStopsGivesLess: it leaves a second after it has ended what runs, and KILL has to come before.
func TestAnAgentThatStopsGivesLess(t *testing.T) {
	for cause, want := range map[error]time.Duration{agent.ErrStopped: toTerminate / 4, errors.New("cancelled"): toTerminate} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		limited, end := context.WithTimeout(ctx, time.Minute)
		if got := graceOf(limited); got != want {
			t.Errorf("%v: %s", cause, got)
		}
		end()
	}
}

func TestChildThatLeavesOneBehind(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	began := time.Now()
	end, err := child{path: testPlugin(t, "check_leaves"), args: []string{pidFile}, env: nrpeEnv(nil, nil)}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if end.killed || end.exit != 0 || string(end.stdout) != "OK - left one behind\n" {
		t.Errorf("ended %+v", end)
	}
	pid := processes(t, pidFile, 1)[0]
	eventually(t, "the one behind to end", func() bool { return gone(pid) })
}

func TestChildOutputIsCut(t *testing.T) {
	end, err := child{path: testPlugin(t, "check_huge"), env: nrpeEnv(nil, nil)}.run(t.Context())
	if err != nil || len(end.stdout) != maxStdout || end.exit != 0 {
		t.Errorf("%d bytes, exit %d, %v", len(end.stdout), end.exit, err)
	}
}

func TestChildThatIsNotThere(t *testing.T) {
	if _, err := (child{path: "/no/such/plugin"}).run(t.Context()); err == nil || !strings.Contains(startFault(err), "no such file") {
		t.Errorf("got %v", err)
	}
}

func checkTable(t *testing.T, cfg Config) *Table {
	t.Helper()
	table, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestCheckRun(t *testing.T) {
	dir := filepath.Dir(testPlugin(t, "x"))
	table := checkTable(t, Config{PluginDirs: []string{dir}})
	run := func(plugin string, args ...string) Outcome {
		return table.Do(t.Context(), Call{Action: "check.run", Inputs: map[string]any{"plugin": plugin, "args": args}})
	}
	t.Run("arguments do not pass through a shell", func(t *testing.T) {
		out := run("check_args", "a b", "$(id)", "'; rm -rf /", "*")
		if out.Status != fettle.StatusOK || out.Output.Line != "[a b][$(id)]['; rm -rf /][*]" || *out.Output.Perfdata[0].Value != 4 {
			t.Errorf("got %+v %+v", out, out.Output)
		}
	})
	t.Run("the result is ok whatever the plugin says", func(t *testing.T) {
		for exit, want := range map[string]fettle.CheckCode{"0": 0, "1": 1, "2": 2, "3": 3, "4": 3, "126": 3, "255": 3} {
			out := run("check_state", exit)
			if out.Status != fettle.StatusOK || out.Output.Code != want || out.Output.Line != "STATE is "+exit || out.Output.Long != "long line" {
				t.Errorf("exit %s: got %+v %+v", exit, out, out.Output)
			}
			if out.Data["stderr"] != "noise" || out.Data["output"] != "STATE is "+exit || out.Data["perfdata"] != "'a value'="+exit+";1;2" {
				t.Errorf("exit %s: data %v", exit, out.Data)
			}
			if bad, _ := out.Data["perfdata_bad"].([]string); len(bad) != 1 {
				t.Errorf("exit %s: bad perfdata %q", exit, bad)
			}
		}
	})
	t.Run("garbage is mended", func(t *testing.T) {
		out := run("check_garbage")
		if out.Output.Line != "\uFFFD\uFFFD\uFFFD[31mWARN\uFFFDING" || out.Output.Code != fettle.CodeWarning {
			t.Errorf("got %q", out.Output.Line)
		}
	})
	t.Run("no output", func(t *testing.T) {
		if out := run("check_silent"); out.Output.Line != "(no output)" || out.Output.Code != 0 {
			t.Errorf("got %+v", out.Output)
		}
	})
	t.Run("a signal is critical", func(t *testing.T) {
		if out := run("check_signal"); out.Output.Code != fettle.CodeCritical || out.Data["exitcode"] != int64(-1) {
			t.Errorf("got %+v %+v", out, out.Output)
		}
	})
	t.Run("a timeout", func(t *testing.T) {
		out := table.Do(t.Context(), Call{
			Action: "check.run", Timeout: 100 * time.Millisecond,
			Inputs: map[string]any{"plugin": "check_stubborn", "args": []string{filepath.Join(t.TempDir(), "pids")}},
		})
		if out.Status != fettle.StatusTimeout || out.Output == nil || out.Output.Code != fettle.CodeUnknown || !strings.HasPrefix(out.Message, "check_stubborn timed out") {
			t.Errorf("got %+v %+v", out, out.Output)
		}
	})
}

func TestCheckRunStaysInItsFolders(t *testing.T) {
	top := t.TempDir()
	dir, outside := filepath.Join(top, "plugins"), filepath.Join(top, "outside")
	for _, d := range []string{dir, outside, filepath.Join(dir, "sub")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script := []byte("#!/bin/sh\necho ran\n")
	for _, f := range []string{filepath.Join(dir, "good"), filepath.Join(dir, "sub", "good"), filepath.Join(outside, "evil")} {
		if err := os.WriteFile(f, script, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"alias": "good", "escape": "../outside/evil", "far": "/bin/sh", "folder": "../outside"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	table := checkTable(t, Config{PluginDirs: []string{filepath.Join(top, "missing"), dir}})
	tests := []struct {
		plugin string
		status fettle.Status
	}{
		{"good", fettle.StatusOK},
		{"sub/good", fettle.StatusOK},
		{"alias", fettle.StatusOK},
		{filepath.Join(dir, "good"), fettle.StatusOK},
		{"escape", fettle.StatusRefused},
		{"far", fettle.StatusRefused},
		{"folder/evil", fettle.StatusRefused},
		{"../outside/evil", fettle.StatusRefused},
		{filepath.Join(dir, "..", "outside", "evil"), fettle.StatusRefused},
		{"/bin/sh", fettle.StatusRefused},
		{"/no/such", fettle.StatusRefused},
		{".", fettle.StatusRefused},
		{"sub", fettle.StatusInvalidInput},
		{"nosuch", fettle.StatusInvalidInput},
		{filepath.Join(dir, "nosuch"), fettle.StatusInvalidInput},
	}
	for _, tt := range tests {
		out := table.Do(t.Context(), Call{Action: "check.run", Inputs: map[string]any{"plugin": tt.plugin}})
		if out.Status != tt.status || out.Output == nil || out.Status != fettle.StatusOK && out.Output.Code != fettle.CodeUnknown {
			t.Errorf("%s: got %s, %s", tt.plugin, out.Status, out.Message)
		}
	}
	none := checkTable(t, Config{})
	if out := none.Do(t.Context(), Call{Action: "check.run", Inputs: map[string]any{"plugin": "good"}}); out.Status != fettle.StatusRefused {
		t.Errorf("without folders: %s, %s", out.Status, out.Message)
	}
}
