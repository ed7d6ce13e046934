package actions

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// systemd keeps services by systemctl.
type systemd struct{}

func (systemd) name() string { return "systemd" }

func (systemd) status(ctx context.Context, service string) (serviceState, error) {
	end, err := serviceCommand(ctx, "systemctl", "show", "--no-pager", "--property=LoadState,ActiveState,SubState,UnitFileState,MainPID,Result", "--", service)
	if err != nil {
		return serviceState{}, err
	}
	if end.exit != 0 {
		return serviceState{}, fmt.Errorf("systemctl show: exit %d%s: %w", end.exit, lastWords(text(end.stderr)), fettle.ErrUnavailable)
	}
	return readSystemd(service, text(end.stdout))
}

// readSystemd reads what systemctl show prints.
func readSystemd(service, shown string) (serviceState, error) {
	properties := map[string]string{}
	for line := range strings.Lines(shown) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		properties[key] = value
	}
	if load := properties["LoadState"]; load == "not-found" || load == "" {
		return serviceState{}, fmt.Errorf("there is no service %s: %w", service, fettle.ErrNotFound)
	}
	s := serviceState{state: "unknown", enabled: "unknown"}
	switch properties["ActiveState"] {
	case "active", "reloading":
		s.state = "running"
	case "inactive":
		s.state = "stopped"
	case "failed":
		s.state = "failed"
	case "activating":
		s.state = "starting"
	case "deactivating":
		s.state = "stopping"
	}
	switch unit := properties["UnitFileState"]; unit {
	case "enabled", "disabled", "static", "masked":
		s.enabled = unit
	case "enabled-runtime", "linked", "linked-runtime", "alias", "generated", "indirect", "transient":
		s.enabled = unit
	}
	s.pid, _ = strconv.ParseInt(properties["MainPID"], 10, 64)
	return s, nil
}

func (systemd) do(ctx context.Context, verb, service string) (ending, error) {
	return serviceCommand(ctx, "systemctl", "--no-ask-password", "--no-pager", verb, "--", service)
}

// sysv keeps services by scripts.
type sysv struct {
	root string // of the file system
	dir  string // of the scripts
}

func (sysv) name() string { return "sysv" }

// script gives the path of a service's script; ErrNotFound: it has none.
func (v sysv) script(service string) (string, error) {
	path := filepath.Join(v.dir, service)
	info, err := os.Stat(path)
	if filepath.Dir(path) != filepath.Clean(v.dir) || err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return "", fmt.Errorf("there is no service %s: %w", service, fettle.ErrNotFound)
	}
	return path, nil
}

var pidWord = regexp.MustCompile(`(?i)\bpids?\b[ =:]*(\d+)`)

// status asks the script. Its exit codes are those of the LSB: 0 running, 1 dead with a pid file, 2 dead with a lock file, 3 not running, 4 unknown.
func (v sysv) status(ctx context.Context, service string) (serviceState, error) {
	script, err := v.script(service)
	if err != nil {
		return serviceState{}, err
	}
	end, err := serviceCommand(ctx, script, "status")
	if err != nil {
		return serviceState{}, err
	}
	s := serviceState{state: "unknown", enabled: v.enabled(service), output: strings.TrimSpace(text(end.stdout) + text(end.stderr))}
	switch end.exit {
	case 0:
		s.state = "running"
	case 1, 2:
		s.state = "failed"
	case 3:
		s.state = "stopped"
	}
	if m := pidWord.FindStringSubmatch(s.output); m != nil && s.state == "running" {
		s.pid, _ = strconv.ParseInt(m[1], 10, 64)
	}
	return s, nil
}

// runlevels are those in which a machine serves.
var runlevels = []string{"2", "3", "4", "5"}

// enabled tells whether a runlevel starts the service.
func (v sysv) enabled(service string) string {
	found := "unknown"
	for _, level := range runlevels {
		for _, base := range []string{"etc", "etc/rc.d"} {
			dir := filepath.Join(v.root, base, "rc"+level+".d")
			if links, _ := filepath.Glob(filepath.Join(dir, "S[0-9][0-9]"+service)); len(links) > 0 {
				return "enabled"
			}
			if _, err := os.Stat(dir); err == nil {
				found = "disabled"
			}
		}
	}
	return found
}

func (v sysv) do(ctx context.Context, verb, service string) (ending, error) {
	script, err := v.script(service)
	if err != nil {
		return ending{}, err
	}
	if verb == "enable" || verb == "disable" {
		return v.enable(ctx, verb, service)
	}
	return serviceCommand(ctx, script, verb)
}

// enable has the distribution's own program make the links: Debian's, or Red Hat's.
func (v sysv) enable(ctx context.Context, verb, service string) (ending, error) {
	if path, err := lookPath("update-rc.d"); err == nil {
		if verb == "enable" {
			if end, err := serviceCommand(ctx, path, service, "defaults"); err != nil || end.exit != 0 { // the links, where there are none yet
				return end, err
			}
		}
		return serviceCommand(ctx, path, service, verb)
	}
	path, err := lookPath("chkconfig")
	if err != nil {
		return ending{}, fmt.Errorf("neither update-rc.d nor chkconfig is there: %w", fettle.ErrUnavailable)
	}
	return serviceCommand(ctx, path, service, map[string]string{"enable": "on", "disable": "off"}[verb])
}

// lookPath finds a program where children look for it, not where the agent's own environment says.
func lookPath(name string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	for _, dir := range filepath.SplitList(workPath) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("this node has no program %s: %w", name, fs.ErrNotExist)
}
