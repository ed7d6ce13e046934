//go:build integration && linux

package actions

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// must runs a program that has to go well.
func must(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// aptRoot makes a system of its own for apt, with nothing installed, and a repository of packages that are built here.
func aptRoot(t *testing.T) (root, repository string) {
	t.Helper()
	root, repository = t.TempDir(), t.TempDir()
	for _, dir := range []string{root, repository, filepath.Dir(root)} { // apt fetches as a user of its own
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/trusted.gpg.d", "etc/apt/sources.list.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log/apt"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for file, content := range map[string]string{
		"etc/apt/sources.list":  "deb [trusted=yes] file:" + repository + " ./\n",
		"var/lib/dpkg/status":   "",
		"etc/apt/apt.conf.d/10": "APT::Sandbox::User \"root\";\n",
	} {
		if err := os.WriteFile(filepath.Join(root, file), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root, repository
}

// build builds a package into a repository.
func build(t *testing.T, repository, name, version, more string) {
	t.Helper()
	dir := t.TempDir()
	for file, content := range map[string]string{
		"DEBIAN/control":        fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Test <test@example.org>\nDescription: a package of a test\n%s", name, version, more),
		"DEBIAN/conffiles":      "/etc/" + name + ".conf\n",
		"etc/" + name + ".conf": "version " + version + "\n", "usr/share/" + name: version + "\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	must(t, repository, "dpkg-deb", "--root-owner-group", "-b", dir, name+"_"+version+"_all.deb")
	var packages strings.Builder
	debs, err := filepath.Glob(filepath.Join(repository, "*.deb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, deb := range debs {
		info, err := os.Stat(deb)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := sha256File(deb)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&packages, "%s\nFilename: ./%s\nSize: %d\nSHA256: %s\n\n", must(t, repository, "dpkg-deb", "-f", deb), filepath.Base(deb), info.Size(), sum)
	}
	if err := os.WriteFile(filepath.Join(repository, "Packages"), []byte(packages.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestAptForReal(t *testing.T) {
	root, repository := aptRoot(t)
	build(t, repository, "fettle-test-lib", "1.0", "")
	build(t, repository, "fettle-test", "1.0", "Depends: fettle-test-lib\n")
	build(t, repository, "fettle-test", "1.1~rc1", "Depends: fettle-test-lib\n")
	table, err := New(Config{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	run := func(verb, version string, more ...string) Outcome {
		inputs := map[string]any{}
		if verb != "refresh" && verb != "checkupdates" {
			inputs["name"] = "fettle-test"
		}
		if version != "" {
			inputs["version"] = version
		}
		if len(more) > 0 {
			inputs["name"] = more[0]
		}
		return table.Do(t.Context(), Call{Action: "package." + verb, Inputs: inputs})
	}
	is := func(out Outcome, message, version string, changes ...string) {
		t.Helper()
		got, _ := out.Data["changes"].([]string)
		if want(t, out, fettle.StatusOK, message); strings.Join(got, "; ") != strings.Join(changes, "; ") || out.Data["version"] != version || out.Data["changed"] != (len(changes) > 0) || out.Data["manager"] != "apt" {
			t.Errorf("data %v", out.Data)
		}
	}
	want(t, run("refresh", ""), fettle.StatusOK, "the lists are")
	want(t, run("status", ""), fettle.StatusOK, "not installed")
	want(t, run("update", ""), fettle.StatusFailed, "fettle-test is not installed")
	is(run("install", "1.0"), "fettle-test 1.0", "1.0", "installed fettle-test 1.0", "installed fettle-test-lib 1.0")
	is(run("install", ""), "fettle-test 1.0 is installed already", "1.0")
	want(t, run("status", ""), fettle.StatusOK, "1.0")
	updates := run("checkupdates", "")
	if want(t, updates, fettle.StatusOK, "1 update"); updates.Data["count"] != int64(1) {
		t.Errorf("data %v", updates.Data)
	}
	conf := filepath.Join(root, "etc/fettle-test.conf")
	if err := os.WriteFile(conf, []byte("changed by hand\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	is(run("update", ""), "fettle-test 1.1~rc1", "1.1~rc1", "changed fettle-test 1.0 to 1.1~rc1")
	holds(t, conf, "changed by hand\n", 0o644)
	is(run("update", ""), "fettle-test 1.1~rc1 is the newest", "1.1~rc1")
	is(run("install", "1.0"), "fettle-test 1.0", "1.0", "changed fettle-test 1.1~rc1 to 1.0")
	is(run("remove", ""), "fettle-test is removed", "", "removed fettle-test 1.0")
	is(run("remove", ""), "fettle-test is not installed", "")
	holds(t, conf, "changed by hand\n", 0o644)
	is(run("purge", ""), "fettle-test is removed", "")
	if _, err := os.Stat(conf); err == nil {
		t.Error("its configuration is still there")
	}
	want(t, run("install", "9"), fettle.StatusFailed, "install of fettle-test: exit 100: Version '9' for 'fettle-test' was not found")
	want(t, run("install", "", "no-such-package"), fettle.StatusFailed, "install of no-such-package: exit 100: Unable to locate package no-such-package")
	want(t, run("install", "", "-o"), fettle.StatusInvalidInput, "package.install: input name has to match")

	holdLock(t, table, filepath.Join(root, "var/lib/dpkg/lock-frontend"))
}

// holdLock shows that a lock is waited for: it is given up in time, and then in vain.
func holdLock(t *testing.T, table *Table, file string) {
	t.Helper()
	lock, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	hold := func(how int16) {
		if err := syscall.FcntlFlock(lock.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: how}); err != nil {
			t.Fatal(err)
		}
	}
	hold(syscall.F_WRLCK)
	install := Call{Action: "package.install", Inputs: map[string]any{"name": "fettle-test"}, Timeout: 4 * time.Second}
	out := table.Do(t.Context(), install)
	want(t, out, fettle.StatusTimeout, "waiting for others who work with packages timed out after 4s")
	if said, _ := out.Data["output"].(string); !strings.Contains(said, "held by process") {
		t.Errorf("data %v", out.Data)
	}
	timer := time.AfterFunc(2*time.Second, func() { hold(syscall.F_UNLCK) })
	defer timer.Stop()
	install.Timeout = 30 * time.Second
	want(t, table.Do(t.Context(), install), fettle.StatusOK, "fettle-test 1.1~rc1")
}
