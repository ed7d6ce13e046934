package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
	"github.com/fettle-dev/fettle/wire"
)

// exchange is a broker to which many nodes are connected.
type exchange struct {
	nodes int
	ended []string
}

func (e *exchange) Overview() server.BrokerInfo {
	return server.BrokerInfo{Since: time.Now().Add(-time.Hour), Connections: e.nodes, NodesThere: e.nodes, InRate: 12.5, RefusedLogins: map[string]uint64{"wrong passcode": 3}, QueuedBytes: 4096}
}

func (e *exchange) Connections() (list []server.BrokerConnection) {
	for i := range e.nodes {
		list = append(list, server.BrokerConnection{
			Session: fmt.Sprint("s", i), Node: fettle.NodeID(fmt.Sprintf("web%05d.acme.net", i)), Address: "10.0.0.1:5000", Version: "1.2", Since: time.Now(), Heard: time.Now(),
			QueuedBytes: i % 7 * 1000, Lagging: i%5000 == 3,
		})
	}
	return list
}

func (e *exchange) Destinations() (list []server.BrokerDestination) {
	for i := range e.nodes {
		list = append(list, server.BrokerDestination{Name: fmt.Sprintf("/queue/fettle.node.web%05d.acme.net", i), Kind: "transient", Depth: i % 3, Consumers: 1})
	}
	return list
}

func (e *exchange) Cuts() []server.BrokerCut {
	return []server.BrokerCut{{At: time.Now(), Node: "web00001.acme.net", Address: "10.0.0.1:5000", Reason: "<b>it did not read</b>", QueuedBytes: 8 << 20}}
}

func (e *exchange) Disconnect(who, why string) ([]string, error) {
	if who == "x" {
		return nil, fmt.Errorf("%s is not connected: %w", who, fettle.ErrNotFound)
	}
	e.ended = append(e.ended, who+": "+why)
	return []string{"s1"}, nil
}

func TestBroker(t *testing.T) {
	e := &exchange{nodes: 10_000}
	h := newHouseWith(t, Config{Broker: e}, nil)
	t.Run("what it does, who reads too slowly, who was cut off", func(t *testing.T) {
		a := h.get("/broker").status(http.StatusOK)
		a.lists(".connection .what a.row", "web05003.acme.net", "web00003.acme.net")
		a.lists(".cut-row .what a", "web00001.acme.net")
		if len(a.body) > 50<<10 || len(a.texts(".vrow")) > 40 {
			t.Errorf("the page has %d bytes", len(a.body))
		}
	})
	t.Run("ten thousand connections are ordered, narrowed and shown a hundred at a time", func(t *testing.T) {
		a := h.get("/broker/connections?sort=who").status(http.StatusOK)
		if rows := a.texts(".connection a.row"); len(rows) != 100 || rows[0] != "web00000.acme.net" || len(a.body) > 100<<10 {
			t.Errorf("%d rows from %s, %d bytes", len(rows), rows[0], len(a.body))
		}
		b := h.get(a.linkTo(".left", "More")).status(http.StatusOK)
		if rows := b.texts(".connection a.row"); rows[0] != "web00100.acme.net" {
			t.Errorf("the second page begins with %s", rows[0])
		}
		h.get("/broker/connections?sort=who&q=web0999*").status(http.StatusOK).lists(".left", "10 in all")
		h.get("/broker/connections?sort=" + escape("<x>") + "&from=-7&q=" + escape("[")).status(http.StatusOK)
		h.get("/broker/destinations?from=99999999").status(http.StatusOK).lists(".connection .what b")
		if rows := h.get("/broker/destinations?q=web00001").texts(".connection .what b"); len(rows) != 1 {
			t.Errorf("destinations are %q", rows)
		}
	})
	t.Run("an administrator ends a connection, and nobody else", func(t *testing.T) {
		if len(query(h.get("/broker/connections").doc, ".ending")) != 0 {
			t.Error("a viewer is offered the end of connections")
		}
		defer func(viewer string) { h.cookie = viewer }(h.cookie)
		h.cookie = h.signIn(auth.Admin)
		a := h.get("/broker/connections?sort=who&q=web00042")
		h.do(http.MethodPost, a.attr(".ending form", "action"), a.sent(".ending form")).status(http.StatusSeeOther)
		if len(e.ended) != 1 || e.ended[0] != "web00042.acme.net: disconnected by ann" {
			t.Errorf("ended are %q", e.ended)
		}
	})
	t.Run("of another broker the page says whom to ask", func(t *testing.T) {
		other := newHouse(t)
		if got := other.get("/broker").status(http.StatusOK).text(".empty"); !strings.Contains(got, "rabbitmqctl") {
			t.Errorf("it says %s", got)
		}
		other.get("/broker/connections").status(http.StatusNotFound)
	})
}

func TestDeadLetters(t *testing.T) {
	h := newHouse(t)
	send := func(text string) {
		done := make(chan error, 1)
		h.Collect(server.Incoming{Destination: wire.Destinations{}.Facts(), Message: wire.Message{Body: []byte(text)}, Sender: "web1.acme.net", Done: func(err error) { done <- err }})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	send("\x1b[31m<script>alert(1)</script>")
	send("\xff\xfe\x00binary")
	t.Run("a viewer sees none", func(t *testing.T) {
		h.get("/broker/letters").status(http.StatusForbidden)
		h.get("/broker/letters/1").status(http.StatusForbidden)
	})
	t.Run("an operator reads them, and does nothing to them", func(t *testing.T) {
		h.cookie = h.signIn(auth.Operator)
		a := h.get("/broker/letters").status(http.StatusOK)
		if rows := a.texts(".letter a.row"); len(rows) != 2 || len(query(a.doc, "button[formaction]")) != 0 {
			t.Fatalf("rows are %q", rows)
		}
		h.get("/broker/letters/1").status(http.StatusOK).wants("pre.said-long", "<script>alert(1)</script>")
		h.get("/broker/letters/2").status(http.StatusOK)
		h.get("/broker/letters/3").status(http.StatusNotFound)
		h.get("/broker/letters?sender=web7.acme.net").status(http.StatusOK).wants(".empty p", "None is like that.")
		h.do(http.MethodPost, "/broker/letters/delete", url.Values{"seq": {"1"}}).status(http.StatusForbidden)
	})
	t.Run("an administrator hands them in again, and deletes them", func(t *testing.T) {
		h.cookie = h.signIn(auth.Admin)
		page := h.get("/broker/letters")
		form := page.sent("#chosen")
		form.Del("all")
		form.Set("seq", "1")
		h.do(http.MethodPost, "/broker/letters/replay", form).status(http.StatusOK).wants(".past strong", "0 taken, 1 refused again.")
		form.Del("seq")
		h.do(http.MethodPost, "/broker/letters/delete", form).status(http.StatusUnprocessableEntity)
		form.Set("all", "1")
		h.do(http.MethodPost, "/broker/letters/delete", form).status(http.StatusSeeOther)
		h.get("/broker/letters").status(http.StatusOK).wants(".empty p", "There are none: whatever came could be used.")
	})
}
