package api

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/catalogue"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// fakePlugins keeps one version of one plugin.
type fakePlugins struct {
	mu      sync.Mutex
	plugin  *server.PluginDetail // guarded by mu
	archive []byte               // guarded by mu
}

func (f *fakePlugins) Plugins(ctx context.Context) ([]server.PluginDetail, error) {
	d, err := f.PluginByName(ctx, "disk")
	if err != nil {
		return nil, nil //nolint:nilerr // none is none
	}
	return []server.PluginDetail{d}, nil
}

func (f *fakePlugins) PluginByName(_ context.Context, name string) (server.PluginDetail, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.plugin == nil || f.plugin.Name != name {
		return server.PluginDetail{}, fmt.Errorf("there is no plugin %s: %w", name, fettle.ErrNotFound)
	}
	return *f.plugin, nil
}

func (f *fakePlugins) PushPlugin(_ context.Context, archive []byte, caller string) (server.PluginDetail, string, error) {
	_, m, err := plugins.ReadArchive(archive)
	if err != nil {
		return server.PluginDetail{}, "", err
	}
	v := catalogue.Version{Version: m.Version, Digest: plugins.Digest(archive), Size: int64(len(archive)), By: caller, Pushed: 1000, Manifest: m}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.archive = archive
	f.plugin = &server.PluginDetail{
		Plugin: catalogue.Plugin{Name: m.Name, Current: m.Version, By: caller, Changed: 1000, Versions: []catalogue.Version{v}}, Nodes: map[string]int{m.Version: 3},
	}
	return *f.plugin, m.Version, nil
}

func (f *fakePlugins) ChoosePlugin(ctx context.Context, what, name, _, _ string) (server.PluginDetail, error) {
	d, err := f.PluginByName(ctx, name)
	if err == nil && what == server.PluginRollback {
		err = fmt.Errorf("plugin %s has no version to go back to: %w", name, fettle.ErrConflict)
	}
	d.Pinned = what == server.PluginPin
	return d, err
}

func (f *fakePlugins) RemovePlugin(ctx context.Context, name, _, _ string) error {
	_, err := f.PluginByName(ctx, name)
	return err
}

func (f *fakePlugins) PluginArchive(ctx context.Context, name, _ string) ([]byte, error) {
	_, err := f.PluginByName(ctx, name)
	return f.archive, err
}

func (f *fakePlugins) AgentReleases(context.Context) ([]server.AgentRelease, error) { return nil, nil }

func (f *fakePlugins) PushAgent(_ context.Context, program []byte, version, caller string) (server.AgentRelease, error) {
	return server.AgentRelease{Version: catalogue.Version{Version: version, Platform: "linux/amd64", Size: int64(len(program)), By: caller}}, nil
}

func (f *fakePlugins) RemoveAgent(context.Context, string) error { return nil }

// diskArchive is a plugin that is larger than other bodies may be.
func diskArchive(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	noise := make([]byte, 2<<20)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	for name, text := range map[string][]byte{
		"plugin.yaml": []byte("name: disk\nversion: 1.0.0\ndescription: Disks.\nexecutable: run\nactions: [{name: usage, description: How full., display: failed}]\n"), "run": noise,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	raw, _, err := plugins.Pack(dir)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestPluginsOverREST(t *testing.T) {
	b := newBench(t, Config{})
	raw := diskArchive(t)
	if len(raw) < 1<<20 {
		t.Fatalf("the archive has %d bytes, and says nothing of large bodies", len(raw))
	}
	send := func(method, path string, body []byte, kind string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, b.url+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+b.tokens[auth.Admin])
		r.Header.Set("Content-Type", kind)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var text bytes.Buffer
		if _, err := text.ReadFrom(res.Body); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, text.String()
	}
	const binary = "application/octet-stream"
	if code, text := send("POST", "/api/v1/plugins", []byte("nonsense"), binary); code != 422 || !strings.Contains(text, "plugin archive") {
		t.Errorf("%d %s", code, text)
	}
	code, text := send("POST", "/api/v1/plugins", raw, binary)
	if code != 201 || !strings.Contains(text, `"current":"1.0.0"`) || !strings.Contains(text, `"nodes":3`) || !strings.Contains(text, `"display":"failed"`) || !strings.Contains(text, `"disk.usage"`) {
		t.Errorf("%d %s", code, text)
	}
	if code, text = send("GET", "/api/v1/plugins/disk/versions/1.0.0/archive", nil, ""); code != 200 || text != string(raw) {
		t.Errorf("%d, %d bytes", code, len(text))
	}
	if code, text = send("PUT", "/api/v1/plugins/disk/choice", []byte(`{"do":"pin","version":"1.0.0"}`), "application/json"); code != 200 || !strings.Contains(text, `"pinned":true`) {
		t.Errorf("%d %s", code, text)
	}
	if code, text = send("PUT", "/api/v1/plugins/disk/choice", []byte(`{"do":"rollback"}`), "application/json"); code != 409 {
		t.Errorf("%d %s", code, text)
	}
	if code, text = send("GET", "/api/v1/plugins/nosuch", nil, ""); code != 404 {
		t.Errorf("%d %s", code, text)
	}
	if code, text = send("POST", "/api/v1/agent-releases?version=2.0.0", raw, binary); code != 201 || !strings.Contains(text, `"platform":"linux/amd64"`) {
		t.Errorf("%d %s", code, text)
	}
	if code, _ = send("POST", "/api/v1/plugins", make([]byte, maxPluginBody+1), binary); code != 413 {
		t.Errorf("too much: %d", code)
	}
	if code, _ = send("DELETE", "/api/v1/plugins/disk", nil, ""); code != 204 {
		t.Errorf("remove: %d", code)
	}
}
