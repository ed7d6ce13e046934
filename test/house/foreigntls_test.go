//go:build integration

package house

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// secured is foreignOf with the broker's TLS port, and the file of the authority of its certificate.
func secured(t *testing.T, kind string) (f *foreign, ca string) {
	t.Helper()
	f = foreignOf(t, kind)
	f.url = service(t, "FETTLE_TEST_"+strings.ToUpper(kind)+"_TLS")
	u, err := url.Parse(f.url)
	if err != nil || u.Scheme != "stomps" {
		t.Fatalf("%s: no address with TLS", kind)
	}
	u.User = nil
	f.server = u.String()
	return f, service(t, "FETTLE_TEST_"+strings.ToUpper(kind)+"_CA")
}

// TestForeignBrokersWithTLS has server and agent meet at a broker that listens with TLS, by a certificate that only --broker-ca and --ca vouch for.
func TestForeignBrokersWithTLS(t *testing.T) {
	for _, kind := range []string{"rabbitmq", "activemq"} {
		t.Run(kind, func(t *testing.T) {
			broker, ca := secured(t, kind)
			p := newPlace(t, "--broker-ca", ca)
			p.broker = broker
			c := newCrowd(t, p)
			c.open()
			start(t, c.agent("n1", "--ca", ca, "--nrpe-config", c.nrpe(t), "--facts-dir", c.factsDir)...)
			c.alive("n1")
			var run runItem
			c.must(http.MethodPost, "/runs", map[string]any{
				"action": "nrpe.check", "inputs": map[string]any{"command": "count", "args": []string{"1"}}, "all": true, "timeout": "20s",
			}, &run)
			eventually(t, "the run has ended", func() bool { c.must(http.MethodGet, "/runs/"+run.Run, nil, &run); return run.Ended != nil })
			if run.Tally.OK != 1 || len(lines(t, c.begun)) != 1 {
				t.Errorf("the run: %+v", run.Tally)
			}
		})
	}
}

// TestAForeignBrokerThatNobodyVouchesFor: a certificate of another authority is not taken by the server, nor by an agent, and both say what to do.
func TestAForeignBrokerThatNobodyVouchesFor(t *testing.T) {
	for _, kind := range []string{"rabbitmq", "activemq"} {
		t.Run(kind, func(t *testing.T) {
			broker, _ := secured(t, kind)
			p := newPlace(t, "--tls", "on") // its own authority is another one
			p.broker = broker
			server := start(t, append([]string{"server", "--state", p.state, "--http", p.http}, append(p.broker.ofServer(), p.args...)...)...)
			eventually(t, "the server says why it has no broker", func() bool { return strings.Contains(server.log.String(), "signed by unknown authority") })
			if text := server.log.String(); !strings.Contains(text, "broker-ca") || strings.Contains(text, broker.passcode+"@") {
				t.Errorf("the log: %s", text)
			}
			agent := daemon(t, fettleBin, p.agent("n1", "--ca", filepath.Join(p.state, "ca.pem"))...)
			eventually(t, "the agent says why", func() bool { return strings.Contains(fmt.Sprint(agent), "signed by unknown authority") })
		})
	}
}
