//go:build integration

package house

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	if got := field("disks of Linux", "current_state"); got != "0" {
		t.Errorf("one full disk of one node is no warning by these thresholds: state %s, %s", got, field("disks of Linux", "plugin_output"))
	}
}

func TestPrometheusReadsUs(t *testing.T) {
	prometheus, promtool := service(t, "FETTLE_TEST_PROMETHEUS"), service(t, "FETTLE_TEST_PROMTOOL")
	dir := t.TempDir()
	config := filepath.Join(dir, "server.yaml")
	text := "checks:\n  - name: load\n    command: check_load\n    interval: 1s\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := dev(t, "--identity", "n1.example.net", "--config", config)
	base := p.ready["http"]

	t.Run("promtool finds nothing wrong with the page", func(t *testing.T) {
		eventually(t, "a verdict is on the page", func() bool {
			return strings.Contains(get(t, base+"/metrics", ""), `fettle_verdict_status{check="load"`)
		})
		page := get(t, base+"/metrics", "")
		check := exec.Command(promtool, "check", "metrics")
		check.Stdin = strings.NewReader(page)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		seen := map[string]bool{}
		for line := range strings.SplitSeq(page, "\n") {
			series, _, _ := strings.Cut(line, " ")
			if line != "" && line[0] != '#' && seen[series] {
				t.Errorf("twice: %s", series)
			}
			seen[series] = true
		}
	})

	token := tokenOf(t, p)
	credentials := filepath.Join(dir, "fettle.token")
	if err := os.WriteFile(credentials, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	copyFile(t, "../../examples/prometheus/rules.yml", filepath.Join(dir, "rules.yml"), 0o644, nil)
	copyFile(t, "../../examples/prometheus/prometheus.yml", filepath.Join(dir, "prometheus.yml"), 0o644, func(text string) string {
		host := strings.TrimPrefix(base, "http://")
		return strings.NewReplacer("127.0.0.1:8420", host, "/etc/prometheus/fettle.token", credentials, "15s", "1s", "1m", "1s").Replace(text)
	})
	t.Run("promtool finds nothing wrong with the example", func(t *testing.T) {
		if out, err := exec.Command(promtool, "check", "config", filepath.Join(dir, "prometheus.yml")).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	address := freeAddress(t)
	daemon(t, prometheus, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)

	t.Run("it scrapes verdicts and nodes", func(t *testing.T) {
		for _, query := range []string{`fettle_verdict_status{check="load"}`, `fettle_nodes{liveness="alive"} == 1`, `up{job="fettle"} == 1`} {
			eventually(t, query, func() bool { return len(promQuery(t, address, query)) == 1 })
		}
	})
	t.Run("it discovers the nodes that a filter matches", func(t *testing.T) {
		eventually(t, "the node is a target", func() bool {
			text := getMaybe("http://" + address + "/api/v1/targets")
			return strings.Contains(text, "n1.example.net:9100")
		})
	})
}

func promQuery(t *testing.T, address, query string) []json.RawMessage {
	t.Helper()
	var answer struct {
		Data struct{ Result []json.RawMessage }
	}
	text := getMaybe("http://" + address + "/api/v1/query?query=" + url.QueryEscape(query))
	if json.Unmarshal([]byte(text), &answer) != nil {
		return nil // it is starting
	}
	return answer.Data.Result
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
