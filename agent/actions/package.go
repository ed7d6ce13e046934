package actions

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// packager is what keeps packages on a machine.
type packager interface {
	name() string
	// query gives the command that lists what is installed, and read what it printed: versions by name.
	query() []string
	read(output string) map[string]string
	// change gives the command that installs, updates, removes, purges or refreshes. wait is how long it may wait for others.
	change(verb, name, version string, wait time.Duration) []string
	// outdated gives the command that lists updates, and readOutdated what it printed. Its exit codes beside 0 and those in ok are faults.
	outdated() (command []string, ok []int)
	readOutdated(output string, installed map[string]string) []update
	// locked tells whether a command that said no did so because others work with packages.
	locked(output string) bool
}

// update is a package of which there is a newer version.
type update struct {
	name, installed, available, origin string
	security                           bool
}

// packagerOf finds what keeps packages on this machine.
func packagerOf(root string) (packager, error) {
	for _, p := range []struct {
		program string
		make    func(path string) packager
	}{
		{"apt-get", func(string) packager { return apt{root} }},
		{"dnf", func(path string) packager { return rpm{path} }},
		{"yum", func(path string) packager { return rpm{path} }},
		{"apk", func(path string) packager { return apk{path} }},
	} {
		if path, err := lookPath(p.program); err == nil {
			return p.make(path), nil
		}
	}
	return nil, fmt.Errorf("this node has none of apt, dnf, yum, apk: %w", fettle.ErrUnavailable)
}

func packageActions(cfg Config) []Action {
	with := func(name string, do func(context.Context, Call, packager) Outcome) Action {
		return Action{Manifest: manifest("package." + name), Do: func(ctx context.Context, call Call) Outcome {
			p, err := packagerOf(cfg.Root)
			if err != nil {
				return refusedOr(err, fettle.StatusOther)
			}
			out := do(ctx, call, p)
			if out.Data == nil {
				out.Data = map[string]any{}
			}
			out.Data["manager"] = p.name()
			return out
		}}
	}
	actions := []Action{with("checkupdates", packageOutdated), with("refresh", packageRefresh), with("status", packageStatus)}
	for _, verb := range []string{"install", "purge", "remove", "update"} {
		actions = append(actions, with(verb, func(ctx context.Context, call Call, p packager) Outcome {
			return packageChange(ctx, call, p, verb, cfg.Root)
		}))
	}
	return actions
}

// keepPackages is how much is kept of a package manager's output: thousands of packages, a line each.
var keepPackages = keep{head: 4 << 20}

// packageCommand runs a package manager.
func packageCommand(ctx context.Context, argv []string, each func(string, []byte)) (ending, error) {
	path, err := lookPath(argv[0])
	if err != nil {
		return ending{}, fmt.Errorf("%w: %w", err, fettle.ErrUnavailable)
	}
	env := append(childEnv(nil), "DEBIAN_FRONTEND=noninteractive", "APT_LISTCHANGES_FRONTEND=none", "UCF_FORCE_CONFFOLD=1", "NEEDRESTART_SUSPEND=1", "LC_ALL=C.UTF-8")
	end, err := child{path: path, args: argv[1:], env: env, leave: true, stdout: keepPackages, stderr: keepStderr, each: each}.run(ctx)
	if err != nil {
		return end, fmt.Errorf("cannot start %s: %s: %w", path, startFault(err), fettle.ErrUnavailable)
	}
	return end, nil
}

// installedNow gives the versions of all packages.
func installedNow(ctx context.Context, p packager) (map[string]string, error) {
	end, err := packageCommand(ctx, p.query(), nil)
	if err != nil {
		return nil, err
	}
	if end.exit != 0 {
		return nil, fmt.Errorf("%s: exit %d%s: %w", p.query()[0], end.exit, lastWords(text(end.stderr), text(end.stdout)), fettle.ErrUnavailable)
	}
	return p.read(text(end.stdout)), nil
}

// versionIn gives the version of a package, whatever its architecture.
func versionIn(installed map[string]string, name string) string {
	if v, is := installed[name]; is {
		return v
	}
	for _, key := range slices.Sorted(maps.Keys(installed)) {
		if rest, is := strings.CutPrefix(key, name); is && (strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, ".") && !strings.Contains(rest[1:], ".")) {
			return installed[key]
		}
	}
	return ""
}

func packageStatus(ctx context.Context, call Call, p packager) Outcome {
	all, err := installedNow(ctx, p)
	if err != nil {
		return serviceFault(ctx, call, err)
	}
	version := versionIn(all, inputString(call, "name"))
	message := "not installed"
	if version != "" {
		message = version
	}
	return Outcome{Message: message, Data: map[string]any{"installed": version != "", "version": version}}
}

