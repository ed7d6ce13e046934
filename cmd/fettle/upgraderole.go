package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fettle-dev/fettle/agent"
	"github.com/fettle-dev/fettle/agent/actions"
)

// An upgrade of the agent has three parts. The old program puts the new one in its place and stays, as a guard. It runs the new one on trial: as the
// same node, which says hello and does nothing else. Then the guard becomes the new program, or puts the old one back and becomes that. Where the guard is
// killed, whoever starts the agent again starts the new program, which is on trial by itself.

// trialEnv tells a program that it is on trial under a guard, by the task of the upgrade.
const trialEnv = "FETTLE_TRIAL"

// guardSlack is what a program on trial gets beyond its time, to end.
const guardSlack = 15 * time.Second

// ownProgram gives where this program is, links resolved; empty: it cannot be said.
func ownProgram() string {
	program, err := os.Executable()
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		return ""
	}
	return program
}

// guard runs the new program on trial, and becomes what has proved itself.
func (a *app) guard(ctx context.Context, state string, swap *actions.Swap, log *slog.Logger) error {
	log.Info("an upgrade is tried", "version", swap.To)
	why := a.try(ctx, swap)
	if ctx.Err() != nil {
		return nil // told to stop: the trial goes on when the agent is started again
	}
	told, err := actions.ReadSwap(state)
	if err != nil {
		return err
	}
	if told != nil && told.Welcomed {
		err = told.Done()
	} else {
		log.Error("the upgrade is taken back", "version", swap.To, "err", why)
		err = swap.Back(why)
	}
	if err != nil {
		return err
	}
	return a.become(ctx, swap.Program, os.Args)
}

// try runs the new program until it has been welcomed, has ended otherwise, or its time is up. It gives why it was not welcomed.
func (a *app) try(ctx context.Context, swap *actions.Swap) string {
	limited, cancel := context.WithTimeout(ctx, swap.Wait()+guardSlack)
	defer cancel()
	words := &lastLine{to: a.stderr}
	cmd := exec.CommandContext(limited, swap.Program, os.Args[1:]...)
	cmd.Env = append(os.Environ(), trialEnv+"="+string(swap.Task))
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = words, words, time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if ctx.Err() == nil {
		cmd.WaitDelay = 2 * time.Second
	}
	err := cmd.Run()
	switch {
	case limited.Err() != nil:
		return fmt.Sprintf("it was not welcomed within %s", swap.Wait())
	case err != nil:
		return whyEnded(err, words.text())
	}
	return "it ended without being welcomed: " + words.text()
}

// whyEnded gives in one line why a program on trial ended: its own words, or, where it crashed, how it ended and the last that it said.
func whyEnded(err error, last string) string {
	if why, own := strings.CutPrefix(last, programName+": "); own {
		return why
	}
	return strings.TrimSuffix(err.Error()+": "+last, ": ")
}

// trial is this program on trial: it says hello as the node that it is, and does nothing else. Without a guard it puts the old program back by itself.
func (a *app) trial(ctx context.Context, cfg agentSettings, secret brokerSecret, swap *actions.Swap, log *slog.Logger) error {
	guarded := os.Getenv(trialEnv) == string(swap.Task)
	back := func(why string) error {
		if guarded {
			return errors.New(why)
		}
		log.Error("the upgrade is taken back", "version", swap.To, "err", why)
		if err := swap.Back(why); err != nil {
			return err
		}
		return a.become(ctx, swap.Program, os.Args)
	}
	if version != swap.To {
		return back("the agent was ended before the new program was in its place")
	}
	if !guarded {
		if may, err := swap.Begin(); err != nil || !may {
			return back(fmt.Sprintf("it was started %d times and never welcomed", swap.Starts-1))
		}
	}
	limited, stop := context.WithTimeout(ctx, swap.Wait())
	defer stop()
	var welcomed atomic.Bool
	n, err := openNode(limited, cfg, secret, log, nil, func(c *agent.Config) {
		c.Trial, c.Welcomed = true, func() { welcomed.Store(true); stop() }
	})
	if err == nil {
		err = n.run(limited)
	}
	switch {
	case !welcomed.Load() && ctx.Err() != nil:
		return nil
	case !welcomed.Load() && err != nil:
		return back(err.Error())
	case !welcomed.Load():
		return back(fmt.Sprintf("it was not welcomed within %s", swap.Wait()))
	}
	if err := swap.Welcome(); err != nil || guarded {
		return err
	}
	if err := swap.Done(); err != nil {
		return err
	}
	return a.become(ctx, swap.Program, os.Args)
}

// afterUpgrade has an agent tell what became of the upgrade before it, and forget it once the server has it.
func afterUpgrade(swap *actions.Swap, log *slog.Logger) func(*agent.Config) {
	return func(c *agent.Config) {
		if swap == nil {
			return
		}
		c.Recovered = swap.Outcome
		c.Welcomed = func() {
			if err := swap.Forget(); err != nil {
				log.Warn("what is left of an upgrade cannot be removed", "err", err)
			}
		}
	}
}

// lastLine hands on what a program says, and keeps the last of it.
type lastLine struct {
	to   interface{ Write([]byte) (int, error) }
	kept []byte
}

// Write implements io.Writer.
func (l *lastLine) Write(p []byte) (int, error) {
	l.kept = append(l.kept, p...)
	l.kept = l.kept[max(0, len(l.kept)-2000):]
	return l.to.Write(p)
}

func (l *lastLine) text() string {
	lines := strings.Split(strings.TrimSpace(string(l.kept)), "\n")
	return plainLine(lines[len(lines)-1], 300)
}
