package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/wire"
)

// checkSet is what the node has to check. It is kept on disk, so that a node goes on when it starts while the server is away. It is safe for
// concurrent use.
type checkSet struct {
	path    string
	changed chan struct{} // holds a token when the set has changed
	running atomic.Int64

	mu    sync.Mutex // guards all below
	set   wire.Checks
	state map[string]string // of the last result of each check: what makes two results alike
	means map[string]*meaning
}

// meaning is what the outcomes of a check mean.
type meaning struct {
	rev   int64
	judge *checks.Judge
	err   error // why that cannot be said here
}

// maxChecks bounds what one node is asked to check.
const maxChecks = 1000

// openChecks reads the set at path. One that is damaged is no set: the server sees by the hash that it is not there, and sends it.
func openChecks(path string) (*checkSet, error) {
	c := &checkSet{path: path, changed: make(chan struct{}, 1), state: map[string]string{}, means: map[string]*meaning{}}
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("checks: %w", err)
	}
	if json.Unmarshal(raw, &c.set) != nil || checkChecks(c.set) != nil {
		c.set = wire.Checks{}
	}
	return c, nil
}

func checkChecks(set wire.Checks) error {
	names := map[string]bool{}
	for _, c := range set.Checks {
		if c.Name == "" || c.Action == "" && c.Expression == "" || names[c.Name] {
			return fmt.Errorf("checks: %q has no name or nothing to ask, or is there twice: %w", c.Name, fettle.ErrInvalid)
		}
		names[c.Name] = true
	}
	if len(names) > maxChecks {
		return fmt.Errorf("checks: %d, and %d are allowed: %w", len(names), maxChecks, fettle.ErrInvalid)
	}
	return nil
}

func (c *checkSet) get() []fettle.Check {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.set.Checks
}

func (c *checkSet) hash() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.set.Hash
}

// replace takes a new set, and keeps it on disk. It holds even if the disk does not take it; the error says so.
func (c *checkSet) replace(set wire.Checks) error {
	if err := checkChecks(set); err != nil {
		return err
	}
	c.mu.Lock()
	c.set = set
	clear(c.means)
	c.mu.Unlock()
	c.look()
	raw, err := json.Marshal(set)
	if err == nil {
		err = replaceFile(c.path, raw)
	}
	if err != nil {
		return fmt.Errorf("keep checks: %w", err)
	}
	return nil
}

// look has whoever keeps the checks look at them again.
func (c *checkSet) look() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// replaceFile writes a file so that there is the old one or the new one at any moment.
func replaceFile(path string, raw []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// alike notes the state of a check's result, and tells whether the one before it had the same.
func (c *checkSet) alike(name, state string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.state[name]
	c.state[name] = state
	return before == state
}

// judge gives what the outcomes of a check mean; it is compiled once.
func (c *checkSet) judge(check fettle.Check) (*checks.Judge, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.means[check.Name]
	if m == nil || m.rev != check.Rev {
		m = &meaning{rev: check.Rev}
		m.judge, m.err = checks.NewJudge(check)
		c.means[check.Name] = m
	}
	return m.judge, m.err
}

// check runs one check and puts its result into the spool. It is a checks.Do.
func (a *Agent) check(ctx context.Context, check fettle.Check) fettle.CheckStatus {
	a.checks.running.Add(1)
	defer a.checks.running.Add(-1)
	a.meters.checks.Inc()
	task := fettle.Task{
		ID: fettle.TaskID(a.ids.next()), Node: a.cfg.Identity, Action: check.Action, Inputs: check.Inputs, Timeout: check.Timeout,
		Check: check.Name, CheckRev: check.Rev, Plugin: check.Plugin,
	}
	began := time.Now()
	out := Outcome{}
	if check.Action != "" {
		if unready := a.prepare(ctx, &job{task: task}); unready != nil {
			out = *unready
		} else {
			out = a.do(ctx, task)
		}
	}
	if ctx.Err() != nil {
		return fettle.CheckUnknown // the agent stops: this says nothing of the node
	}
	out.Output = a.judged(ctx, check, out)
	out.Data = nil // they are judged here, and a state keeps none
	if out.Message == "" {
		out.Message = out.Output.Line
	}
	state := fmt.Sprintf("%d %d %d", check.Rev, out.Status, out.Output.Code)
	result := a.result(task, out, began)
	if out.Status == fettle.StatusRefused {
		a.auditEnded(task, result) // what was done again and again, as it was agreed, is not written down each time
	}
	e := wire.Entry{
		ID: string(task.ID), Class: wire.ClassCheck, Key: check.Name, State: state, Body: encodeResult(result),
		Lazy: a.checks.alike(check.Name, state), // a transition waits for the disk, one more of the same does not
	}
	if err := a.spool.Put(context.WithoutCancel(ctx), e); err != nil {
		a.log.Warn("a check's result is not kept on disk", "check", check.Name, "err", err)
	}
	a.inbox.put(func(context.Context) {})
	return out.Output.Code.Status()
}

// judged gives what an outcome means to its check.
func (a *Agent) judged(ctx context.Context, check fettle.Check, out Outcome) *fettle.CheckOutput {
	judge, err := a.checks.judge(check)
	if err != nil {
		return &fettle.CheckOutput{Code: fettle.CodeUnknown, Line: "this agent does not understand the check: " + err.Error()}
	}
	node := filter.Record{}
	if judge.Looks() {
		if node, err = a.record(); err != nil {
			return &fettle.CheckOutput{Code: fettle.CodeUnknown, Line: "the node's facts cannot be read: " + err.Error()}
		}
	}
	said := judge.Judge(ctx, node, checks.Outcome{Status: out.Status, Message: out.Message, Data: out.Data, Output: out.Output})
	return &said
}

// record gives what the node knows of itself.
func (a *Agent) record() (filter.Record, error) {
	known := a.Known()
	r := filter.Record{Identity: a.cfg.Identity, Classes: known.Classes, Agent: &known.Agent, Now: fettle.MillisOf(time.Now())}
	if known.Facts == nil {
		return r, nil
	}
	doc, err := filter.ParseDocument(known.Facts)
	r.Facts = doc
	return r, err
}
