package gauge

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

// queueStats is what ActiveMQ 5.17 said of a queue.
const queueStats = `{"map":{"entry":[{"string":"dequeueCount","long":0},{"string":"averageMessageSize","long":1035},{"string":["brokerId","ID:vm-1"]},{"string":"memoryUsage","long":3105},` +
	`{"string":"consumerCount","long":2},{"string":"memoryPercentUsage","int":7},{"string":"averageEnqueueTime","double":1.5},{"string":"inflightCount","long":1},` +
	`{"string":"size","long":3},{"string":["destinationName","queue:\/\/idle.q"]},{"string":"enqueueCount","long":3}]}}`

// value gives a value of a reading; -1: there is none.
func value(r Reading, label string) float64 {
	for _, p := range r.Values {
		if p.Label == label {
			return *p.Value
		}
	}
	return -1
}

func TestReadStats(t *testing.T) {
	s, err := readStats([]byte(queueStats))
	if err != nil || s.texts["destinationName"] != "queue://idle.q" {
		t.Fatalf("%+v, %v", s, err)
	}
	r := s.queue("idle.q")
	for label, want := range map[string]float64{"depth": 3, "consumers": 2, "unacked": 1, "memory": 3105, "memory_percent": 7, "enqueue_time": 1.5, "in": 3, "out": 0} {
		if got := value(r, label); got != want {
			t.Errorf("%s: got %v, want %v", label, got, want)
		}
	}
	if r.Text != "idle.q holds 3 messages, 1 of them unacknowledged, and has 2 consumers" || r.Values[0].Label != "depth" {
		t.Errorf("%q, %+v", r.Text, r.Values[0])
	}
	for _, body := range []string{"", `{"map":""}`, "<map></map>", "[]", `{"map":{"entry":3}}`} {
		if _, err := readStats([]byte(body)); !errors.Is(err, fettle.ErrUnavailable) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func FuzzReadStats(f *testing.F) {
	f.Add([]byte(queueStats))
	f.Add([]byte(`{"map":{"entry":[{"string":["a"]},{"string":{}},{},{"string":"x","long":"y"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := readStats(body)
		if err != nil {
			return
		}
		for _, r := range []Reading{s.queue("q"), s.broker()} {
			if r.Values[0].Label != "depth" || r.Text == "" {
				t.Fatalf("%+v", r)
			}
		}
	})
}

func TestRabbitMQ(t *testing.T) {
	const stats = `"message_stats":{"publish":12,"publish_details":{"rate":1.5},"deliver_get":9,"deliver_get_details":{"rate":0.5}}`
	pages := map[string]string{
		"/api/queues/%2F/orders":       `{"messages":3,"messages_ready":2,"messages_unacknowledged":1,"consumers":4,"memory":14000,` + stats + `,"state":"down"}`,
		"/api/queues/shop/a%2Fb":       `{"messages":1}`,
		"/api/overview":                `{"rabbitmq_version":"3.10.8","queue_totals":{"messages":5},"object_totals":{"connections":2,"consumers":1,"queues":3},` + stats + `}`,
		"/api/nodes":                   `[{"mem_used":100,"mem_limit":1000,"mem_alarm":true},{"mem_used":500,"mem_limit":1000}]`,
		"/api/queues/%2F/no-json":      `<html>`,
		"/api/queues/%2F/empty-object": `{}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, passcode, _ := r.BasicAuth()
		page, found := pages[r.URL.EscapedPath()]
		switch {
		case login != "fettle" || passcode != "secret":
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasSuffix(r.URL.Path, "/broken"):
			w.WriteHeader(http.StatusInternalServerError)
		case !found:
			w.WriteHeader(http.StatusNotFound)
		default:
			_, _ = w.Write([]byte(page))
		}
	}))
	defer server.Close()
	b := Broker{URL: server.URL, Login: "fettle", Passcode: "secret"}
	r, err := RabbitMQ(t.Context(), b, "/queue/orders")
	if err != nil || value(r, "depth") != 3 || value(r, "unacked") != 1 || value(r, "memory") != 14000 || value(r, "in_per_second") != 1.5 || value(r, "out") != 9 || !strings.HasSuffix(r.Text, "; it is down") {
		t.Errorf("a queue: %+v, %v", r, err)
	}
	r, err = RabbitMQ(t.Context(), b, "")
	if err != nil || value(r, "depth") != 5 || value(r, "memory") != 600 || value(r, "memory_percent") != 50 || value(r, "alarms") != 1 || value(r, "queues") != 3 {
		t.Errorf("the broker: %+v, %v", r, err)
	}
	if r, err = RabbitMQ(t.Context(), Broker{URL: server.URL + "/shop", Login: "fettle", Passcode: "secret"}, "a/b"); err != nil || value(r, "depth") != 1 {
		t.Errorf("a virtual host, and a slash in a name: %+v, %v", r, err)
	}
	for queue, want := range map[string]error{"nobody": fettle.ErrNotFound, "broken": fettle.ErrUnavailable, "no-json": fettle.ErrUnavailable} {
		if _, err := RabbitMQ(t.Context(), b, queue); !errors.Is(err, want) {
			t.Errorf("%s: %v", queue, err)
		}
	}
	if _, err := RabbitMQ(t.Context(), Broker{URL: server.URL, Login: "fettle", Passcode: "x"}, "orders"); !errors.Is(err, fettle.ErrDenied) {
		t.Errorf("a wrong passcode: %v", err)
	}
	if _, err := RabbitMQ(t.Context(), Broker{URL: "ftp://x"}, "orders"); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("no address: %v", err)
	}
}
