//go:build linux

package actions

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
)

// sysvRoot makes a root with one service of init.d, which keeps a real process, and gives it with the file of its process id.
func sysvRoot(t *testing.T) (root, pidFile string) {
	t.Helper()
	root = t.TempDir()
	pidFile = filepath.Join(root, "pid")
	for _, dir := range []string{"etc/init.d", "etc/rc3.d"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script := `#!/bin/sh
pid=` + pidFile + `
lives() { [ -s $pid ] && kill -0 $(cat $pid) 2>/dev/null && ! grep -q 'State:.Z' /proc/$(cat $pid)/status; }
case "$1" in
start) [ -e ` + root + `/broken ] && { echo "no configuration" >&2; exit 1; }
	[ -e ` + root + `/dies ] && exit 0
	sleep 1000 & echo $! > $pid; echo "Starting thing." ;;
stop) kill $(cat $pid); rm -f $pid ;;
restart) $0 stop; $0 start ;;
reload) kill -0 $(cat $pid) ;;
status) if lives; then echo "thing is running (pid $(cat $pid))"; else echo "thing is not running"; exit 3; fi ;;
*) echo "Usage: $0 {start|stop}" >&2; exit 2 ;;
esac
`
	if err := os.WriteFile(filepath.Join(root, "etc/init.d/thing"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { doWith(t, Config{Root: root}, "service.stop", map[string]any{"name": "thing"}) })
	return root, pidFile
}

func TestServiceOfInitD(t *testing.T) {
	root, pidFile := sysvRoot(t)
	service := func(verb string) Outcome {
		return doWith(t, Config{Root: root}, "service."+verb, map[string]any{"name": "thing"})
	}
	is := func(out Outcome, message string, changed any, state string) {
		t.Helper()
		if want(t, out, fettle.StatusOK, message); out.Data["changed"] != changed || out.Data["state"] != state || out.Data["manager"] != "sysv" {
			t.Errorf("data %v", out.Data)
		}
	}
	is(service("status"), "thing is stopped", nil, "stopped")
	is(service("stop"), "thing is stopped already", false, "stopped")
	out := service("start")
	is(out, "thing is running", true, "running")
	pid, err := os.ReadFile(pidFile)
	if err != nil || strconv.FormatInt(out.Data["pid"].(int64), 10) != strings.TrimSpace(string(pid)) || out.Data["before"] != "stopped" || out.Data["output"] != "Starting thing." {
		t.Errorf("pid %s, data %v", pid, out.Data)
	}
	is(service("start"), "thing is running already", false, "running")
	is(service("restart"), "thing is running", true, "running")
	is(service("reload"), "thing is running", true, "running")
	again, err := os.ReadFile(pidFile)
	if err != nil || string(again) == string(pid) {
		t.Errorf("restarted, and it is still process %s", pid)
	}
	is(service("stop"), "thing is stopped", true, "stopped")
	n, err := strconv.Atoi(strings.TrimSpace(string(again)))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "its process to end", func() bool { return gone(n) })

	for _, tt := range []struct{ file, message string }{{"dies", "thing is stopped after its start"}, {"broken", "start of thing: exit 1: no configuration"}} {
		if err := os.WriteFile(filepath.Join(root, tt.file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		want(t, service("start"), fettle.StatusFailed, tt.message)
	}
	want(t, service("reload"), fettle.StatusFailed, "reload of thing: exit")
}

func TestServiceIsNotThere(t *testing.T) {
	root, _ := sysvRoot(t)
	for name, message := range map[string]string{"nosuch": "there is no service nosuch", "thing.x": "there is no service thing.x"} {
		want(t, doWith(t, Config{Root: root}, "service.status", map[string]any{"name": name}), fettle.StatusFailed, message)
	}
	want(t, doWith(t, Config{Root: root}, "service.start", map[string]any{"name": "../thing"}), fettle.StatusInvalidInput, "service.start: input name has to match")
	want(t, doWith(t, Config{Root: root}, "service.start", map[string]any{"name": "-h"}), fettle.StatusInvalidInput, "service.start: input name has to match")
	want(t, doWith(t, Config{Root: t.TempDir()}, "service.status", map[string]any{"name": "thing"}), fettle.StatusOther, "this node has neither systemd nor")
}

func TestServiceEnabledInARunlevel(t *testing.T) {
	root, _ := sysvRoot(t)
	v := sysv{root: root, dir: filepath.Join(root, "etc/init.d")}
	if got := v.enabled("thing"); got != "disabled" {
		t.Errorf("it is %s", got)
	}
	if err := os.Symlink("../init.d/thing", filepath.Join(root, "etc/rc3.d/S03thing")); err != nil {
		t.Fatal(err)
	}
	if got := v.enabled("thing"); got != "enabled" {
		t.Errorf("it is %s", got)
	}
}

func TestReadSystemd(t *testing.T) {
	for _, tt := range []struct {
		shown string
		want  serviceState
	}{
		{"LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\nMainPID=812\n", serviceState{state: "running", enabled: "enabled", pid: 812}},
		{"MainPID=0\nLoadState=loaded\nActiveState=failed\nUnitFileState=static\n", serviceState{state: "failed", enabled: "static"}},
		{"LoadState=masked\nActiveState=inactive\nUnitFileState=masked\n", serviceState{state: "stopped", enabled: "masked"}},
		{"LoadState=loaded\nActiveState=activating\nUnitFileState=\n", serviceState{state: "starting", enabled: "unknown"}},
	} {
		got, err := readSystemd("x", tt.shown)
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(serviceState{})); diff != "" || err != nil {
			t.Errorf("%q (-want +got):\n%s%v", tt.shown, diff, err)
		}
	}
	for _, shown := range []string{"LoadState=not-found\nActiveState=inactive\n", ""} {
		if _, err := readSystemd("x", shown); !errors.Is(err, fettle.ErrNotFound) {
			t.Errorf("%q: %v", shown, err)
		}
	}
}
