package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle/facts"
)

func TestMotdText(t *testing.T) {
	s := facts.Snapshot{Classes: []string{"base", "mysql::master"}, Facts: map[string]any{
		"os":         map[string]any{"name": "Debian", "architecture": "amd64", "release": map[string]any{"full": "12.11"}},
		"kernel":     "Linux",
		"networking": map[string]any{"fqdn": "web1.acme.net", "ip": "192.0.2.2"},
		"processors": map[string]any{"count": int64(8)},
		"memory":     map[string]any{"system": map[string]any{"capacity": "20.57%", "total": "15.60 GiB"}},
		"mountpoints": map[string]any{"/": map[string]any{
			"capacity": "40%", "size": "98 GiB",
		}},
		"role": "web\x1b[31m", "load_averages": map[string]any{"1m": 0.25, "5m": 1.0},
	}}
	paths, err := factPaths("facts.role,environment,os")
	if err != nil {
		t.Fatal(err)
	}
	want := `web1.acme.net  Debian 12.11, Linux, amd64
  role         web [31m
  classes      base mysql::master
  address      192.0.2.2
  processors   8
  memory       20.57% of 15.60 GiB
  disk /       40% of 98 GiB
  load         0.25 1
`
	if got := motd(s, paths); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPromptText(t *testing.T) {
	s := facts.Snapshot{Facts: map[string]any{"role": "web", "environment": "production", "n": int64(3), "evil": "$(id)`x`\\w%{!", "long": strings.Repeat("ä", 100)}}
	for fields, want := range map[string]string{
		"role,environment": "web/production", "role,none,n": "web/3", "none": "", "evil": "__id__x__w___", "long": strings.Repeat("ä", maxPrompt),
	} {
		paths, err := factPaths(fields)
		if err != nil {
			t.Fatal(err)
		}
		if got := prompt(s, paths); got != want {
			t.Errorf("%s: %q, want %q", fields, got, want)
		}
	}
}

func TestLocalFacts(t *testing.T) {
	dir := t.TempDir()
	ran := filepath.Join(dir, "ran")
	write(t, filepath.Join(dir, "role.yaml"), "role: web\n")
	program := filepath.Join(dir, "slow.sh")
	write(t, program, "#!/bin/sh\ntouch "+ran+"\nsleep 60\n")
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	cfg := facts.DefaultConfig()
	cfg.Dirs = []string{dir}
	s, err := localFacts(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if local(s, "role") != "web" || local(s, "networking", "hostname") == "" {
		t.Errorf("facts are missing: role %q, of %d", local(s, "role"), len(s.Facts))
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("a login waits for a program")
	}
}

func TestMotdNeedsNoServer(t *testing.T) {
	t.Setenv("FETTLE_URL", "http://127.0.0.1:1")
	call(t, "fettle", "motd", "--fields", "os.family").wants(t, exitOK, "  os.family    ", "  processors   ")
	call(t, "fettle", "prompt", "kernel,none").wants(t, exitOK)
	call(t, "fettle", "prompt", "a..b").wants(t, exitUsage, "path")
	if got := call(t, "fettle", "prompt", "none"); got.code != exitOK || got.stdout != "" {
		t.Errorf("%+v", got)
	}
}
