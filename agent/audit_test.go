package agent_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/agent"
	"github.com/fettle-dev/fettle/wire"
)

func TestEveryTaskIsToldToTheAudit(t *testing.T) {
	run(t, func(w *world) {
		w.halt()
		var mu sync.Mutex
		var got []string
		w.cfg.Audit = func(e agent.AuditEntry) {
			mu.Lock()
			defer mu.Unlock()
			raw, err := json.Marshal(e.Inputs)
			if err != nil || e.At == "" {
				t.Errorf("%+v: %v", e, err)
			}
			got = append(got, strings.TrimSpace(strings.Join([]string{e.Event, string(e.Task), e.Action, e.Caller, e.Status, string(raw)}, " ")))
		}
		w.begin()
		task := w.task("t1", "test.once", map[string]any{"password": "hunter2"})
		task.Caller = "anna"
		w.send(wire.TypeTask, task)
		synctest.Wait()
		w.ask("t2", "test.nosuch")
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		expect(t, "entries", []string{
			`begun t1 test.once anna  {"password":"***"}`, `ended t1 test.once anna ok {"password":"***"}`, `ended t2 test.nosuch  unknown action null`,
		}, got)
	})
}

func TestAuditLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := agent.OpenAuditLog(path, 1000, 2)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() {
			for range 10 {
				if err := l.Write(agent.AuditEntry{At: "2026-01-01T00:00:00Z", Event: "ended", Task: fettle.TaskID(strings.Repeat("t", 36)), Action: "test.once"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	files, err := filepath.Glob(path + "*")
	expect(t, "files", []string{path, path + ".1", path + ".2"}, files)
	if err != nil {
		t.Error(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		info, _ := os.Stat(file)
		if err != nil || info.Mode() != 0o600 || len(raw) > 1000 || len(raw) == 0 {
			t.Errorf("%s: %v, %v, %d bytes", file, err, info.Mode(), len(raw))
		}
		for line := range strings.Lines(string(raw)) {
			if e := (agent.AuditEntry{}); json.Unmarshal([]byte(line), &e) != nil || e.Action != "test.once" {
				t.Errorf("%s: line %q", file, line)
			}
		}
	}
}
