package broker

import (
	"bytes"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metrics"
)

func TestMetrics(t *testing.T) {
	set := metrics.NewSet()
	r := newRig(t, func(c *Config) { c.Metrics = set })
	c := r.login("client-id:web1\n")
	c.subscribe("1", "/queue/q", "ack:client\n")
	c.fill("/queue/q", "a", "b")
	c.messages(2)
	c.fill("/queue/node.x", "nobody")
	var page bytes.Buffer
	set.WritePrometheus(&page)
	for _, want := range []string{
		"fettle_broker_connections 1", "fettle_broker_sessions 1", "fettle_broker_subscriptions 1", "fettle_broker_held_messages 2",
		"fettle_broker_logins_total 1", "fettle_broker_received_messages_total 3", "fettle_broker_delivered_messages_total 2",
		"fettle_broker_receipts_total 4", `fettle_broker_dropped_messages_total{reason="nobody there"} 1`, "fettle_broker_panics_total 0",
	} {
		if !strings.Contains(page.String(), want+"\n") {
			t.Errorf("%s is missing in:\n%s", want, page.String())
		}
	}
	s := r.Stats()
	if len(r.Destinations()) != 1 {
		t.Fatalf("%+v", s)
	}
	if d := r.Destinations()[0]; d.Name != "/queue/q" || d.Consumers != 1 || d.Messages != 2 || d.Pending != 2 || d.Bytes < 2*itemOverhead {
		t.Errorf("%+v", d)
	}
}
