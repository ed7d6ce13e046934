package broker

import (
	"errors"
	"testing"
	"time"

	"github.com/fettle-dev/fettle"
)

func TestConnections(t *testing.T) {
	r := newRig(t, nil)
	node := r.login("client-id:web1\n")
	node.subscribe("1", "/queue/node.web1", "ack:client-individual\nprefetch-count:10\n")
	node.subscribe("2", "/topic/news", "")
	other := r.login("")
	other.fill("/queue/node.web1", "a", "b", "c")
	node.messages(3)
	r.samplePace(time.Second)

	list := r.Connections()
	if len(list) != 2 {
		t.Fatalf("%d connections: %+v", len(list), list)
	}
	var web ConnectionStats
	for _, c := range list {
		if c.Node == "web1" {
			web = c
		} else if c.Name == "" || c.Received != 3 || c.ReceivedRate != 3 {
			t.Errorf("the other one is %+v", c)
		}
	}
	if web.Subscriptions != 2 || web.Credit != 7 || web.Pending != 3 || web.Delivered != 3 || web.DeliveredRate != 3 {
		t.Errorf("web1 is %+v", web)
	}
	if web.Remote == "" || web.TLS != "" || web.Version != "1.2" || web.BytesIn == 0 || web.BytesOut == 0 || time.Since(web.Since) > time.Minute {
		t.Errorf("web1 is %+v", web)
	}
	if s := r.Stats(); s.Logins != 2 || s.LoginRate != 2 || s.ReceivedRate != 3 || s.DeliveredRate != 3 || s.BytesInRate == 0 {
		t.Errorf("%+v", s)
	}
	r.samplePace(time.Second)
	if s := r.Stats(); s.LoginRate != 0 || s.ReceivedRate != 0 {
		t.Errorf("after a quiet second: %+v", s)
	}
}

func TestDestinations(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("")
	c.subscribe("1", "/topic/news", "")
	c.fill("/queue/work", "a", "b")
	r.samplePace(time.Second)
	d, err := r.Destination("/queue/work")
	if err != nil || d.Kind != KindQueue || d.Messages != 2 || d.Consumers != 0 || d.In != 2 || d.InRate != 2 || d.Oldest <= 0 {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := r.Destination("/topic/news"); err != nil || d.Kind != KindTopic || d.Consumers != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := r.Destination("/queue/other"); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("a queue that nobody uses gives %v", err)
	}
	if n := len(r.Destinations()); n != 2 {
		t.Errorf("%d destinations: %+v", n, r.Destinations())
	}
	if sum := r.total(KindQueue); sum != (total{destinations: 1, messages: 2}) {
		t.Errorf("queues are %+v", sum)
	}
}

func TestDisconnectByOperator(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("client-id:web1\n")
	sessions, err := r.Disconnect("web1", "maintenance")
	if err != nil || len(sessions) != 1 {
		t.Fatalf("%v, %v", sessions, err)
	}
	c.wantError("maintenance")
	until(t, "end", func() bool { return r.Stats().Sessions == 0 })
	if _, err := r.Disconnect("web1", "again"); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("one that is gone gives %v", err)
	}
	other := r.login("")
	list := r.Connections()
	if len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	if _, err := r.Disconnect(list[0].Session, "by its session"); err != nil {
		t.Error(err)
	}
	other.wantError("by its session")
	r.login("client-id:web1\n") // it may come back
}
