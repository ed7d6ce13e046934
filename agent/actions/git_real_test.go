//go:build integration && linux

package actions

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

func TestGitForReal(t *testing.T) {
	repository, path := t.TempDir(), filepath.Join(t.TempDir(), "a", "checkout")
	git := func(args ...string) string {
		t.Helper()
		return must(t, repository, "git", append([]string{"-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"}, args...)...)
	}
	commit := func(content, subject string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(repository, "file"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		git("add", ".")
		git("commit", "-q", "-m", subject)
		return git("rev-parse", "HEAD")
	}
	git("init", "-q", "-b", "trunk")
	first := commit("1", "the first")
	git("tag", "v1")
	second := commit("2", "the second")
	git("branch", "side")
	third := commit("3", "the third")
	checkout := func(more map[string]any) Outcome {
		inputs := map[string]any{"url": "file://" + repository, "path": path}
		for k, v := range more {
			inputs[k] = v
		}
		return do(t, "git.checkout", inputs)
	}
	is := func(out Outcome, commit, before, ref string, changed bool) {
		t.Helper()
		if want(t, out, fettle.StatusOK, path+" is at "+commit[:10]); out.Data["commit"] != commit || out.Data["before"] != before || out.Data["ref"] != ref || out.Data["changed"] != changed {
			t.Errorf("data %v", out.Data)
		}
	}
	is(checkout(nil), third, "", "refs/heads/trunk", true)
	is(checkout(nil), third, third, "refs/heads/trunk", false)
	is(checkout(map[string]any{"ref": "side"}), second, third, "refs/heads/side", true)
	is(checkout(map[string]any{"ref": "v1"}), first, second, "refs/tags/v1", true)
	is(checkout(map[string]any{"ref": second[:12]}), second, first, "", true)
	git("checkout", "-q", "side")
	fourth := commit("4", "the fourth")
	is(checkout(map[string]any{"ref": "side"}), fourth, second, "refs/heads/side", true)
	holds(t, filepath.Join(path, "file"), "4", 0o644)

	if err := os.WriteFile(filepath.Join(path, "file"), []byte("by hand"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "stray"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	out := checkout(map[string]any{"ref": "trunk"})
	want(t, out, fettle.StatusFailed, "1 file was changed by hand in "+path)
	holds(t, filepath.Join(path, "file"), "by hand", 0o644)
	is(checkout(map[string]any{"ref": "trunk", "clean": true}), third, fourth, "refs/heads/trunk", true)
	holds(t, filepath.Join(path, "file"), "3", 0o644)
	if _, err := os.Stat(filepath.Join(path, "stray")); err == nil {
		t.Error("the stray file is still there")
	}

	want(t, checkout(map[string]any{"ref": "nosuch"}), fettle.StatusFailed, "the repository has no branch, tag or commit nosuch")
	want(t, checkout(map[string]any{"url": "file:///no/such"}), fettle.StatusFailed, path+" comes from file://"+repository+", not from file:///no/such")
	want(t, checkout(map[string]any{"url": "ext::sh -c true", "path": path + "2"}), fettle.StatusFailed, "git fetch: exit 128: transport 'ext' not allowed")
	out = checkout(map[string]any{"url": "http://anna:hunter2@127.0.0.1:1/x", "path": path + "3"})
	if want(t, out, fettle.StatusFailed, "git fetch: exit 128: unable to access"); strings.Contains(out.Message, "hunter2") {
		t.Errorf("it tells the password: %s", out.Message)
	}
	want(t, checkout(map[string]any{"path": repository + "/.."}), fettle.StatusFailed, filepath.Dir(repository)+" is no folder of git")
	want(t, checkout(map[string]any{"ref": "--upload-pack=x"}), fettle.StatusInvalidInput, "git.checkout: input ref has to match")
	if os.Geteuid() == 0 {
		dir := t.TempDir()
		for _, d := range []string{dir, filepath.Dir(dir), repository, filepath.Dir(repository)} {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		must(t, "/", "git", "config", "--file", filepath.Join(repository, ".git", "config"), "core.sharedRepository", "world")
		must(t, "/", "chown", "-R", "nobody", repository)
		own := filepath.Join(dir, "own")
		want(t, do(t, "git.checkout", map[string]any{"url": "file://" + repository, "path": own, "user": "nobody", "ref": "v1"}), fettle.StatusOK, own+" is at "+first[:10])
		if out := do(t, "file.stat", map[string]any{"path": filepath.Join(own, "file")}); out.Data["owner"] != "nobody" {
			t.Errorf("it belongs to %v", out.Data["owner"])
		}
	}
}
