//go:build integration && linux

package actions

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	collector "github.com/fettle-dev/fettle/facts"
)

func TestPuppetForReal(t *testing.T) {
	cfg := Config{PuppetDirs: collector.DefaultConfig().PuppetDirs}
	dir := t.TempDir()
	file, manifest := filepath.Join(dir, "made"), filepath.Join(dir, "site.pp")
	text := fmt.Sprintf("file { '%s': ensure => file, content => 'by Puppet', mode => '0640' }\n", file)
	if err := os.WriteFile(manifest, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(manifest string, noop bool) Outcome {
		return doWith(t, cfg, "puppet.runonce", map[string]any{"manifest": manifest, "noop": noop})
	}
	want(t, run(manifest, true), fettle.StatusOK, "0 changed, 0 failed of ")
	if _, err := os.Stat(file); err == nil {
		t.Error("it was made, and nothing was to be")
	}
	out := run(manifest, false)
	if want(t, out, fettle.StatusOK, "1 changed, 0 failed of "); out.Data["changed"] != int64(1) || out.Data["duration"] == nil || out.Data["age"].(int64) > 60 {
		t.Errorf("data %v", out.Data)
	}
	holds(t, file, "by Puppet", 0o640)
	want(t, run(manifest, false), fettle.StatusOK, "0 changed, 0 failed of ")
	want(t, doWith(t, cfg, "puppet.last_run_summary", nil), fettle.StatusOK, "0 changed, 0 failed of ")
	if err := os.WriteFile(manifest, []byte("file { '/no/such/folder/file': ensure => file }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, run(manifest, false), fettle.StatusFailed, "puppet: exit 4: ")
	if err := os.WriteFile(manifest, []byte("file {"), 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, run(manifest, false), fettle.StatusFailed, "puppet: exit 1: ")

	resource := doWith(t, cfg, "puppet.resource", map[string]any{"type": "user", "name": "root"})
	want(t, resource, fettle.StatusOK, "1 of type user")
	root, _ := resource.Data["resources"].(map[string]any)["root"].(map[string]any)
	if root["ensure"] != "present" || fmt.Sprint(root["uid"]) != "0" {
		t.Errorf("data %v", resource.Data)
	}
	change := doWith(t, cfg, "puppet.resource", map[string]any{"type": "file", "name": file, "attributes": []any{"ensure=absent"}})
	if _, err := os.Stat(file); change.Status != fettle.StatusOK || err == nil || len(change.Data["changes"].([]string)) != 1 {
		t.Errorf("%+v", change)
	}
	want(t, doWith(t, cfg, "puppet.resource", map[string]any{"type": "nosuchtype"}), fettle.StatusFailed, "puppet resource: exit 1")
	want(t, doWith(t, cfg, "puppet.resource", map[string]any{"type": "file", "attributes": []any{"ensure=absent"}}), fettle.StatusMissingInput, "puppet.resource: input name is missing")
}

func TestPuppetEnabledAndDisabledForReal(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{PuppetDirs: []string{filepath.Join(dir, "nosuch"), dir}}
	want(t, doWith(t, cfg, "puppet.status", nil), fettle.StatusFailed, "Puppet has never run on this node")
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o755); err != nil {
		t.Fatal(err)
	}
	want(t, doWith(t, cfg, "puppet.status", nil), fettle.StatusOK, "enabled")
	out := doWith(t, cfg, "puppet.disable", map[string]any{"message": "a move"})
	if want(t, out, fettle.StatusOK, "disabled: a move"); out.Data["changed"] != true || out.Data["enabled"] != false {
		t.Errorf("data %v", out.Data)
	}
	// Puppet itself says what our lock means to it.
	end, err := puppet{}.command(t.Context(), keepStdout, "agent", "--onetime", "--no-daemonize", "--verbose", "--color=false", "--agent_disabled_lockfile="+filepath.Join(dir, "state", "agent_disabled.lock"), "--server=127.0.0.1", "--serverport=1")
	if said := string(end.stdout) + string(end.stderr); err != nil || !strings.Contains(said, "administratively disabled (Reason: 'a move')") {
		t.Errorf("Puppet says %q, %v", said, err)
	}
	want(t, doWith(t, cfg, "puppet.runonce", nil), fettle.StatusFailed, "Puppet is disabled: a move")
	if out = doWith(t, cfg, "puppet.enable", nil); out.Data["changed"] != true || out.Data["enabled"] != true {
		t.Errorf("data %v", out.Data)
	}
	if out = doWith(t, cfg, "puppet.enable", nil); out.Data["changed"] != false {
		t.Errorf("data %v", out.Data)
	}
}

func TestUsersForReal(t *testing.T) {
	const name = "fettle-test-u"
	t.Cleanup(func() { do(t, "user.absent", map[string]any{"name": name, "remove_home": true}) })
	home := filepath.Join(t.TempDir(), "home")
	out := do(t, "user.present", map[string]any{"name": name, "uid": 54321, "shell": "/bin/sh", "comment": "A Test", "home": home, "groups": []any{"daemon"}, "password": "!"})
	want(t, out, fettle.StatusOK, name+" is made")
	if out.Data["uid"] != int64(54321) || out.Data["shell"] != "/bin/sh" || out.Data["comment"] != "A Test" || out.Data["home"] != home || fmt.Sprint(out.Data["groups"]) != "[daemon]" || out.Data["changed"] != true {
		t.Errorf("data %v", out.Data)
	}
	if info, err := os.Stat(home); err != nil || !info.IsDir() {
		t.Errorf("its home: %v", err)
	}
	want(t, do(t, "user.present", map[string]any{"name": name, "uid": 54321, "shell": "/bin/sh", "groups": []any{"daemon"}}), fettle.StatusOK, name+" is as it ought to be")
	hash := "$6$abcdefgh$notreallyahash"
	want(t, do(t, "user.present", map[string]any{"name": name, "shell": "/bin/bash", "groups": []any{}, "password": hash}), fettle.StatusOK, name+" is changed")
	if shadowOf("/etc/shadow", name) != hash {
		t.Error("the password is another")
	}
	if out = do(t, "user.status", map[string]any{"name": name}); out.Data["shell"] != "/bin/bash" || len(out.Data["groups"].([]string)) != 0 {
		t.Errorf("data %v", out.Data)
	}
	want(t, do(t, "user.present", map[string]any{"name": name, "group": "no-such-group"}), fettle.StatusFailed, "usermod: exit 6: ")
	want(t, do(t, "user.absent", map[string]any{"name": "root"}), fettle.StatusRefused, "root is the agent's own user")
	want(t, do(t, "user.absent", map[string]any{"name": name, "remove_home": true}), fettle.StatusOK, name+" is gone")
	want(t, do(t, "user.absent", map[string]any{"name": name}), fettle.StatusOK, "there is no such user")
	if _, err := os.Stat(home); err == nil {
		t.Error("its home is still there")
	}
}

func TestPingForReal(t *testing.T) {
	out := do(t, "nettest.ping", map[string]any{"host": "127.0.0.1", "count": 1})
	if want(t, out, fettle.StatusOK, "1 of 1, "); out.Data["loss"] != 0.0 || out.Data["average"].(float64) <= 0 {
		t.Errorf("data %v", out.Data)
	}
}
