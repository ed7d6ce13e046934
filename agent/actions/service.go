package actions

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// serviceState is how a service is.
type serviceState struct {
	state   string // running, stopped, failed, starting, stopping, unknown
	enabled string // enabled, disabled, static, masked, unknown
	pid     int64
	output  string // what the status command printed
}

// services is what keeps services on a machine. An error of its methods that is ErrNotFound: there is no such service.
type services interface {
	name() string
	status(ctx context.Context, service string) (serviceState, error)
	// do starts, stops, restarts, reloads, enables or disables. The ending tells what the command said.
	do(ctx context.Context, verb, service string) (ending, error)
}

// servicesOf finds what keeps services below root: systemd where it is the first process, else the scripts of init.d.
func servicesOf(root string) (services, error) {
	if info, err := os.Stat(filepath.Join(root, "/run/systemd/system")); err == nil && info.IsDir() {
		return systemd{}, nil
	}
	for _, dir := range []string{"/etc/init.d", "/etc/rc.d/init.d"} {
		if info, err := os.Stat(filepath.Join(root, dir)); err == nil && info.IsDir() {
			return sysv{root: root, dir: filepath.Join(root, dir)}, nil
		}
	}
	return nil, fmt.Errorf("this node has neither systemd nor scripts in init.d: %w", fettle.ErrUnavailable)
}

func serviceActions(cfg Config) []Action {
	root := cfg.Root
	if root == "" {
		root = "/"
	}
	actions := []Action{{Manifest: manifest("service.status"), Do: func(ctx context.Context, call Call) Outcome { return serviceStatus(ctx, call, root) }}}
	for _, verb := range []string{"start", "stop", "restart", "reload", "enable", "disable"} {
		actions = append(actions, Action{Manifest: manifest("service." + verb), Do: func(ctx context.Context, call Call) Outcome { return serviceChange(ctx, call, root, verb) }})
	}
	return actions
}

func serviceStatus(ctx context.Context, call Call, root string) Outcome {
	m, err := servicesOf(root)
	if err != nil {
		return refusedOr(err, fettle.StatusOther)
	}
	name := inputString(call, "name")
	s, err := m.status(ctx, name)
	if err != nil {
		return serviceFault(ctx, call, err)
	}
	return Outcome{Message: fmt.Sprintf("%s is %s", name, s.state), Data: s.data(m)}
}

func (s serviceState) data(m services) map[string]any {
	data := map[string]any{"state": s.state, "enabled": s.enabled, "pid": s.pid, "manager": m.name()}
	if s.output != "" {
		data["output"] = s.output
	}
	return data
}

func serviceFault(ctx context.Context, call Call, err error) Outcome {
	if ctx.Err() != nil {
		return ended(ctx, call.Action, call.Timeout)
	}
	return refusedOr(err, fettle.StatusOther)
}

// serviceChange changes a service's state, and looks whether it did. The outcome is that of the command, and of what came of it.
func serviceChange(ctx context.Context, call Call, root, verb string) Outcome {
	m, err := servicesOf(root)
	if err != nil {
		return refusedOr(err, fettle.StatusOther)
	}
	name := inputString(call, "name")
	before, err := m.status(ctx, name)
	if err != nil {
		return serviceFault(ctx, call, err)
	}
	if verb == "start" && before.state == "running" || verb == "stop" && before.state == "stopped" {
		out := Outcome{Message: fmt.Sprintf("%s is %s already", name, before.state), Data: before.data(m)}
		out.Data["changed"], out.Data["before"] = false, before.state
		delete(out.Data, "output")
		return out
	}
	end, err := m.do(ctx, verb, name)
	if err != nil {
		return serviceFault(ctx, call, err)
	}
	after, err := settled(ctx, m, verb, name, end.exit == 0)
	if err != nil {
		return serviceFault(ctx, call, err)
	}
	out := Outcome{Message: fmt.Sprintf("%s is %s", name, after.state), Data: after.data(m)}
	was := before.state
	if verb == "enable" || verb == "disable" {
		was, out.Message = before.enabled, fmt.Sprintf("%s is %s", name, after.enabled)
		out.Data["changed"] = before.enabled != after.enabled
	} else {
		out.Data["changed"] = verb == "restart" || verb == "reload" || before.state != after.state
	}
	out.Data["before"] = was
	delete(out.Data, "output")
	if said := strings.TrimSpace(text(end.stdout) + text(end.stderr)); said != "" {
		out.Data["output"] = said
	}
	switch {
	case end.killed:
		stopped := ended(ctx, "service "+verb, call.Timeout)
		out.Status, out.Message = stopped.Status, stopped.Message
	case end.exit != 0:
		out.Status, out.Message = fettle.StatusFailed, fmt.Sprintf("%s of %s: exit %d%s", verb, name, end.exit, lastWords(text(end.stderr), text(end.stdout)))
	case (verb == "start" || verb == "restart") && (after.state == "stopped" || after.state == "failed"):
		out.Status, out.Message = fettle.StatusFailed, fmt.Sprintf("%s is %s after its %s", name, after.state, verb)
	case verb == "stop" && after.state == "running":
		out.Status, out.Message = fettle.StatusFailed, name+" is still running"
	}
	return out
}

// toSettle is how long a service that says it does what it was asked is given to do it.
const toSettle = 3 * time.Second

// settled gives a service's state after verb. A script that says it did may return a moment before the service is there, or gone.
func settled(ctx context.Context, m services, verb, name string, did bool) (serviceState, error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(toSettle); ; {
		s, err := m.status(context.WithoutCancel(ctx), name)
		done := true
		switch verb {
		case "start", "restart":
			done = s.state == "running" || s.state == "failed"
		case "stop":
			done = s.state == "stopped" || s.state == "failed"
		}
		if err != nil || done || !did || time.Now().After(end) || ctx.Err() != nil {
			return s, err
		}
		<-tick.C
	}
}

// serviceCommand runs a command that is about a service. What it starts goes on when the command has ended.
func serviceCommand(ctx context.Context, path string, args ...string) (ending, error) {
	path, err := lookPath(path)
	if err != nil {
		return ending{}, fmt.Errorf("%w: %w", err, fettle.ErrUnavailable)
	}
	env := append(childEnv(nil), "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=", "SYSTEMCTL_SKIP_REDIRECT=1")
	end, err := child{path: path, args: args, env: env, leave: true, stdout: keepStderr, stderr: keepStderr}.run(ctx)
	if err != nil {
		return end, fmt.Errorf("cannot start %s: %s: %w", path, startFault(err), fettle.ErrUnavailable)
	}
	return end, nil
}
