package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	fettle "github.com/fettle-dev/fettle"
)

// markVariable is in the environment of every program that an action starts: what it started itself is known by it when it has ended.
const markVariable = "FETTLE_CHILD"

// trace is what is noted of a program while it runs: enough to find it again, and never to take another process for it.
type trace struct {
	Mark   string        `json:"mark"`           // of its environment
	Task   fettle.TaskID `json:"task,omitempty"` // empty: it is of a check that the node does by itself
	Action string        `json:"action"`
	PID    int           `json:"pid"`              // of the first process, which is the number of its group
	Start  uint64        `json:"start"`            // when that process began, in the kernel's own count
	Boot   string        `json:"boot"`             // which life of the machine
	Cgroup string        `json:"cgroup,omitempty"` // folder of its control group; empty: it has none
	Leave  bool          `json:"leave,omitempty"`  // what it leaves behind goes on living

	file string
}

// remains notes on disk which programs of actions run, so that the agent that follows one that was killed ends what is left of them. A nil one notes
// nothing. It is safe for concurrent use.
type remains struct {
	dir    string
	log    *slog.Logger
	former []trace // of processes of the agent before this one
}

// openRemains reads what an agent before this one has left in dir. It touches nothing: that agent may live.
func openRemains(dir string, log *slog.Logger) (*remains, error) {
	if dir == "" || !tracing {
		return nil, nil
	}
	r := &remains{dir: dir, log: log}
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("programs that run: %w", err)
	}
	for _, f := range files {
		t := trace{}
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err == nil {
			err = json.Unmarshal(raw, &t)
		}
		if err != nil || t.PID < 2 || t.Mark == "" {
			t = trace{} // cut short by the kill
		}
		t.file = filepath.Join(dir, f.Name())
		r.former = append(r.former, t)
	}
	return r, nil
}

// kin tells for whom a program runs.
type kin struct {
	*remains
	task   fettle.TaskID
	action string
}

type kinKey struct{}

// withKin says for which task a program is that is started with ctx: like the id of a request, it is asked for only where a program begins.
func withKin(ctx context.Context, r *remains, call Call) context.Context {
	if r == nil {
		return ctx
	}
	return context.WithValue(ctx, kinKey{}, kin{r, call.Task, call.Action})
}

func kinOf(ctx context.Context) kin {
	k, _ := ctx.Value(kinKey{}).(kin)
	return k
}

// note writes down that a program runs, and gives what takes the note away. A note that cannot be written, because the disk is full, say, stops no
// action: check_disk is one.
func (k kin) note(mark string, pid int, group *cgroup, leave bool) (forget func()) {
	if k.remains == nil {
		return func() {}
	}
	t := trace{Mark: mark, Task: k.task, Action: k.action, PID: pid, Cgroup: group.folder(), Leave: leave, file: filepath.Join(k.dir, mark+".json")}
	var err error
	if t.Start, t.Boot, err = birth(pid); err == nil {
		err = t.write(k.dir)
	}
	if err != nil {
		k.log.Debug("it is not noted that a program runs", "task", string(k.task), "action", k.action, "err", err)
	}
	return func() { _ = os.Remove(t.file) } // one that stays is of a program that is gone, and says so by itself
}

// write does not wait for the disk: a machine that loses what was not there yet has lost its processes too.
func (t trace) write(dir string) error {
	raw, err := json.Marshal(t)
	if err != nil {
		return err
	}
	err = os.WriteFile(t.file, raw, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(dir, 0o700); err == nil {
			err = os.WriteFile(t.file, raw, 0o600)
		}
	}
	return err
}

// end ends what an agent before this one has left running, all at once, and tells of it by task. When ctx ends, it is killed at once. It is called
// once.
func (r *remains) end(ctx context.Context) map[fettle.TaskID]string {
	if r == nil {
		return nil
	}
	fates := make([]fate, len(r.former))
	var all sync.WaitGroup
	for i, t := range r.former {
		all.Go(func() {
			if t.PID != 0 {
				fates[i] = t.end(ctx)
			}
			if !fates[i].alive {
				_ = os.Remove(t.file)
			}
		})
	}
	all.Wait()
	told := map[fettle.TaskID][]string{}
	for i, t := range r.former {
		if fates[i].found > 0 {
			r.log.Warn("what an agent before this one had left running was still running", "task", string(t.Task), "action", t.Action, "fate", fates[i].String())
		}
		if t.Task != "" && t.PID != 0 {
			told[t.Task] = append(told[t.Task], fates[i].String())
		}
	}
	r.former = nil
	out := map[fettle.TaskID]string{}
	for task, fates := range told {
		out[task] = strings.Join(fates, "; ")
	}
	return out
}

// fate is what was found of a program, and what became of it.
type fate struct {
	found  int  // processes
	left   bool // they were left as they are: services that an action has started
	killed bool // TERM was not enough
	alive  bool // KILL was not either
}

// String says it for the message of a result.
func (f fate) String() string {
	what, were := fmt.Sprintf("%d processes of it were still running", f.found), "were"
	if f.found == 1 {
		what, were = "one process of it was still running", "was"
	}
	switch {
	case f.found == 0:
		return "nothing of it was running any more"
	case f.left:
		return what + " and " + were + " left alone, as a service is that it has started"
	case f.alive:
		return what + " and cannot be ended"
	case f.killed:
		return what + " and " + were + " ended by KILL"
	}
	return what + " and " + were + " ended by TERM"
}
