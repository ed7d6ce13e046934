package api

import (
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	fettle "github.com/fettle-dev/fettle"
)

func TestProbes(t *testing.T) {
	b := newBench(t, Config{})
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := b.ask("", "GET", path, ""); a.status != 200 || a.body != "ok\n" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	b.fleet.unready = fmt.Errorf("the inventory is being loaded: %w", fettle.ErrUnavailable)
	if a := b.ask("", "GET", "/readyz", ""); a.status != 503 || a.body != "the inventory is being loaded\n" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := b.ask("", "GET", "/healthz", ""); a.status != 200 {
		t.Errorf("what is not ready is not ill: %d %s", a.status, a.body)
	}
}

func TestMetrics(t *testing.T) {
	b := newBench(t, Config{Meters: []func(io.Writer){func(w io.Writer) { _, _ = io.WriteString(w, "fettle_broker_connections 5\n") }}})
	a := b.ask("", "GET", "/metrics", "")
	if got := a.header.Get("Content-Type"); a.status != 200 || !strings.HasPrefix(got, "text/plain; version=0.0.4") {
		t.Fatalf("%d %s", a.status, got)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(a.body))
	if err != nil {
		t.Fatalf("%v in\n%s", err, a.body)
	}
	for name, kind := range map[string]string{
		"fettle_nodes": "GAUGE", "fettle_server_batch_seconds": "SUMMARY", "fettle_server_result_seconds": "SUMMARY", "fettle_server_messages_total": "COUNTER", "fettle_server_queue": "GAUGE",
		"fettle_broker_connections": "GAUGE",
	} {
		f := families[name]
		if f == nil {
			t.Errorf("%s is not there:\n%s", name, a.body)
		} else if f.GetType().String() != kind || len(f.GetHelp()) < 10 {
			t.Errorf("%s is a %s: %q", name, f.GetType(), f.GetHelp())
		}
	}
	if s := families["fettle_server_batch_seconds"].GetMetric()[0].GetSummary(); s.GetSampleCount() != 7 || s.GetSampleSum() != 2.5 || len(s.GetQuantile()) != 1 {
		t.Errorf("the summary is torn: %v", s)
	}
	if n := strings.Count(a.body, "# TYPE fettle_server_queue "); n != 1 {
		t.Errorf("a family stands in %d pieces", n)
	}
}

func TestMetricsAsOpenMetrics(t *testing.T) {
	b := newBench(t, Config{})
	a := b.ask("", "GET", "/metrics", "", "Accept", "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.4", "Accept-Encoding", "identity")
	if got := a.header.Get("Content-Type"); a.status != 200 || !strings.HasPrefix(got, "application/openmetrics-text; version=1.0.0") {
		t.Fatalf("%d %s", a.status, got)
	}
	if !strings.HasSuffix(a.body, "\n# EOF\n") || strings.Count(a.body, "# EOF") != 1 {
		t.Errorf("it does not end as OpenMetrics do: %q", a.body[max(len(a.body)-40, 0):])
	}
	for _, line := range []string{"# TYPE fettle_server_messages counter\n", "\nfettle_server_messages_total "} {
		if !strings.Contains(a.body, line) {
			t.Errorf("%q is missing in\n%s", line, a.body)
		}
	}
}

func TestMetricsCompressed(t *testing.T) {
	b := newBench(t, Config{})
	a := b.ask("", "GET", "/metrics", "", "Accept-Encoding", "gzip")
	if a.header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v", a.header)
	}
	unpacked, err := gzip.NewReader(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil || !strings.Contains(string(text), "\nfettle_nodes{") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestMetricsToken(t *testing.T) {
	b := newBench(t, Config{MetricsToken: "scrape-me"})
	for token, status := range map[string]int{"": 401, "Bearer scrape": 401, "Bearer scrape-me": 200} {
		if a := b.ask("", "GET", "/metrics", "", "Authorization", token); a.status != status {
			t.Errorf("%q: %d", token, a.status)
		}
	}
}

func TestDocs(t *testing.T) {
	t.Run("the page and its files come from here alone", func(t *testing.T) {
		b := newBench(t, Config{Docs: fstest.MapFS{
			"swagger-ui.css": {Data: []byte("a{}")}, "swagger-ui-bundle.js": {Data: []byte("var a")}, "secret.txt": {Data: []byte("no")},
		}})
		a := b.ask("", "GET", "/docs", "")
		if a.status != 200 || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'self'") || strings.Contains(a.body, "http://") || strings.Contains(a.body, "https://") {
			t.Errorf("%d %s", a.status, a.body)
		}
		for path, kind := range map[string]string{
			"/docs/swagger-ui.css": "text/css; charset=utf-8", "/docs/swagger-ui-bundle.js": "text/javascript; charset=utf-8", "/docs/start.js": "text/javascript; charset=utf-8",
		} {
			if a := b.ask("", "GET", path, ""); a.status != 200 || a.header.Get("Content-Type") != kind || !strings.Contains(b.ask("", "GET", "/docs", "").body, `"`+path+`"`) {
				t.Errorf("%s: %d %v", path, a.status, a.header)
			}
		}
		for _, path := range []string{"/docs/secret.txt", "/docs/..%2Fapi.go"} {
			if a := b.ask("", "GET", path, ""); a.status != 404 {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
	})
	t.Run("without files there is no page", func(t *testing.T) {
		b := newBench(t, Config{})
		if a := b.ask("", "GET", "/docs", ""); a.status != 404 {
			t.Errorf("%d", a.status)
		}
	})
	t.Run("the document is served as it is kept", func(t *testing.T) {
		b := newBench(t, Config{})
		a := b.ask("", "GET", "/openapi.json", "")
		d, ok := decoded(t, a.body).(map[string]any)
		if !ok || d["openapi"] != "3.1.0" {
			t.Errorf("%d %.100s", a.status, a.body)
		}
		paths, _ := d["paths"].(map[string]any)
		for _, path := range []string{
			"nodes", "nodes/{identity}", "facts", "facts/{path}", "filter/explain", "rosters", "runs", "runs/{id}", "runs/{id}/results",
			"runs/{id}/events", "runs/{id}/cancel", "checks", "verdicts", "verdicts/{check}", "actions", "commands", "prometheus/sd", "tokens", "whoami", "version",
		} {
			if paths["/api/v1/"+path] == nil {
				t.Errorf("%s is not in the document", path)
			}
		}
		for _, path := range slices.Sorted(keys(paths)) {
			if !strings.HasPrefix(path, "/api/v1/") {
				t.Errorf("%s stands outside /api/v1", path)
			}
		}
	})
}

func keys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
