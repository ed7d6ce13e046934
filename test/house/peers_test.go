//go:build integration

package house

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// service gives what test/services says of a program; without it the test fails, because a promise would go untested.
func service(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: start the services (test/services/services.sh start) and take their settings, as make test does", name)
	}
	return value
}

// daemon runs a program of others until the test ends.
func daemon(t *testing.T, name string, args ...string) *lockedBuffer {
	t.Helper()
	cmd := exec.Command(name, args...)
	log := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second // children that left the group may hold what it writes to
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // the whole group: wrappers have children
		late := time.AfterFunc(10*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		_ = cmd.Wait() // it was told to go
		late.Stop()
		if t.Failed() {
			t.Logf("%s:\n%s", name, log)
		}
	})
	return log
}

func copyFile(t *testing.T, from, to string, mode os.FileMode, change func(string) string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		text = []byte(change(string(text)))
	}
	if err := os.WriteFile(to, text, mode); err != nil {
		t.Fatal(err)
	}
}

func TestNagiosShowsAFleet(t *testing.T) {
	nagios, home := service(t, "FETTLE_TEST_NAGIOS"), service(t, "FETTLE_TEST_NAGIOS_DIR")
	p := dev(t, "--identity", "n1.example.net")
	dir, err := os.MkdirTemp(home, "house-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.MkdirAll(filepath.Join(dir, "conf.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	plugin, context := filepath.Join(dir, "check_fettle"), filepath.Join(dir, "nagios.yaml")
	copyFile(t, fettleBin, plugin, 0o755, nil)
	copyFile(t, p.ready["context"], context, 0o600, nil)
	copyFile(t, "../../examples/nagios/fettle.cfg", filepath.Join(dir, "conf.d", "fettle.cfg"), 0o644, func(text string) string {
		return strings.NewReplacer("/usr/local/bin/check_fettle", plugin, "/etc/fettle/nagios.yaml", context).Replace(text)
	})
	daemon(t, nagios, dir)

	status := filepath.Join(dir, "var", "status.dat")
	field := func(service, name string) string {
		text, err := os.ReadFile(status)
		if err != nil {
			return ""
		}
		for block := range strings.SplitSeq(string(text), "servicestatus {") {
			if strings.Contains(block, "service_description="+service+"\n") {
				if m := regexp.MustCompile(`(?m)^\s*` + name + `=(.*)$`).FindStringSubmatch(block); m != nil {
					return m[1]
				}
			}
		}
		return ""
	}
	eventually(t, "Nagios has asked", func() bool {
		return field("load", "has_been_checked") == "1" && field("disks of Linux", "has_been_checked") == "1"
	})
	if got := field("load", "plugin_output"); !regexp.MustCompile(`^check_load: OK: \d WARNING: \d CRITICAL: \d UNKNOWN: \d$`).MatchString(got) {
		t.Errorf("plugin output %q", got)
	}
	if got := field("load", "performance_data"); !strings.HasPrefix(got, "total=1 ok=") || !strings.Contains(got, "checktime=") {
		t.Errorf("performance data %q", got)
	}
	if got, want := field("disks of Linux", "current_state"), disks(t, p); got != want {
		t.Errorf("state %s, want %s: %s", got, want, field("disks of Linux", "plugin_output"))
	}
}

// get reads a page and fails the test unless it is there.
func get(t *testing.T, address, token string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v\n%s", address, resp.Status, err, body)
	}
	return string(body)
}

// getMaybe reads a page of a program that may still be starting.
func getMaybe(address string) string {
	resp, err := http.Get(address)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		return ""
	}
	return b.String()
}

// tokenOf reads the token out of a server's context file.
func tokenOf(t *testing.T, p *process) string {
	t.Helper()
	text, err := os.ReadFile(p.ready["context"])
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if token, ok := strings.CutPrefix(line, "token: "); ok {
			return strings.Trim(token, `"' `)
		}
	}
	t.Fatal(fmt.Errorf("no token in %s", p.ready["context"]))
	return ""
}

// disks gives the state that the example's service of disks has here: this machine's own disk may be nearly full.
func disks(t *testing.T, p *process) string {
	t.Helper()
	env := []string{"FETTLE_CONTEXT=" + p.ready["context"]}
	return strconv.Itoa(command(t, env, pluginBin, "--check", "check_disk", "-W", "kernel=Linux", "--warning", "2", "--critical", "10%").code)
}
