//go:build integration

package house

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fettle-dev/fettle/wire"
)

// TestBrokerCheck has check_fettle ask a real RabbitMQ and a real ActiveMQ, both with TLS, for a queue and for themselves.
func TestBrokerCheck(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	wrong := filepath.Join(t.TempDir(), "wrong")
	for file, text := range map[string]string{secret: "fettle:secret\n", wrong: "fettle:wrong\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check := func(t *testing.T, code int, want string, args ...string) {
		t.Helper()
		got := command(t, nil, pluginBin, append([]string{"broker"}, args...)...)
		if got.code != code || !regexp.MustCompile(want).MatchString(got.stdout) || got.stderr != "" {
			t.Errorf("%q: got %d, %s%s; want %d, %s", args, got.code, got.stdout, got.stderr, code, want)
		}
	}
	brokers := map[string]struct {
		url, ca, shown string
		fill           func(t *testing.T, queue string)
	}{
		"rabbitmq": {service(t, "FETTLE_TEST_RABBITMQ_API") + "/gauge", service(t, "FETTLE_TEST_RABBITMQ_CA"), "RabbitMQ 3", fillRabbitMQ},
		"activemq": {withoutAccount(t, service(t, "FETTLE_TEST_ACTIVEMQ_TLS")), service(t, "FETTLE_TEST_ACTIVEMQ_CA"), "ActiveMQ fettle", fillActiveMQ},
	}
	for name, b := range brokers {
		t.Run(name, func(t *testing.T) {
			queue := "gauge.orders." + strings.ToLower(time.Now().UTC().Format("150405.000000"))
			b.fill(t, queue)
			ask := func(t *testing.T, code int, want string, args ...string) {
				t.Helper()
				check(t, code, want, append([]string{"--broker", b.url, "--ca", b.ca, "--secret-file", secret}, args...)...)
			}
			eventually(t, "the queue has its messages", func() bool {
				return strings.Contains(command(t, nil, pluginBin, "broker", "--broker", b.url, "--ca", b.ca, "--secret-file", secret, "--queue", queue).stdout, "|depth=3;")
			})
			ask(t, 0, `^broker: OK: `+queue+` holds 3 messages, 0 of them unacknowledged, and has 0 consumers.*\|depth=3;1000;2000;0 .*consumers=0;;;0 .*memory=\d+B;;;0`, "--queue", queue, "--warning", "1000", "--critical", "2000")
			ask(t, 1, `^broker: WARNING: .*\|depth=3;2;;0`, "--queue", "/queue/"+queue, "--warning", "2")
			ask(t, 2, `^broker: CRITICAL: `, "--queue", queue, "--warning", "1", "--critical", "2")
			ask(t, 2, `^broker: CRITICAL: .* consumers=0;;1:;0`, "--queue", queue, "--of", "consumers", "--critical", "1:")
			ask(t, 0, `^depth:3 .*consumers:0 .*memory:\d+`, "--queue", queue, "--cacti")
			ask(t, 0, `^broker: OK: `+b.shown+`.* holds \d+ messages?.*\|depth=\d+;;;0 .*memory=\d+B.* memory_percent=[\d.]+%`)
			ask(t, 0, `^depth:\d+ .*memory_percent:[\d.]+`, "--cacti")
			ask(t, 3, `^broker: UNKNOWN: there is no queue nobody`, "--queue", "nobody")
			ask(t, 3, `^broker: UNKNOWN: --of size: one of depth, `, "--queue", queue, "--of", "size")
			check(t, 3, `^broker: UNKNOWN: `, "--broker", b.url, "--ca", b.ca, "--secret-file", wrong, "--queue", queue)
			check(t, 3, `^broker: UNKNOWN: .*(authority|certificate)`, "--broker", b.url, "--secret-file", secret, "--queue", queue)
		})
	}
	check(t, 3, `^broker: UNKNOWN: .*refused`, "--broker", "https://"+freeAddress(t), "--secret-file", secret)
	check(t, 3, `^broker: UNKNOWN: .*refused`, "--broker", "stomp://"+freeAddress(t), "--secret-file", secret)
	check(t, 3, `^broker: UNKNOWN: .*without TLS: write https://`, "--broker", "http://mq.example.net:15672", "--secret-file", secret)
	check(t, 3, `^broker: UNKNOWN: --broker has an account in it`, "--broker", "https://fettle:secret@localhost:15671")
	check(t, 3, `^broker: UNKNOWN: --broker amqp://x: https is RabbitMQ`, "--broker", "amqp://x")
}

// withoutAccount takes the account out of an address.
func withoutAccount(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = nil
	return u.String()
}

// trusting gives the settings of TLS with which the certificate of a service is believed.
func trusting(t *testing.T, file string) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &tls.Config{RootCAs: roots}
}

// fillRabbitMQ makes a virtual host gauge, with a queue that holds three messages, by the management API.
func fillRabbitMQ(t *testing.T, queue string) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trusting(t, service(t, "FETTLE_TEST_RABBITMQ_CA"))}}
	t.Cleanup(client.CloseIdleConnections)
	call := func(method, path string, body any) {
		t.Helper()
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(method, service(t, "FETTLE_TEST_RABBITMQ_API")+"/api/"+path, bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("fettle", "secret")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			text, _ := io.ReadAll(resp.Body)
			t.Fatalf("%s %s: %s %s", method, path, resp.Status, text)
		}
	}
	call(http.MethodPut, "vhosts/gauge", map[string]any{})
	t.Cleanup(func() { call(http.MethodDelete, "vhosts/gauge", nil) })
	call(http.MethodPut, "permissions/gauge/fettle", map[string]any{"configure": ".*", "write": ".*", "read": ".*"})
	call(http.MethodPut, "queues/gauge/"+queue, map[string]any{"durable": false})
	for range 3 {
		call(http.MethodPost, "exchanges/gauge/amq.default/publish", map[string]any{"properties": map[string]any{}, "routing_key": queue, "payload": "one", "payload_encoding": "string"})
	}
}

// fillActiveMQ sends three messages to a queue, and waits until the broker has had them.
func fillActiveMQ(t *testing.T, queue string) {
	dialect, err := wire.DialectOf("activemq")
	if err != nil {
		t.Fatal(err)
	}
	cfg := wire.DefaultLink()
	cfg.Servers, cfg.Login, cfg.Passcode, cfg.Dialect, cfg.HeartBeat = []string{withoutAccount(t, service(t, "FETTLE_TEST_ACTIVEMQ"))}, "fettle", "secret", dialect, 0
	cfg.Subscriptions = []wire.Subscription{{Destination: "/queue/" + queue + ".done", Auto: true}}
	one := wire.Order{Destination: "/queue/" + queue, Body: []byte("one")}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := wire.Inquire(ctx, cfg, []wire.Order{one, one, one, {Destination: "/queue/" + queue + ".done"}}, func(wire.Message) bool { return false }); err != nil {
		t.Fatal(err)
	}
}