// packageChange changes what is installed, and tells what came of it by looking before and after.
func packageChange(ctx context.Context, call Call, p packager, verb, root string) Outcome {
	name, version := inputString(call, "name"), inputString(call, "version")
	before, err := installedNow(ctx, p)
	if err != nil {
		return serviceFault(ctx, call, err)
	}
	was := versionIn(before, name)
	already := func(format string, args ...any) Outcome {
		return Outcome{Message: fmt.Sprintf(format, args...), Data: map[string]any{"changed": false, "version": was, "before": was, "changes": []string{}}}
	}
	switch {
	case verb == "install" && was != "" && (version == "" || version == was):
		return already("%s %s is installed already", name, was)
	case verb == "remove" && was == "":
		return already("%s is not installed", name)
	case verb == "update" && was == "":
		out := already("%s is not installed", name)
		out.Status = fettle.StatusFailed
		return out
	}
	end, fault := changePatiently(ctx, call, p, verb, name, version)
	if fault != nil {
		return *fault
	}
	after, err := installedNow(context.WithoutCancel(ctx), p)
	if err != nil {
		return serviceFault(ctx, call, err)
	}
	now := versionIn(after, name)
	changes := differences(before, after)
	_, reboot := os.Stat(filepath.Join("/", root, "run/reboot-required"))
	out := Outcome{Data: map[string]any{"changed": len(changes) > 0, "version": now, "before": was, "changes": changes, "reboot": reboot == nil}}
	switch {
	case end.killed:
		stopped := ended(ctx, "package "+verb, call.Timeout)
		out.Status, out.Message = stopped.Status, stopped.Message
	case end.exit != 0:
		out.Status, out.Message = fettle.StatusFailed, fmt.Sprintf("%s of %s: exit %d%s", verb, name, end.exit, complaint(end))
	case verb == "install" && (now == "" || version != "" && now != version):
		out.Status, out.Message = fettle.StatusFailed, fmt.Sprintf("%s is in version %q after all", name, now)
	case (verb == "remove" || verb == "purge") && now != "":
		out.Status, out.Message = fettle.StatusFailed, fmt.Sprintf("%s %s is still there", name, now)
	case verb == "remove" || verb == "purge":
		out.Message = name + " is removed"
	case was == now:
		out.Message = fmt.Sprintf("%s %s is the newest", name, now)
	default:
		out.Message = fmt.Sprintf("%s %s", name, now)
	}
	if out.Status != fettle.StatusOK {
		out.Data["output"] = tailOf(text(end.stdout)+text(end.stderr), 4<<10)
	}
	return out
}

// changePatiently runs the command, and again when others had a lock that it did not wait for. The outcome is there when that took all the time.
func changePatiently(ctx context.Context, call Call, p packager, verb, name, version string) (ending, *Outcome) {
	const again = time.Second
	for {
		wait := time.Duration(0)
		if deadline, is := ctx.Deadline(); is {
			wait = max(0, time.Until(deadline)-2*time.Second) // so that it says itself what it waited for
		}
		end, err := packageCommand(ctx, p.change(verb, name, version, wait), call.Stream)
		if err != nil {
			out := serviceFault(ctx, call, err)
			return end, &out
		}
		if end.killed || end.exit == 0 || !p.locked(text(end.stderr)+text(end.stdout)) {
			return end, nil
		}
		timer := time.NewTimer(again)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			out := ended(ctx, "waiting for others who work with packages", call.Timeout)
			out.Data = map[string]any{"output": tailOf(text(end.stdout)+text(end.stderr), 4<<10)}
			return end, &out
		}
	}
}

// complaint gives the line in which a package manager says why.
func complaint(end ending) string {
	for _, line := range strings.Split(text(end.stderr)+"\n"+text(end.stdout), "\n") {
		for _, mark := range []string{"E: ", "Error: ", "ERROR: "} {
			if why, is := strings.CutPrefix(line, mark); is {
				return ": " + clip(why, 300)
			}
		}
	}
	return lastWords(text(end.stderr), text(end.stdout))
}

func tailOf(s string, n int) string {
	if len(s) > n {
		s = "…" + strings.ToValidUTF8(s[len(s)-n:], "")
	}
	return strings.TrimSpace(s)
}

// differences tells what came, went or has another version.
func differences(before, after map[string]string) []string {
	changes := []string{}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		switch was := before[name]; {
		case was == "":
			changes = append(changes, "installed "+name+" "+after[name])
		case was != after[name]:
			changes = append(changes, "changed "+name+" "+was+" to "+after[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if after[name] == "" {
			changes = append(changes, "removed "+name+" "+before[name])
		}
	}
	return changes
}

func packageRefresh(ctx context.Context, call Call, p packager) Outcome {
	end, fault := changePatiently(ctx, call, p, "refresh", "", "")
	if fault != nil {
		return *fault
	}
	out := Outcome{Message: "the lists are as they are at their sources", Data: map[string]any{}}
	switch {
	case end.killed:
		out = ended(ctx, "package refresh", call.Timeout)
		out.Data = map[string]any{}
	case end.exit != 0:
		out.Status, out.Message = fettle.StatusFailed, fmt.Sprintf("refresh: exit %d%s", end.exit, complaint(end))
	}
	if out.Status != fettle.StatusOK {
		out.Data["output"] = tailOf(text(end.stdout)+text(end.stderr), 4<<10)
	}
	return out
}

func packageOutdated(ctx context.Context, call Call, p packager) Outcome {
	installed, err := installedNow(ctx, p)
	if err != nil {
		return serviceFault(ctx, call, err)
	}
	command, ok := p.outdated()
	end, err := packageCommand(ctx, command, nil)
	if err != nil {
		return serviceFault(ctx, call, err)
	}
	if end.killed {
		return ended(ctx, "looking for updates", call.Timeout)
	}
	if end.exit != 0 && !slices.Contains(ok, end.exit) {
		return failed("%s: exit %d%s", command[0], end.exit, complaint(end))
	}
	updates := p.readOutdated(text(end.stdout), installed)
	rows, security := []any{}, int64(0)
	for _, u := range updates {
		rows = append(rows, map[string]any{"name": u.name, "installed": u.installed, "available": u.available, "origin": u.origin})
		if u.security {
			security++
		}
	}
	message := count(len(updates), "update", "updates")
	if security > 0 {
		message += fmt.Sprintf(", %d for security", security)
	}
	return Outcome{Message: message, Data: map[string]any{"count": int64(len(updates)), "security": security, "updates": rows}}
}
