package actions

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// formerAgent tells this program that it is the agent that is going to be killed: the folder of its notes, and the command that it runs.
const formerAgent = "FETTLE_TEST_FORMER"

// TestFormerAgent is no test: it is the program that asAgentKilled starts and kills.
func TestFormerAgent(t *testing.T) {
	dir, command, is := strings.Cut(os.Getenv(formerAgent), "|")
	if !is {
		return
	}
	table := checkTable(t, Config{Node: "n1", Children: dir})
	_ = table.Do(context.Background(), Call{Action: "shell.run", Task: "t1", Inputs: map[string]any{"command": command}, Timeout: time.Minute})
}

// asAgentKilled leaves behind what an agent does that is killed while it runs a command, which writes its process ids to $1; there are want of them.
func asAgentKilled(t *testing.T, dir, command string, want int) []int {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pids")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run=^TestFormerAgent$")
	cmd.Env = append(os.Environ(), formerAgent+"="+dir+"|"+strings.ReplaceAll(command, "$1", file))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pids := processes(t, file, want)
	t.Cleanup(func() {
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	eventually(t, "the note", func() bool { return len(traces(t, dir)) > 0 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	return pids
}

// traces reads the notes in a folder, as far as they are whole.
func traces(t *testing.T, dir string) (list []trace) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		var one trace
		if raw, err := os.ReadFile(f); err == nil && json.Unmarshal(raw, &one) == nil {
			one.file = f
			list = append(list, one)
		}
	}
	return list
}

// change rewrites the only note in a folder.
func change(t *testing.T, dir string, f func(*trace)) {
	t.Helper()
	one := traces(t, dir)[0]
	f(&one)
	if err := one.write(dir); err != nil {
		t.Fatal(err)
	}
}

func TestWhatAKilledAgentLeftRunningIsEnded(t *testing.T) {
	const stubborn = `trap "" TERM; (trap "" TERM; while :; do sleep 1; done) & echo $$ $! > $1; while :; do sleep 1; done`
	for name, c := range map[string]struct {
		command string
		pids    int
		change  func(*trace)
		want    string
		alive   bool
	}{
		"it ends when it is asked to": {`sleep 300 & echo $$ $! > $1; wait`, 2, nil, "2 processes of it were still running and were ended by TERM", false},
		"it does not":                 {stubborn, 2, nil, "", false}, // how many sleeps there are is chance
		"its first process is gone": {
			`(echo $(exec sh -c 'echo $PPID') > $1; exec sleep 300) & sleep 300 & kill -9 $$`, 1, nil, "2 processes of it were still running and were ended by TERM", false,
		},
		"its number is another's now":    {`echo $$ > $1; exec sleep 300`, 1, func(t *trace) { t.Start, t.Mark = t.Start-1, "another" }, "nothing of it was running any more", true},
		"the machine was started anew":   {`echo $$ > $1; exec sleep 300`, 1, func(t *trace) { t.Boot = "another" }, "nothing of it was running any more", true},
		"a service that it has started":  {`(echo $(exec sh -c 'echo $PPID') > $1; exec sleep 300) & kill -9 $$`, 1, func(t *trace) { t.Leave = true }, "one process of it was still running and was left alone, as a service is that it has started", true},
		"the one that starts a service":  {`echo $$ > $1; exec sleep 300`, 1, func(t *trace) { t.Leave = true }, "one process of it was still running and was ended by TERM", false},
		"the group of an agent's checks": {`echo $$ > $1; exec sleep 300`, 1, func(t *trace) { t.Task = "" }, "-", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "children")
			pids := asAgentKilled(t, dir, c.command, c.pids)
			if c.change != nil {
				change(t, dir, c.change)
			}
			table := checkTable(t, Config{Node: "n1", Children: dir})
			told, is := table.EndRemains(t.Context())["t1"]
			switch {
			case c.want == "":
				if !strings.HasSuffix(told, "were still running and were ended by KILL") {
					t.Errorf("told %q", told)
				}
			case c.want == "-" && is, c.want != "-" && told != c.want:
				t.Errorf("told %q, want %q", told, c.want)
			}
			if alive := !slices.ContainsFunc(pids, gone); alive != c.alive {
				t.Errorf("%v live: %v, want %v", pids, alive, c.alive)
			}
			if left := traces(t, dir); len(left) != 0 {
				t.Errorf("notes that stay: %+v", left)
			}
			if told := table.EndRemains(t.Context()); len(told) != 0 {
				t.Errorf("told again: %v", told)
			}
		})
	}
}

func TestAnAgentThatIsToStopDoesNotWaitForWhatWasLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "children")
	pids := asAgentKilled(t, dir, `trap "" TERM; echo $$ > $1; while :; do sleep 1; done`, 1)
	table := checkTable(t, Config{Node: "n1", Children: dir})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if told := table.EndRemains(ctx)["t1"]; !strings.HasSuffix(told, "ended by KILL") || !gone(pids[0]) {
		t.Errorf("told %q", told)
	}
}

func TestNotesOfWhatRuns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "children")
	table := checkTable(t, Config{Node: "n1", Children: dir})
	file := filepath.Join(t.TempDir(), "pids")
	if err := syscall.Mkfifo(file+".go", 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan Outcome)
	go func() {
		done <- table.Do(context.Background(), Call{Action: "shell.run", Task: "t1", Inputs: map[string]any{"command": "echo $$ > " + file + "; echo $FETTLE_CHILD; read x < " + file + ".go"}, Timeout: time.Minute})
	}()
	pid := processes(t, file, 1)[0]
	eventually(t, "the note", func() bool { return len(traces(t, dir)) == 1 })
	one := traces(t, dir)[0]
	if one.PID != pid || one.Task != "t1" || one.Action != "shell.run" || one.Leave {
		t.Errorf("noted %+v", one)
	}
	if told := table.EndRemains(t.Context()); len(told) != 0 {
		t.Errorf("its own is what it has ended: %v", told)
	}
	if err := os.WriteFile(file+".go", []byte("x\n"), 0); err != nil {
		t.Fatal(err)
	}
	out := <-done
	if out.Status != fettle.StatusOK || out.Data["stdout"] != one.Mark+"\n" {
		t.Errorf("%+v", out)
	}
	if left := traces(t, dir); len(left) != 0 {
		t.Errorf("a note that stays: %+v", left)
	}
}

func TestTornNotesOfWhatRuns(t *testing.T) {
	dir := t.TempDir()
	self := strconv.Itoa(os.Getpid())
	for i, text := range []string{"", `{"mark":"x","pid"`, `{"mark":"x","pid":0}`, `{"mark":"","pid":` + self + `}`, `{"mark":"x","pid":1}`, `{"mark":"x","pid":-1}`, `{"mark":"x","task":"t","pid":` + self + `}`} {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	table := checkTable(t, Config{Node: "n1", Children: dir})
	if told := table.EndRemains(t.Context()); len(told) != 1 || told["t"] != (fate{}).String() {
		t.Errorf("told %v", told)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
