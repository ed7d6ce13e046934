package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle/server/api/client"
)

// Each file of testdata/config has one fault. Its first line says for which role it is, the second where the fault stands and how its text begins.
func TestFaultyFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/config/*.yaml")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head := strings.SplitN(string(raw), "\n", 3)
			role, fault := strings.TrimPrefix(head[0], "# "), strings.TrimPrefix(head[1], "# ")
			got := call(t, "fettle", "config", role, "--config", file).wants(t, exitUsage, file+":"+fault)
			if got.stdout != "" {
				t.Errorf("stdout: %q", got.stdout)
			}
			if n := strings.Count(got.stderr, file+":"); n != 1 {
				t.Errorf("%d faults are reported, and one is there:\n%s", n, got.stderr)
			}
		})
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server.yaml")
	write(t, file, "log-level: loud\nstate: \"\"\nchecks:\n  - name: a\n    interval: 1ms\n    atempts: 3\nhttp: nowhere\n")
	t.Setenv("FETTLE_INSECURE", "perhaps")
	args := []string{"fettle", "config", "server", "--config", file, "--runs-kept", "z", "--broker=kafka"}

	t.Run("for people, in the order of the file", func(t *testing.T) {
		got := call(t, args...).wants(t, exitUsage)
		want := []string{
			file + ":1: log-level: ", file + ":2: state: ", file + ":5: checks[0].interval: ", file + ":6: there is no setting \"checks[0].atempts\", did you mean \"attempts\"?",
			file + ":7: http: ", "environment FETTLE_INSECURE: \"perhaps\" is neither true nor false", "flag --broker: broker: ", "flag --runs-kept: \"z\" is no duration",
		}
		lines := strings.Split(got.stderr, "\n")[1:]
		for i, prefix := range want {
			if i >= len(lines) || !strings.HasPrefix(lines[i], prefix) {
				t.Fatalf("line %d ought to begin %q:\n%s", i, prefix, got.stderr)
			}
		}
	})
	t.Run("for programs, one object that lists them", func(t *testing.T) {
		got := call(t, append(args, "-o", "json")...)
		var p client.Problem
		if err := json.Unmarshal([]byte(got.stderr), &p); err != nil || got.stdout != "" {
			t.Fatalf("%v: %q, stdout %q", err, got.stderr, got.stdout)
		}
		if len(p.Errors) != 8 || p.Kind != "invalid" || *p.Errors[0].Location != file+":1" {
			t.Errorf("got %s", got.stderr)
		}
	})
}

func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server.yaml")
	write(t, file, "state: /from/file\nhttp: 127.0.0.1:1\nstomp: 127.0.0.1:1\n")
	t.Setenv("FETTLE_HTTP", "127.0.0.1:2")
	t.Setenv("FETTLE_STOMP", "127.0.0.1:2")
	got := settingsByKey(t, "config", "server", "--config", file, "--stomp", "127.0.0.1:3")
	for key, want := range map[string][2]string{
		"log-level": {"info", "default"}, "state": {"/from/file", file + ":1"},
		"http": {"127.0.0.1:2", "environment FETTLE_HTTP"}, "stomp": {"127.0.0.1:3", "flag --stomp"},
	} {
		if got[key].Value != want[0] || got[key].Source != want[1] {
			t.Errorf("%s: got %v from %s, want %s from %s", key, got[key].Value, got[key].Source, want[0], want[1])
		}
	}
}

func TestWhereTheFileIs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "agent.yaml")
	write(t, file, "identity: by-env.example\n")
	t.Setenv("FETTLE_CONFIG", file)
	if got := settingsByKey(t, "config", "agent"); got["identity"].Value != "by-env.example" {
		t.Errorf("FETTLE_CONFIG is not read: %v", got["identity"])
	}
	call(t, "fettle", "config", "agent", "--config", file+".missing").wants(t, exitUsage, file+".missing: no such file")
}

func TestKindsOfValues(t *testing.T) {
	file := filepath.Join(t.TempDir(), "agent.yaml")
	write(t, file, "run-slots: 7\nfacter: true\nserver: [stomp://a:1, \"stomp://b:2\"]\nfacts-interval: 90s\nvolatile-interval: 1h\nidentity: |-\n  web1\npool: \n")
	got := settingsByKey(t, "config", "agent", "--config", file)
	for key, want := range map[string]string{
		"run-slots": "7", "facter": "true", "server": "[stomp://a:1 stomp://b:2]", "facts-interval": "1m30s", "volatile-interval": "1h", "identity": "web1", "pool": "",
	} {
		if text := fmt.Sprint(got[key].Value); text != want {
			t.Errorf("%s: got %s, want %s", key, text, want)
		}
	}
}

func TestSecretsAreMasked(t *testing.T) {
	t.Setenv("FETTLE_STORE", "mysql://fettle:geheim@db:3306/fettle")
	t.Setenv("FETTLE_METRICS_TOKEN", "geheim")
	for _, format := range []string{"yaml", "json", "table"} {
		got := call(t, "fettle", "config", "server", "-o", format).wants(t, exitOK, "mysql://fettle:***@db:3306/fettle", "***")
		if strings.Contains(got.stdout+got.stderr, "geheim") {
			t.Errorf("%s tells a secret:\n%s", format, got.stdout)
		}
	}
	for text, want := range map[string]string{
		"sqlite:/var/lib/fettle.db": "sqlite:/var/lib/fettle.db", "mysql://fettle@db/fettle": "mysql://fettle@db/fettle", "fettle:a@b@tcp(db)/x": "fettle:***@tcp(db)/x", "token": "***",
	} {
		if got := mask(text); got != want {
			t.Errorf("mask %s: got %s, want %s", text, got, want)
		}
	}
}

func TestLargeFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "large.yaml")
	write(t, file, strings.Repeat("# a comment\n", maxYAMLBytes/12+1))
	call(t, "fettle", "config", "server", "--config", file).wants(t, exitUsage, "more than the 128 KiB")
	call(t, "fettle", "find", "--context", file).wants(t, exitUsage, "more than the 128 KiB")
}

// What config prints as YAML is a file that says the same.
func TestConfigPrintsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "printed.yaml")
	want := call(t, "fettle", "config", "agent", "--server", "stomp://a:1").wants(t, exitOK)
	write(t, file, want.stdout)
	got := call(t, "fettle", "config", "agent", "--config", file).wants(t, exitOK)
	if values(got.stdout) != values(want.stdout) {
		t.Errorf("got\n%s\nwant\n%s", got.stdout, want.stdout)
	}
}

func FuzzSettingsFile(f *testing.F) {
	files, _ := filepath.Glob("testdata/config/*.yaml")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return // the bound of a file has its own test, and the parser is slow
		}
		file := filepath.Join(t.TempDir(), "server.yaml")
		write(t, file, text)
		cfg := defaultServerSettings()
		s := settingsOf("server", &cfg)
		s.readFile(file, true)
		s.check(cfg.Validate())
		if err := s.err(); err != nil && err.Error() == "" {
			t.Error("an error that says nothing")
		}
	})
}

// values strips where each value came from.
func values(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line, _, _ = strings.Cut(line, " # ")
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

func settingsByKey(t *testing.T, args ...string) map[string]shown {
	t.Helper()
	got := call(t, slices.Concat([]string{"fettle"}, args, []string{"-o", "json"})...).wants(t, exitOK)
	var list []shown
	if err := json.Unmarshal([]byte(got.stdout), &list); err != nil {
		t.Fatal(err)
	}
	byKey := map[string]shown{}
	for _, one := range list {
		byKey[one.Key] = one
	}
	return byKey
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
