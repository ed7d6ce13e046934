//go:build unix

package actions

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

func TestFactsSetAndUnset(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "facts.d")
	published := 0
	cfg := Config{FactsDir: dir, Facts: func(context.Context) (map[string]any, error) {
		published++
		return map[string]any{"hash": "abc"}, nil
	}}
	for _, tt := range []struct {
		inputs  map[string]any
		message string
		changed bool
		file    string
	}{
		{map[string]any{"name": "role", "value": "web"}, "role is set", true, "{\n  \"role\": \"web\"\n}\n"},
		{map[string]any{"name": "ROLE", "value": "web"}, "role is as it was", false, "{\n  \"role\": \"web\"\n}\n"},
		{map[string]any{"name": "site.rack", "value": "12.10"}, "site.rack is set", true, "{\n  \"role\": \"web\",\n  \"site\": {\n    \"rack\": 12.10\n  }\n}\n"},
		{map[string]any{"name": "site.\"a.b\"", "value": "true", "as": "text"}, `site."a.b" is set`, true, "{\n  \"role\": \"web\",\n  \"site\": {\n    \"a.b\": \"true\",\n    \"rack\": 12.10\n  }\n}\n"},
		{map[string]any{"name": "role", "value": `["a",1]`, "as": "json"}, "role is set", true, "{\n  \"role\": [\n    \"a\",\n    1\n  ],\n  \"site\": {\n    \"a.b\": \"true\",\n    \"rack\": 12.10\n  }\n}\n"},
	} {
		out := doWith(t, cfg, "facts.set", tt.inputs)
		want(t, out, fettle.StatusOK, tt.message)
		if raw, err := os.ReadFile(filepath.Join(dir, "fettle-set.json")); string(raw) != tt.file || err != nil || out.Data["changed"] != tt.changed || out.Data["hash"] != "abc" {
			t.Errorf("%v: %q, %v; data %v", tt.inputs, raw, err, out.Data)
		}
	}
	if published != 5 {
		t.Errorf("published %d times", published)
	}
	want(t, doWith(t, cfg, "facts.set", map[string]any{"name": "role.of", "value": "x"}), fettle.StatusInvalidInput, "role is set already")
	want(t, doWith(t, cfg, "facts.set", map[string]any{"name": "a..b", "value": "x"}), fettle.StatusInvalidInput, "")
	want(t, doWith(t, cfg, "facts.set", map[string]any{"name": "a", "value": "{", "as": "json"}), fettle.StatusInvalidInput, "facts.set: the value is no JSON")
	want(t, doWith(t, cfg, "facts.unset", map[string]any{"name": "nosuch.fact"}), fettle.StatusOK, "nosuch.fact is as it was")
	for _, name := range []string{"site.rack", `site."a.b"`, "role"} {
		want(t, doWith(t, cfg, "facts.unset", map[string]any{"name": name}), fettle.StatusOK, name+" is unset")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left: %v", entries)
	}
	want(t, doWith(t, Config{}, "facts.set", map[string]any{"name": "a", "value": "b"}), fettle.StatusRefused, "this agent has no folder of external facts")
}
