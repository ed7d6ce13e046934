package gauge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// Where ActiveMQ's statistics plugin answers, and where to.
const (
	statsOf      = "/queue/ActiveMQ.Statistics.Destination."
	statsBroker  = "/queue/ActiveMQ.Statistics.Broker"
	statsReplies = "/temp-queue/fettle.gauge"
)

// ActiveMQ asks the statistics plugin for a queue, or with an empty name for the broker. ErrNotFound: there is no such queue. ErrUnavailable: no
// answer, which is what a broker without the plugin gives too.
func ActiveMQ(ctx context.Context, b Broker, queue string) (Reading, error) {
	name := queueName(queue)
	if strings.ContainsAny(name, "*> \r\n") {
		return Reading{}, fmt.Errorf("%q is not the name of one queue: %w", name, fettle.ErrInvalid)
	}
	dialect, err := wire.DialectOf("activemq")
	if err != nil {
		return Reading{}, err
	}
	cfg := wire.DefaultLink()
	cfg.Servers, cfg.Login, cfg.Passcode, cfg.TLS, cfg.Dialect, cfg.HeartBeat = []string{b.URL}, b.Login, b.Passcode, b.TLS, dialect, 0
	cfg.Subscriptions = []wire.Subscription{{Destination: statsReplies, Auto: true, Header: []wire.Field{{Name: "transformation", Value: "jms-map-json"}}}}
	reply := []wire.Field{{Name: "reply-to", Value: statsReplies}}
	orders := []wire.Order{{Destination: statsBroker, Header: reply}}
	if name != "" { // of a queue that there is not nothing is said: the broker's own answer behind it tells so
		orders = []wire.Order{{Destination: statsOf + name, Header: reply}, orders[0]}
	}
	var out Reading
	var fault error
	err = wire.Inquire(ctx, cfg, orders, func(m wire.Message) bool {
		var stats activeStats
		if stats, fault = readStats(m.Body); fault != nil {
			return false
		}
		switch of := stats.texts["destinationName"]; {
		case name == "" && of == "":
			out = stats.broker()
		case name != "" && strings.TrimPrefix(of, "queue://") == name:
			out = stats.queue(name)
		case name != "" && of == "":
			fault = noQueue(name)
		default:
			return true // somebody else's
		}
		return false
	})
	if err == nil {
		err = fault
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("activemq gives no statistics: has it statisticsBrokerPlugin, and XStream and Jettison on its path? %w", fettle.ErrUnavailable)
	}
	return out, err
}

// activeStats is one answer of the plugin.
type activeStats struct {
	numbers map[string]float64
	texts   map[string]string
}

// readStats reads an answer: a list of entries, each a name and a number, {"string":"size","long":3}, or a name and a text,
// {"string":["brokerName","fettle"]}.
func readStats(body []byte) (activeStats, error) {
	var answer struct {
		Map struct {
			Entry []map[string]json.RawMessage `json:"entry"`
		} `json:"map"`
	}
	s := activeStats{numbers: map[string]float64{}, texts: map[string]string{}}
	if len(body) > maxAnswer || json.Unmarshal(body, &answer) != nil || len(answer.Map.Entry) == 0 {
		return s, fmt.Errorf("activemq's statistics are not in JSON: it needs XStream and Jettison on its path: %w", fettle.ErrUnavailable)
	}
	for _, entry := range answer.Map.Entry {
		var pair []string
		var name string
		if json.Unmarshal(entry["string"], &pair) == nil && len(pair) == 2 {
			s.texts[pair[0]] = pair[1]
			continue
		}
		if json.Unmarshal(entry["string"], &name) != nil {
			continue
		}
		for kind, raw := range entry {
			var number float64
			if kind != "string" && json.Unmarshal(raw, &number) == nil {
				s.numbers[name] = number
			}
		}
	}
	return s, nil
}

func (s activeStats) queue(name string) Reading {
	n := s.numbers
	var v values
	v.add("depth", "", n["size"])
	v.add("unacked", "", n["inflightCount"])
	s.common(&v)
	text := fmt.Sprintf("%s holds %s, %.0f of them unacknowledged, and has %s", name, plural(n["size"], "message"), n["inflightCount"], plural(n["consumerCount"], "consumer"))
	return Reading{text, v}
}

func (s activeStats) broker() Reading {
	n := s.numbers
	var v values
	v.add("depth", "", n["size"])
	s.common(&v)
	v.add("store_percent", "%", n["storePercentUsage"])
	v.add("temp_percent", "%", n["tempPercentUsage"])
	text := fmt.Sprintf("ActiveMQ %s holds %s, has %s and %s; memory %.0f %%, store %.0f %%", s.texts["brokerName"], plural(n["size"], "message"),
		plural(n["consumerCount"], "consumer"), plural(n["producerCount"], "producer"), n["memoryPercentUsage"], n["storePercentUsage"])
	return Reading{text, v}
}

// common adds what queues and the broker have.
func (s activeStats) common(v *values) {
	n := s.numbers
	v.add("consumers", "", n["consumerCount"])
	v.add("producers", "", n["producerCount"])
	v.add("memory", "B", n["memoryUsage"])
	v.add("memory_percent", "%", n["memoryPercentUsage"])
	v.add("enqueue_time", "ms", n["averageEnqueueTime"])
	v.add("in", "c", n["enqueueCount"])
	v.add("out", "c", n["dequeueCount"])
	v.add("expired", "c", n["expiredCount"])
}
