package gauge

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// rate is what RabbitMQ says of how often something happens.
type rate struct {
	Rate float64 `json:"rate"`
}

// messageStats are counters of RabbitMQ since its start, and their rates over the last seconds.
type messageStats struct {
	In      float64 `json:"publish"`
	InRate  rate    `json:"publish_details"`
	Out     float64 `json:"deliver_get"`
	OutRate rate    `json:"deliver_get_details"`
}

// rabbitQueue is a queue, as the management API has it.
type rabbitQueue struct {
	Messages  float64      `json:"messages"`
	Ready     float64      `json:"messages_ready"`
	Unacked   float64      `json:"messages_unacknowledged"`
	Consumers float64      `json:"consumers"`
	Memory    float64      `json:"memory"`
	Stats     messageStats `json:"message_stats"`
	State     string       `json:"state"`
}

// rabbitOverview is the whole broker.
type rabbitOverview struct {
	Version string `json:"rabbitmq_version"`
	Totals  struct {
		Messages float64 `json:"messages"`
		Ready    float64 `json:"messages_ready"`
		Unacked  float64 `json:"messages_unacknowledged"`
	} `json:"queue_totals"`
	Objects struct {
		Connections float64 `json:"connections"`
		Consumers   float64 `json:"consumers"`
		Queues      float64 `json:"queues"`
	} `json:"object_totals"`
	Stats messageStats `json:"message_stats"`
}

// rabbitNode is one node of its cluster.
type rabbitNode struct {
	Memory float64 `json:"mem_used"`
	Limit  float64 `json:"mem_limit"`
	Alarm  bool    `json:"mem_alarm"`
	Disk   bool    `json:"disk_free_alarm"`
}

// RabbitMQ asks the management API for a queue, or with an empty name for the broker. The path of b's URL is the virtual host; none is "/".
// ErrNotFound: there is no such queue. ErrDenied: the account may not. ErrUnavailable: no answer.
func RabbitMQ(ctx context.Context, b Broker, queue string) (Reading, error) {
	u, err := url.Parse(b.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return Reading{}, fmt.Errorf("%q is no address such as https://mq:15671/vhost: %w", b.URL, fettle.ErrInvalid)
	}
	vhost := strings.TrimPrefix(u.Path, "/")
	if vhost == "" {
		vhost = "/"
	}
	settings := b.TLS
	if settings == nil {
		settings = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	api := rabbitAPI{base: u.Scheme + "://" + u.Host + "/api/", b: b, client: &http.Client{Transport: &http.Transport{TLSClientConfig: settings, DisableKeepAlives: true}}}
	if queue != "" {
		var q rabbitQueue
		name := queueName(queue)
		if err := api.get(ctx, "queues/"+url.PathEscape(vhost)+"/"+url.PathEscape(name), &q); err != nil {
			if errors.Is(err, fettle.ErrNotFound) {
				err = noQueue(name + " in the virtual host " + vhost)
			}
			return Reading{}, err
		}
		return q.reading(name), nil
	}
	var o rabbitOverview
	if err := api.get(ctx, "overview", &o); err != nil {
		return Reading{}, err
	}
	var nodes []rabbitNode
	if err := api.get(ctx, "nodes", &nodes); err != nil && !errors.Is(err, fettle.ErrDenied) { // it takes more than reading queues
		return Reading{}, err
	}
	return o.reading(nodes), nil
}

func (q rabbitQueue) reading(name string) Reading {
	var v values
	v.add("depth", "", q.Messages)
	v.add("ready", "", q.Ready)
	v.add("unacked", "", q.Unacked)
	v.add("consumers", "", q.Consumers)
	v.add("memory", "B", q.Memory)
	q.Stats.add(&v)
	text := fmt.Sprintf("%s holds %s, %.0f of them unacknowledged, and has %s; %.3g a second in and %.3g out", name, plural(q.Messages, "message"), q.Unacked, plural(q.Consumers, "consumer"), q.Stats.InRate.Rate, q.Stats.OutRate.Rate)
	if q.State != "" && q.State != "running" && q.State != "idle" {
		text += "; it is " + q.State
	}
	return Reading{text, v}
}

func (o rabbitOverview) reading(nodes []rabbitNode) Reading {
	var v values
	v.add("depth", "", o.Totals.Messages)
	v.add("ready", "", o.Totals.Ready)
	v.add("unacked", "", o.Totals.Unacked)
	v.add("consumers", "", o.Objects.Consumers)
	v.add("connections", "", o.Objects.Connections)
	v.add("queues", "", o.Objects.Queues)
	o.Stats.add(&v)
	text := fmt.Sprintf("RabbitMQ %s holds %s in %s, has %s and %s", o.Version, plural(o.Totals.Messages, "message"), plural(o.Objects.Queues, "queue"), plural(o.Objects.Connections, "connection"), plural(o.Objects.Consumers, "consumer"))
	if len(nodes) == 0 {
		return Reading{text, v}
	}
	var memory, worst float64
	alarms := 0
	for _, n := range nodes {
		memory += n.Memory
		if n.Limit > 0 {
			worst = max(worst, 100*n.Memory/n.Limit)
		}
		if n.Alarm || n.Disk {
			alarms++
		}
	}
	v.add("memory", "B", memory)
	v.add("memory_percent", "%", float64(int(worst*10))/10)
	v.add("alarms", "", float64(alarms))
	if alarms > 0 {
		text += fmt.Sprintf("; %s in alarm for memory or disk", plural(float64(alarms), "node"))
	}
	return Reading{text, v}
}

func (s messageStats) add(v *values) {
	v.add("in_per_second", "", s.InRate.Rate)
	v.add("out_per_second", "", s.OutRate.Rate)
	v.add("in", "c", s.In)
	v.add("out", "c", s.Out)
}

// rabbitAPI asks the management API.
type rabbitAPI struct {
	base   string
	b      Broker
	client *http.Client
}

func (a rabbitAPI) get(ctx context.Context, path string, to any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path, nil)
	if err != nil {
		return fmt.Errorf("rabbitmq: %w: %w", err, fettle.ErrInvalid)
	}
	req.SetBasicAuth(a.b.Login, a.b.Passcode)
	resp, err := a.client.Do(req)
	if err != nil {
		return fmt.Errorf("rabbitmq: %w: %w", err, fettle.ErrUnavailable)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return fmt.Errorf("rabbitmq: %s: %w", path, fettle.ErrNotFound)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("rabbitmq: the account %q may not read that: it needs the tag monitoring: %w", a.b.Login, fettle.ErrDenied)
	default:
		return fmt.Errorf("rabbitmq: %s: %w", resp.Status, fettle.ErrUnavailable)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(to); err != nil {
		return fmt.Errorf("rabbitmq: this is not its management API: %w: %w", err, fettle.ErrUnavailable)
	}
	return nil
}
