package actions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of a list of processes.
const (
	maxListed  = 500 // of process.grep and process.signal
	maxCommand = 300 // bytes of a command line
)

func processActions() []Action {
	return []Action{
		{Manifest: manifest("process.list"), Do: processList},
		{Manifest: manifest("process.grep"), Do: processGrep},
		{Manifest: manifest("process.signal"), Do: processSignal},
	}
}

// proc is one process.
type proc struct {
	pid     int32
	user    string
	memory  int64 // bytes
	state   string
	began   time.Time
	command string // whole
}

// row is a process as results have it.
func (p proc) row() map[string]any {
	return map[string]any{
		"pid": int64(p.pid), "user": p.user, "memory": p.memory, "state": p.state, "age": int64(time.Since(p.began).Seconds()), "command": clip(p.command, maxCommand),
	}
}

// pick says which processes are meant; what is empty does not matter.
type pick struct {
	pids    []string
	pattern *regexp.Regexp
	user    string
}

func pickOf(call Call) (pick, error) {
	p := pick{pids: inputList(call, "pid"), user: inputString(call, "user")}
	if text := inputString(call, "pattern"); text != "" {
		re, err := regexp.Compile(text)
		if err != nil {
			return p, fmt.Errorf("pattern: %s: %w", strings.TrimPrefix(err.Error(), "error parsing regexp: "), fettle.ErrInvalid)
		}
		p.pattern = re
	}
	return p, nil
}

// processes gives those that p means, the largest first. One that ends meanwhile is none.
func processesOf(ctx context.Context, p pick) ([]proc, error) {
	all, err := process.ProcessesWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	var found []proc
	for _, one := range all {
		if len(p.pids) > 0 && !slices.ContainsFunc(p.pids, func(s string) bool { n, err := strconv.Atoi(s); return err == nil && n == int(one.Pid) }) {
			continue
		}
		if described, is := p.describe(ctx, one); is {
			found = append(found, described)
		}
	}
	slices.SortFunc(found, func(a, b proc) int { return cmp.Or(cmp.Compare(b.memory, a.memory), cmp.Compare(a.pid, b.pid)) })
	return found, ctx.Err()
}

// describe tells of one process, and whether it is meant.
func (p pick) describe(ctx context.Context, one *process.Process) (proc, bool) {
	d := proc{pid: one.Pid}
	d.command, _ = one.CmdlineWithContext(ctx)
	if d.command = strings.Join(strings.Fields(d.command), " "); d.command == "" { // a thread of the kernel, or a zombie
		name, err := one.NameWithContext(ctx)
		if err != nil {
			return d, false
		}
		d.command = "[" + name + "]"
	}
	d.command = strings.ToValidUTF8(d.command, "\uFFFD")
	if p.pattern != nil && !p.pattern.MatchString(d.command) {
		return d, false
	}
	if uids, err := one.UidsWithContext(ctx); err == nil && len(uids) > 0 {
		d.user = strconv.FormatInt(int64(uids[0]), 10)
	}
	number := d.user
	if name, err := one.UsernameWithContext(ctx); err == nil {
		d.user = name
	}
	if p.user != "" && p.user != d.user && p.user != number {
		return d, false
	}
	if m, err := one.MemoryInfoWithContext(ctx); err == nil && m != nil {
		d.memory = int64(m.RSS)
	}
	if s, err := one.StatusWithContext(ctx); err == nil && len(s) > 0 {
		d.state = s[0]
	}
	if ms, err := one.CreateTimeWithContext(ctx); err == nil {
		d.began = time.UnixMilli(ms)
	}
	return d, true
}

// listed gives the data of a list: all are counted, limit of them are shown.
func listed(found []proc, limit int) map[string]any {
	rows, memory := []any{}, int64(0)
	for i, p := range found {
		memory += p.memory
		if i < limit {
			rows = append(rows, p.row())
		}
	}
	return map[string]any{"count": int64(len(found)), "memory": memory, "processes": rows}
}

func processList(ctx context.Context, call Call) Outcome {
	p, err := pickOf(call)
	if err != nil {
		return refusedOr(err, fettle.StatusOther)
	}
	return foundOutcome(ctx, call, p, int(inputInt(call, "limit")))
}

func processGrep(ctx context.Context, call Call) Outcome {
	p, err := pickOf(call)
	if err != nil {
		return refusedOr(err, fettle.StatusOther)
	}
	return foundOutcome(ctx, call, p, maxListed)
}

func foundOutcome(ctx context.Context, call Call, p pick, limit int) Outcome {
	found, err := processesOf(ctx, p)
	switch {
	case ctx.Err() != nil:
		return ended(ctx, "listing processes", call.Timeout)
	case err != nil:
		return Outcome{Status: fettle.StatusOther, Message: err.Error()}
	}
	return Outcome{Message: count(len(found), "process", "processes"), Data: listed(found, limit)}
}

// processSignal signals what is meant, but never the agent, and never the first process: that is the whole machine.
func processSignal(ctx context.Context, call Call) Outcome {
	p, err := pickOf(call)
	if err != nil {
		return refusedOr(err, fettle.StatusOther)
	}
	if len(p.pids) == 0 && p.pattern == nil {
		return Outcome{Status: fettle.StatusMissingInput, Message: "process.signal: input pid or input pattern is needed"}
	}
	signal, known := signalNamed(inputString(call, "signal"))
	if !known {
		return invalid("this system has no signal %s", inputString(call, "signal"))
	}
	found, err := processesOf(ctx, p)
	if err != nil {
		return Outcome{Status: fettle.StatusOther, Message: err.Error()}
	}
	reached, faults := []proc{}, []string{}
	for _, one := range found {
		err := errors.New("it is the agent, or the first process")
		if int(one.pid) != os.Getpid() && one.pid > 1 {
			err = sendSignal(int(one.pid), signal)
		} else if len(p.pids) == 0 {
			continue // the pattern did not mean it
		}
		if err != nil {
			faults = append(faults, fmt.Sprintf("%d %s: %v", one.pid, clip(one.command, 80), err))
			continue
		}
		reached = append(reached, one)
	}
	out := Outcome{Data: listed(reached, maxListed)}
	delete(out.Data, "memory")
	if len(faults) > 0 {
		out.Data["failed"] = faults
	}
	switch {
	case len(faults) > 0:
		out.Status, out.Message = fettle.StatusFailed, fmt.Sprintf("%s reached, %d not", count(len(reached), "process", "processes"), len(faults))
	case len(reached) == 0:
		out.Status, out.Message = fettle.StatusFailed, "there is no such process"
	default:
		out.Message = fmt.Sprintf("%s sent to %s", inputString(call, "signal"), count(len(reached), "process", "processes"))
	}
	return out
}

// count gives "1 file", "2 files".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
