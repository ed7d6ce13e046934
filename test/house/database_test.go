//go:build integration

package house

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// database makes a schema on the MariaDB that test/services runs, and gives a DSN that leads there by way of a proxy.
func database(t *testing.T) (proxy *toxiproxy.Proxy, dsn string) {
	t.Helper()
	parts := regexp.MustCompile(`^([^:]+):([^@]*)@tcp\(([^:]+):(\d+)\)/$`).FindStringSubmatch(service(t, "FETTLE_TEST_MYSQL_DSN"))
	if parts == nil {
		t.Fatal("FETTLE_TEST_MYSQL_DSN is not of the form user:password@tcp(host:port)/")
	}
	user, password, host, port := parts[1], parts[2], parts[3], parts[4]
	schema := "fettle_house_" + strings.ToLower(regexp.MustCompile(`\W`).ReplaceAllString(t.Name(), "_"))
	statement := func(sql string) {
		t.Helper()
		if out, err := exec.Command("mariadb", "--no-defaults", "-h"+host, "-P"+port, "-u"+user, "-p"+password, "-e", sql).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", sql, err, out)
		}
	}
	statement("DROP DATABASE IF EXISTS " + schema + "; CREATE DATABASE " + schema)
	t.Cleanup(func() { statement("DROP DATABASE " + schema) })
	proxy = toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), "database", "127.0.0.1:0", host+":"+port)
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	return proxy, fmt.Sprintf("%s:%s@tcp(%s)/%s?readTimeout=2s&timeout=2s", user, password, proxy.Listen, schema)
}

// TestADatabaseThatGoesAndComesBack takes the database away while tasks and facts flow.
func TestADatabaseThatGoesAndComesBack(t *testing.T) {
	proxy, dsn := database(t)
	c := newCrowd(t, newPlace(t, "--store", dsn))
	server := c.open()
	agent := start(t, c.agent("n1", "--nrpe-config", c.nrpe(t), "--facts-dir", c.factsDir)...)
	c.alive("n1")
	base := server.ready["http"]
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	t.Cleanup(func() { cancel(); load.Wait() })
	load.Go(func() { c.work(ctx) })
	load.Go(func() { c.publish(ctx, t) })
	status := func(url string) int {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}

	for name, cut := range map[string]struct{ away, back func() error }{
		"it refuses": {func() error { proxy.Stop(); return nil }, proxy.Start},
		"it answers nothing": {
			func() error {
				_, err := proxy.Toxics.AddToxicJson(strings.NewReader(`{"name":"stall","type":"timeout","stream":"downstream","attributes":{"timeout":0}}`))
				return err
			},
			func() error { return proxy.Toxics.RemoveToxic(t.Context(), "stall") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.busy(t)
			if err := cut.away(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it is not ready", func() bool { return status(base+"/readyz") == http.StatusServiceUnavailable })
			code, err := c.call(http.MethodPost, "/runs", map[string]any{"action": "agent.ping", "all": true}, nil)
			if code != http.StatusServiceUnavailable || strings.Contains(fmt.Sprint(err), "secret") {
				t.Errorf("a run meanwhile: %d, %v", code, err)
			}
			if n, ok := c.node("n1"); !ok || n.Facts["kernel"] != "Linux" {
				t.Errorf("a question that memory can answer is not answered: %+v", n)
			}
			a := ask(t, server, "run", "agent.ping", "--all", "-o", "json").want(t, 1)
			if a.stdout != "" || !strings.Contains(a.stderr, `"status":503`) {
				t.Errorf("the command line says %q, %q", a.stdout, a.stderr)
			}
			if code := status(base + "/healthz"); code != http.StatusOK {
				t.Errorf("health: %d", code)
			}
			if err := cut.back(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it is ready", func() bool { return status(base+"/readyz") == http.StatusOK })
			c.busy(t)
		})
	}
	t.Run("nobody was taken for silent meanwhile", func(t *testing.T) {
		n, _ := c.node("n1")
		if n.Liveness != "alive" {
			t.Errorf("n1 is %s", n.Liveness)
		}
	})
	t.Run("the log says what was wrong, without the password", func(t *testing.T) {
		if text := server.log.String(); !strings.Contains(text, "commit of received messages") || strings.Contains(text, "secret@") {
			t.Errorf("%s", text)
		}
	})
	cancel()
	load.Wait()
	agent.stop() // and what is known of it from now on comes from the database
	known := c.known.Load()
	server.kill()
	server = c.open()
	n, _ := c.node("n1")
	if count, _ := n.Facts["count"].(float64); int64(count) < known {
		t.Errorf("facts.count is %v, and %d was acknowledged", n.Facts["count"], known)
	}
	c.account(t, false)
}
