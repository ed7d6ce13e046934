//go:build integration

package house

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPrometheusRules has promtool try the rules of the example.
func TestPrometheusRules(t *testing.T) {
	promtool := service(t, "FETTLE_TEST_PROMTOOL")
	for _, args := range [][]string{{"check", "rules", "rules.yml"}, {"test", "rules", "rules.test.yml"}, {"check", "config", "prometheus.yml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = "../../examples/prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// promTarget is what Prometheus says of a target.
type promTarget struct {
	DiscoveredLabels, Labels map[string]string
	ScrapePool, ScrapeURL    string
}

// promAlert is what it says of an alert.
type promAlert struct {
	Labels, Annotations map[string]string
	State               string
}

// prom is a Prometheus that scrapes a server by the configuration of the example.
type prom struct {
	t             *testing.T
	address, file string
}

// startProm starts a Prometheus with the files of examples/prometheus: its paths and its server are those of the test, and its minutes last a second.
// The jobs more stand beside those of the example.
func startProm(t *testing.T, base, token, more string) *prom {
	t.Helper()
	prometheus, promtool := service(t, "FETTLE_TEST_PROMETHEUS"), service(t, "FETTLE_TEST_PROMTOOL")
	dir := t.TempDir()
	credentials := filepath.Join(dir, "fettle.token")
	if err := os.WriteFile(credentials, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	m := &prom{t: t, address: freeAddress(t), file: filepath.Join(dir, "prometheus.yml")}
	replace := func(text, old, by string) string {
		t.Helper()
		if !strings.Contains(text, old) {
			t.Fatalf("the example has no %q any more", old)
		}
		return strings.ReplaceAll(text, old, by)
	}
	copyFile(t, "../../examples/prometheus/prometheus.yml", m.file, 0o644, func(text string) string {
		text += more
		text = replace(text, "127.0.0.1:8420", strings.TrimPrefix(base, "http://"))
		text = replace(text, "/etc/prometheus/fettle.token", credentials)
		text = replace(text, "refresh_interval: 1m", "refresh_interval: 1s")
		return replace(text, "scrape_interval: 15s", "scrape_interval: 1s\n  evaluation_interval: 1s")
	})
	copyFile(t, "../../examples/prometheus/rules.yml", filepath.Join(dir, "rules.yml"), 0o644, func(text string) string {
		return regexp.MustCompile(`(?m)^( +for: \d+)m$`).ReplaceAllString(text, "${1}s")
	})
	if out, err := exec.Command(promtool, "check", "config", m.file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	daemon(t, prometheus, "--config.file="+m.file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+m.address)
	return m
}

// ask gives what the API of Prometheus answers; the zero value while it starts.
func promAsk[T any](m *prom, path string) (data T) {
	var answer struct{ Data T }
	if json.Unmarshal([]byte(getMaybe("http://"+m.address+"/api/v1/"+path)), &answer) != nil {
		return data
	}
	return answer.Data
}

// series counts the series that a query gives.
func (m *prom) series(query string) int {
	return len(promAsk[struct{ Result []json.RawMessage }](m, "query?query="+url.QueryEscape(query)).Result)
}

// holds waits until a query gives n series.
func (m *prom) holds(query string, n int) {
	m.t.Helper()
	eventually(m.t, fmt.Sprintf("%s has %d series", query, n), func() bool { return m.series(query) == n })
}

// alert gives an alert by its name and that of its verdict; its state is empty where there is none.
func (m *prom) alert(name, verdict string) promAlert {
	for _, a := range promAsk[struct{ Alerts []promAlert }](m, "alerts").Alerts {
		if a.Labels["alertname"] == name && a.Labels["verdict"] == verdict {
			return a
		}
	}
	return promAlert{}
}

// targets gives the targets of a job, by the identities of their nodes.
func (m *prom) targets(job string) map[string]promTarget {
	out := map[string]promTarget{}
	for _, one := range promAsk[struct{ ActiveTargets []promTarget }](m, "targets?state=active").ActiveTargets {
		if one.ScrapePool == job {
			out[one.DiscoveredLabels["__meta_fettle_identity"]] = one
		}
	}
	return out
}

// has waits until a job has n targets.
func (m *prom) has(job string, n int) {
	m.t.Helper()
	eventually(m.t, fmt.Sprintf("job %s has %d targets", job, n), func() bool { return len(m.targets(job)) == n })
}

// savedJob is a job that finds nodes by a saved filter, with its port and a label by facts.
const savedJob = `
  - job_name: saved
    http_sd_configs:
      - url: http://127.0.0.1:8420/api/v1/prometheus/sd?where=@lab&port=facts.processors.count&label=site=facts.customer,os.family
        refresh_interval: 1m
        authorization: {type: Bearer, credentials_file: /etc/prometheus/fettle.token}
`

// TestPrometheus has a real Prometheus scrape the server, alert by the rules of the example, and find an emulated fleet by http_sd.
func TestPrometheus(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	flag, state := filepath.Join(dir, "bad"), filepath.Join(dir, "state")
	nrpe := write("nrpe.cfg", fmt.Sprintf("command[check_flag]=if [ -e %s ]; then echo it is bad; exit 2; else echo fine; fi\n", flag))
	config := write("server.yaml", `
sd-shrink-to: 60
sd-hold: 1h
checks:
  - {name: flag, command: check_flag, filter: 'identity == "n1.example.net"', interval: 1s}
  - {name: used, command: check_disk, filter: 'identity.startsWith("lab")', interval: 1s}
`)
	p := start(t, "dev", "--state", state, "--http", "127.0.0.1:0", "--stomp", "127.0.0.1:0", "--identity", "n1.example.net", "--nrpe-config", nrpe, "--config", config, "--beat-interval", "1s")
	base := p.ready["http"]
	fleet := start(t, "emulate", "--nodes", "6", "--prefix", "lab", "--checks", "--server", p.ready["stomp"], "--secret-file", filepath.Join(state, "broker.secret"), "--beat-interval", "1s")
	ask(t, p, "filter", "save", "lab", `identity.startsWith("lab")`).want(t, 0)
	ask(t, p, "checks", "apply", "-f", write("tier.yaml", "{kind: group, name: tier, by: facts.customer, members: [{check: used}]}\n")).want(t, 0)
	token := into[struct{ Token string }](t, ask(t, p, "token", "create", "prometheus", "--scope", "prometheus", "-o", "json").want(t, 0)).Token
	m := startProm(t, base, token, savedJob)

	lab := fleetNames(t, p, `identity.startsWith("lab")`)
	customers := into[struct{ Values []json.RawMessage }](t, ask(t, p, "facts", "customer", `identity.startsWith("lab")`, "-o", "json").want(t, 0)).Values
	m.holds(`fettle_verdict_status{check="flag"} == 0`, 1)
	m.holds(`fettle_nodes{liveness="alive"} == 7`, 1)
	m.holds(`fettle_verdict_nodes{check="used",state="ok"} == 6`, 1)
	m.holds(`fettle_verdict_status{check="tier",verdict=~"tier: .*"} == 0`, len(customers))
	m.holds(`fettle_verdict_perfdata_ratio{check="used",fold=~"sum|min|max|avg|p50|p90|p99"}`, 7)
	m.holds(`fettle_verdict_perfdata_ratio{check="tier",fold="p90"}`, len(customers)+1)
	if text := command(t, []string{"FETTLE_CONTEXT=" + p.ready["context"]}, pluginBin, "--check", "used", "-I", lab[0]).stdout; !regexp.MustCompile(`\|total=1 ok=1 .* used_avg=[0-9.]+% used_max=[0-9.]+%`).MatchString(text) {
		t.Errorf("check_fettle says of one node: %s", text)
	}
	t.Run("promtool finds nothing wrong with the page, and nothing is there twice", func(t *testing.T) { promClean(t, base) })

	t.Run("targets are those of the filter, with their labels and ports", func(t *testing.T) {
		m.t = t
		m.has("node", 7)
		m.has("saved", 6)
		for _, name := range lab {
			facts := into[struct {
				Facts struct {
					Customer   string
					OS         struct{ Family string }
					Processors struct{ Count int }
				}
			}](t, ask(t, p, "show", name, "-o", "json").want(t, 0)).Facts
			got := m.targets("saved")[name]
			if want := fmt.Sprintf("http://%s:%d/metrics", name, facts.Processors.Count); got.ScrapeURL != want {
				t.Errorf("%s is scraped at %q, want %q", name, got.ScrapeURL, want)
			}
			if got.Labels["site"] != facts.Customer || got.DiscoveredLabels["__meta_fettle_fact_os_family"] != facts.OS.Family {
				t.Errorf("%s: %v %v", name, got.Labels, got.DiscoveredLabels)
			}
			if got := m.targets("node")[name]; got.Labels["instance"] != name || got.ScrapeURL != "http://"+name+":9100/metrics" {
				t.Errorf("%s: %+v", name, got)
			}
		}
	})
	t.Run("a check that is critical fires, and is over when it is ok", func(t *testing.T) {
		m.t = t
		write("bad", "")
		eventually(t, "it fires", func() bool { return m.alert("FettleVerdictCritical", "flag").State == "firing" })
		a := m.alert("FettleVerdictCritical", "flag")
		if a.Labels["severity"] != "page" || a.Annotations["summary"] != "flag is critical" || !strings.HasSuffix(a.Annotations["runbook_url"], "/checks/flag") {
			t.Errorf("%+v", a)
		}
		if err := os.Remove(flag); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is over", func() bool { return m.alert("FettleVerdictCritical", "flag").State == "" })
		m.holds(`fettle_verdict_status{check="flag"} == 0`, 1)
	})
	fleet.kill()
	t.Run("nodes that go leave the targets", func(t *testing.T) {
		m.t = t
		eventually(t, "two are forgotten", func() bool { return ask(t, p, "node", "forget", lab[0], lab[1]).code == 0 })
		m.has("saved", 4)
		m.has("node", 5)
	})
	t.Run("a list that suddenly shrinks is held, says so, and is released by a person", func(t *testing.T) {
		m.t = t
		ask(t, p, "filter", "save", "lab", fmt.Sprintf("identity == %q", lab[5])).want(t, 0)
		eventually(t, "Prometheus says so", func() bool { return m.alert("FettleTargetsHeld", "").State == "firing" })
		if got := m.alert("FettleTargetsHeld", "").Annotations["summary"]; !strings.Contains(got, "has lost 3 nodes") {
			t.Error(got)
		}
		if n := len(m.targets("saved")); n != 4 {
			t.Errorf("%d targets are left", n)
		}
		list := ask(t, p, "prometheus", "lists").want(t, 0).stdout
		if !regexp.MustCompile(`(?m)^@lab +facts.processors.count +4 +1 +2`).MatchString(list) {
			t.Error(list)
		}
		ask(t, p, "prometheus", "release", "@lab").want(t, 0)
		m.has("saved", 1)
		eventually(t, "the alert is over", func() bool { return m.alert("FettleTargetsHeld", "").State == "" })
		if log := ask(t, p, "audit", "-o", "json").want(t, 0).stdout; !strings.Contains(log, `"targets.release"`) || !strings.Contains(log, `"@lab"`) {
			t.Errorf("the audit log does not say who: %s", log)
		}
	})
	t.Run("nobody is an empty list", func(t *testing.T) {
		m.t = t
		ask(t, p, "filter", "save", "lab", `identity == "nobody"`).want(t, 0)
		m.holds("fettle_sd_held_targets == 1", 1) // what was one is none
		ask(t, p, "prometheus", "release", "--all").want(t, 0)
		m.has("saved", 0)
		m.holds("fettle_sd_holds_ended_total{how=\"released\"} == 2", 1)
		if got := ask(t, p, "prometheus", "targets", "@lab", "-o", "json").want(t, 0).stdout; strings.TrimSpace(got) != "[]" {
			t.Error(got)
		}
	})
	t.Run("what nobody is counted for is zero, and does not disappear", func(t *testing.T) {
		m.t = t
		ask(t, p, append([]string{"node", "forget"}, lab[2:]...)...).want(t, 0)
		m.holds(`fettle_verdict_nodes{check="used",verdict="used"} == 0`, 6)
		m.holds(`fettle_verdict_vanished{check="tier"} == 1`, len(customers))
		m.holds(`sum by (verdict) (fettle_verdict_nodes{check="tier",verdict=~"tier: .*"}) == 0`, len(customers))
		eventually(t, "and is told as unknown", func() bool { return m.alert("FettleVerdictUnknown", "used").State == "firing" })
	})
}

// fleetNames gives the names of the nodes that a filter matches, sorted.
func fleetNames(t *testing.T, p *process, filter string) []string {
	t.Helper()
	names := strings.Fields(ask(t, p, "find", filter, "-o", "names").want(t, 0).stdout)
	slices.Sort(names)
	return names
}

// promClean has promtool read the page, and looks for series that are there twice.
func promClean(t *testing.T, base string) {
	page := get(t, base+"/metrics", "")
	check := exec.Command(service(t, "FETTLE_TEST_PROMTOOL"), "check", "metrics")
	check.Stdin = strings.NewReader(page)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	seen := map[string]bool{}
	for line := range strings.SplitSeq(page, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		series := line[:strings.LastIndexByte(line, ' ')]
		if seen[series] {
			t.Errorf("twice: %s", series)
		}
		seen[series] = true
	}
}
