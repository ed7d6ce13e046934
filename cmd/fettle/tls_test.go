package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle/server/api/client"
)

// TestFleetByTLS has a fleet that speaks TLS everywhere: agents join by the token, which names the authority, and the command line by the context.
func TestFleetByTLS(t *testing.T) {
	f := newFleet(t, acme(), func(cfg *serverSettings) { cfg.TLS = "on" })
	url, ca := f.m.context.URL, filepath.Join(f.m.cfg.State, "ca.pem")
	if line := f.m.ready("server"); !strings.Contains(line, " http=https://127.0.0.1:") || !strings.Contains(line, " stomp=stomps://127.0.0.1:") {
		t.Errorf("got %q", line)
	}
	t.Run("the context has all that it takes", func(t *testing.T) {
		f.ask(t, "find", "facts.role == \"web\"", "--count").wants(t, exitOK, "3")
		f.ask(t, "run", "agent.ping", "-F", "role=web").wants(t, exitOK)
		call(t, "check_fettle", "--check", "check_load", "--context", f.context).wants(t, 2, "CRITICAL: 1 ")
	})
	t.Run("a context that is written has the authority itself", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "nagios.yaml")
		f.ask(t, "token", "create", "nagios", "--ca", ca, "--write", file).wants(t, exitOK)
		call(t, "check_fettle", "--check", "check_load", "--context", file).wants(t, 2, "CRITICAL: 1 ")
		raw, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(raw), "BEGIN CERTIFICATE") {
			t.Errorf("error %v, context %s", err, raw)
		}
	})
	bare := writeBare(t, clientContext{URL: url, Token: f.m.context.Token})
	t.Run("who does not know the authority is told what to do", func(t *testing.T) {
		call(t, "fettle", "--context", bare, "find", "--count").wants(t, exitFault, "signed by unknown authority", "--ca FILE")
		call(t, "fettle", "--context", bare, "find", "--count", "-o", "json").wants(t, exitFault, "--ca FILE")
		call(t, "check_fettle", "--check", "check_load", "--context", bare).wants(t, 3, "UNKNOWN", "signed by unknown authority", "--ca FILE")
	})
	t.Run("--ca, FETTLE_CA and a file beside the context do", func(t *testing.T) {
		call(t, "fettle", "--context", bare, "--ca", ca, "find", "--count").wants(t, exitOK)
		call(t, "check_fettle", "--check", "check_disk", "--context", bare, "--ca", ca).wants(t, exitOK)
		beside := filepath.Join(f.m.cfg.State, "beside.yaml")
		if err := writeContext(beside, clientContext{URL: url, Token: f.m.context.Token, CA: "ca.pem"}); err != nil {
			t.Fatal(err)
		}
		call(t, "fettle", "--context", beside, "find", "--count").wants(t, exitOK)
		t.Setenv("FETTLE_CA", ca)
		call(t, "fettle", "--context", bare, "find", "--count").wants(t, exitOK)
	})
	t.Run("a file that is no authority is said to be none", func(t *testing.T) {
		call(t, "fettle", "--context", bare, "--ca", f.context+"x", "find", "--count").wants(t, exitUsage, "no such file")
		call(t, "fettle", "--context", bare, "--ca", filepath.Join(f.m.cfg.State, databaseFile), "find", "--count").wants(t, exitUsage, "not in PEM")
	})
	t.Run("http:// to a port with TLS, and the other way round", func(t *testing.T) {
		plain := writeBare(t, clientContext{URL: strings.Replace(url, "https", "http", 1), Token: "x"})
		call(t, "fettle", "--context", plain, "find", "--count").wants(t, exitUsage, "write https://")
		other := newFleet(t, nil)
		secure := writeBare(t, clientContext{URL: strings.Replace(other.m.context.URL, "http", "https", 1), Token: "x"})
		call(t, "fettle", "--context", secure, "find", "--count").wants(t, exitFault, "write http://")
	})
	t.Run("the end of the certificate is among the figures", func(t *testing.T) {
		var page strings.Builder
		server, err := client.New(url, f.m.context.Token, ca)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := server.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if _, err := io.Copy(&page, answer.Body); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(page.String(), "fettle_server_certificate_expires_seconds ") {
			t.Error("it is not")
		}
	})
	t.Run("browsers insist on TLS, and keep cookies to it", func(t *testing.T) {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM([]byte(f.m.ca()))
		browser := &http.Client{
			Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		defer browser.CloseIdleConnections()
		link, err := f.m.loginLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		answer, err := browser.Get(link)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if got := answer.Header.Get("Strict-Transport-Security"); got != "max-age=2592000" {
			t.Errorf("Strict-Transport-Security: %q", got)
		}
		if answer.ProtoMajor != 2 {
			t.Errorf("HTTP %s", answer.Proto)
		}
		for _, cookie := range answer.Cookies() {
			if !cookie.Secure || !cookie.HttpOnly {
				t.Errorf("cookie %s: secure %v", cookie.Name, cookie.Secure)
			}
		}
	})
}

// writeBare writes a context of its own.
func writeBare(t *testing.T, c clientContext) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), contextFile)
	if err := writeContext(file, c); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestSecures holds where TLS is spoken.
func TestSecures(t *testing.T) {
	for _, one := range []struct {
		address string
		cfg     tlsSettings
		want    bool
	}{
		{"127.0.0.1:0", tlsSettings{TLS: "auto"}, false},
		{"localhost:0", tlsSettings{TLS: "auto"}, false},
		{"[::1]:0", tlsSettings{TLS: "auto"}, false},
		{"127.0.0.1:0", tlsSettings{TLS: "on"}, true},
		{"127.0.0.1:0", tlsSettings{TLS: "auto", Cert: "c", Key: "k"}, true},
		{":0", tlsSettings{TLS: "auto"}, true},
		{"0.0.0.0:0", tlsSettings{TLS: "auto"}, true},
		{"10.1.2.3:0", tlsSettings{TLS: "auto"}, true},
		{"fettle.acme.net:0", tlsSettings{TLS: "auto"}, true},
		{"10.1.2.3:0", tlsSettings{TLS: "auto", Insecure: true}, false},
	} {
		if got := one.cfg.secures(one.address); got != one.want {
			t.Errorf("%s with %+v: %v", one.address, one.cfg, got)
		}
	}
}
