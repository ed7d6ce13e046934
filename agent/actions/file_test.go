//go:build unix

package actions

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

const sumOfHello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

func TestFilePush(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "file")
	want(t, do(t, "file.push", map[string]any{"path": path, "content": "hello"}), fettle.StatusFailed, "open ")
	out := do(t, "file.push", map[string]any{"path": path, "content": "hello", "directories": true, "mode": "0640", "sha256": strings.ToUpper(sumOfHello)})
	want(t, out, fettle.StatusOK, path+" written")
	if out.Data["changed"] != true || out.Data["sha256"] != sumOfHello || out.Data["before"] != "" || out.Data["size"] != int64(5) {
		t.Errorf("data %v", out.Data)
	}
	holds(t, path, "hello", 0o640)

	out = do(t, "file.push", map[string]any{"path": path, "base64": base64.StdEncoding.EncodeToString([]byte("hello")), "mode": "640"})
	want(t, out, fettle.StatusOK, path+" is as it ought to be")
	out = do(t, "file.push", map[string]any{"path": path, "content": "hello", "mode": "4750"})
	want(t, out, fettle.StatusOK, path+" has other permissions")
	if holds(t, path, "hello", 0o750|os.ModeSetuid); out.Data["changed"] != true {
		t.Errorf("data %v", out.Data)
	}

	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	out = do(t, "file.push", map[string]any{"path": link, "content": "\x00no text"[1:], "backup": ".bak"})
	want(t, out, fettle.StatusOK, path+" written")
	holds(t, path, "no text", 0o750|os.ModeSetuid)
	holds(t, path+".bak", "hello", 0o750|os.ModeSetuid)
	if target, err := os.Readlink(link); err != nil || target != path {
		t.Errorf("the link is %q, %v", target, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "sub", ".fettle*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFilePushRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, tt := range []struct {
		inputs  map[string]any
		status  fettle.Status
		message string
	}{
		{map[string]any{"path": path}, fettle.StatusMissingInput, "file.push: input content or input base64 is needed"},
		{map[string]any{"content": "x"}, fettle.StatusMissingInput, "file.push: input path is missing"},
		{map[string]any{"path": "file", "content": "x"}, fettle.StatusInvalidInput, "file.push: input path has to match"},
		{map[string]any{"path": path, "content": "x", "base64": "eA=="}, fettle.StatusInvalidInput, "file.push: content and base64"},
		{map[string]any{"path": path, "base64": "x"}, fettle.StatusInvalidInput, "file.push: input base64: illegal"},
		{map[string]any{"path": path, "content": "x", "sha256": sumOfHello}, fettle.StatusInvalidInput, "file.push: the content has SHA-256 2d71"},
		{map[string]any{"path": path, "content": "x", "mode": "rw"}, fettle.StatusInvalidInput, "file.push: input mode has to match"},
		{map[string]any{"path": path, "content": "x", "owner": "no-such-user"}, fettle.StatusInvalidInput, "this node has no user no-such-user"},
		{map[string]any{"path": dir, "content": "x"}, fettle.StatusFailed, dir + " is a directory, not a file"},
		{map[string]any{"path": path, "content": strings.Repeat("x", 256<<10+1)}, fettle.StatusInvalidInput, "file.push: input content has 262145 bytes"},
	} {
		want(t, do(t, "file.push", tt.inputs), tt.status, tt.message)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("something was written: %v", entries)
	}
}

func holds(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); string(got) != content || err != nil || info.Mode() != mode {
		t.Errorf("%s holds %q with %v, want %q with %v; %v", path, got, info.Mode(), content, mode, err)
	}
}

func TestFileOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	out := do(t, "file.push", map[string]any{"path": path, "content": "x", "owner": "nobody", "group": "daemon"})
	if os.Geteuid() != 0 {
		want(t, out, fettle.StatusFailed, "chown ")
		return
	}
	want(t, out, fettle.StatusOK, path)
	stat := do(t, "file.stat", map[string]any{"path": path})
	if stat.Data["owner"] != "nobody" || stat.Data["group"] != "daemon" {
		t.Errorf("%v", stat.Data)
	}
}

func TestFileTemplate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "motd")
	cfg := Config{Node: "web1.acme.net", Known: func() Known {
		return Known{Facts: []byte(`{"os":{"family":"Debian","major":12},"big":9007199254740993}`), Classes: []string{"web", "base"}}
	}}
	text := `{{.identity}} {{.facts.os.family}} {{.facts.os.major}} {{.facts.big}} {{join .classes ","}} {{.vars.port}}{{if eq .facts.os.family "Debian"}} apt{{end}}`
	out := doWith(t, cfg, "file.template", map[string]any{"path": path, "template": text, "vars": []any{"port=80=a"}})
	want(t, out, fettle.StatusOK, path+" written")
	holds(t, path, "web1.acme.net Debian 12 9007199254740993 web,base 80=a apt", 0o644)
	for text, message := range map[string]string{
		"{{.facts.nosuch}}": "template:1:8: executing",
		"{{.vars.nosuch}}":  "template:1:7: executing",
		"{{range $i := .facts}}{{end}}{{range 10000000}}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{{end}}": "more than 262144 bytes",
	} {
		want(t, doWith(t, cfg, "file.template", map[string]any{"path": path, "template": text}), fettle.StatusFailed, message)
	}
	want(t, doWith(t, cfg, "file.template", map[string]any{"path": path, "template": "{{"}), fettle.StatusInvalidInput, "file.template: template:1")
	holds(t, path, "web1.acme.net Debian 12 9007199254740993 web,base 80=a apt", 0o644)
}

func TestFileStatFetchChecksum(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	then := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
	out := do(t, "file.stat", map[string]any{"path": path})
	want(t, out, fettle.StatusOK, "file, 5 bytes")
	if out.Data["exists"] != true || out.Data["mode"] != "0600" || out.Data["modified"] != "2020-01-02T03:04:05Z" || out.Data["size"] != int64(5) {
		t.Errorf("%v", out.Data)
	}
	want(t, do(t, "file.stat", map[string]any{"path": path + "x"}), fettle.StatusOK, "not there")
	want(t, do(t, "file.checksum", map[string]any{"path": path}), fettle.StatusOK, sumOfHello)
	want(t, do(t, "file.checksum", map[string]any{"path": path, "algorithm": "md5"}), fettle.StatusOK, "5d41402abc4b2a76b9719d911017c592")
	want(t, do(t, "file.checksum", map[string]any{"path": path + "x"}), fettle.StatusFailed, "open ")
	out = do(t, "file.fetch", map[string]any{"path": path, "offset": 1, "limit": 3})
	if want(t, out, fettle.StatusOK, "3 of 5 bytes"); out.Data["content"] != "ell" || out.Data["rest"] != int64(1) {
		t.Errorf("%v", out.Data)
	}
	if out = do(t, "file.fetch", map[string]any{"path": path, "offset": -2}); out.Data["content"] != "lo" || out.Data["rest"] != int64(0) {
		t.Errorf("%v", out.Data)
	}
	if err := os.WriteFile(path, []byte{0xff, 0}, 0o600); err != nil {
		t.Fatal(err)
	}
	if out = do(t, "file.fetch", map[string]any{"path": path}); out.Data["base64"] != "/wA=" {
		t.Errorf("%v", out.Data)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, do(t, "file.fetch", map[string]any{"path": pipe}), fettle.StatusFailed, pipe+" is a pipe, not a file")
	want(t, do(t, "file.fetch", map[string]any{"path": "/dev/zero"}), fettle.StatusFailed, "/dev/zero is a device, not a file")
}
