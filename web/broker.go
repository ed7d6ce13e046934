package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// Broker is the broker that the server carries inside it. Its methods do not block, and are safe for concurrent use.
type Broker interface {
	Overview() server.BrokerInfo
	Connections() []server.BrokerConnection
	Destinations() []server.BrokerDestination
	Cuts() []server.BrokerCut // the latest first
	// Disconnect ends the connections of a node, or one session. ErrNotFound: who is not connected.
	Disconnect(who, why string) (sessions []string, err error)
}

// opDisconnect is the operation of REST that ends a connection.
const opDisconnect = "disconnect"

// Bounds of the pages of the broker.
const (
	brokerBusiest = 12  // destinations beside the rest
	brokerRows    = 100 // connections, or destinations, of a page
	brokerCuts    = 20
)

// brokerPage is what the broker does.
type brokerPage struct {
	base
	Own      bool // it is the server's own; of another one nothing is known here
	Since    moment
	Numbers  []brokerNumber
	Refused  []brokerNumber // logins, by reason
	Lagging  []connectionRow
	MoreLag  int
	Cuts     []cutRow
	Busiest  []destinationRow
	Letters  bool // who looks may see dead letters
	MayEnd   bool // connections
	Same     []command
	Sections []link
}

// brokerNumber is one figure.
type brokerNumber struct{ Name, Text, Note string }

// connectionRow is one connection.
type connectionRow struct {
	server.BrokerConnection
	Who          string
	URL          string // to its node; empty: it is none
	Since, Heard moment
	Rates        string
	Queued       string
	State        string // empty: nothing is odd
	End          string // under which its form is
}

// destinationRow is one topic or queue.
type destinationRow struct {
	server.BrokerDestination
	Rates, Size, Oldest string
}

// cutRow is one connection that was cut.
type cutRow struct {
	At          moment
	Who, URL    string
	Address     string
	Reason, Had string
}

func (s *site) broker(c *gin.Context) error {
	p := brokerPage{base: s.base(c, "Broker", "broker"), Same: []command{{"CLI", "fettle broker"}, {"REST", curl(c.Request, "/api/v1/broker", nil)}}}
	p.Letters, p.MayEnd, p.Live = p.MayAct(), p.mayRule(), true
	if s.cfg.Broker != nil {
		p.Own = true
		s.fillBroker(&p)
	}
	return s.drawBroker(c, "broker.html", p)
}

// drawBroker draws a page, or what of it changes.
func (s *site) drawBroker(c *gin.Context, page string, data any) error {
	if partly(c) {
		return s.draw(c, http.StatusOK, page, "live", data)
	}
	return s.draw(c, http.StatusOK, page, "layout", data)
}

// mayRule tells whether the person who looks is an administrator who acts.
func (b base) mayRule() bool { return b.MayAct() && b.Person.Role == auth.Admin }

func (s *site) fillBroker(p *brokerPage) {
	in := s.cfg.Broker.Overview()
	p.Since = s.moment(fettle.MillisOf(in.Since))
	n := func(name string, v int, note string) brokerNumber { return brokerNumber{name, thousands(v), note} }
	p.Numbers = []brokerNumber{
		n("Connections", in.Connections, thousands(in.NodesThere)+" of nodes"), n("Subscriptions", in.Subscriptions, thousands(in.Destinations)+" topics and queues"),
		{"In", rate(in.InRate), sizeOf(in.BytesInRate) + " a second"},
		{"Out", rate(in.OutRate), sizeOf(in.BytesOutRate) + " a second"},
		n("Committed", int(in.Committed), thousands(int(in.Redelivered))+" delivered again"),
		{"Wait to be read", sizeOf(float64(in.QueuedBytes)), thousands(in.HeldMessages) + " messages in queues"},
		{"Not stored yet", sizeOf(float64(in.InflightBytes)), ""},
		n("Dropped", int(in.Dropped), "to nobody, or delivered too often"),
		n("Cut off", int(in.Slow), "did not read"), n("Errors", int(in.Errors), thousands(int(in.RefusedConnections))+" connections refused"),
	}
	for reason, count := range in.RefusedLogins {
		p.Refused = append(p.Refused, n(reason, int(count), ""))
	}
	slices.SortFunc(p.Refused, func(a, b brokerNumber) int { return cmp.Compare(a.Name, b.Name) })
	lagging := slices.DeleteFunc(s.cfg.Broker.Connections(), func(c server.BrokerConnection) bool { return !c.Lagging && !c.Paused })
	slices.SortFunc(lagging, func(a, b server.BrokerConnection) int { return cmp.Compare(b.QueuedBytes, a.QueuedBytes) })
	p.MoreLag = max(0, len(lagging)-brokerCuts)
	for _, one := range lagging[:min(len(lagging), brokerCuts)] {
		p.Lagging = append(p.Lagging, s.connectionRow(one))
	}
	cuts := s.cfg.Broker.Cuts()
	for _, one := range cuts[:min(len(cuts), brokerCuts)] {
		row := cutRow{At: s.moment(fettle.MillisOf(one.At)), Who: cmp.Or(string(one.Node), one.Name), Address: one.Address, Reason: one.Reason, Had: sizeOf(float64(one.QueuedBytes))}
		if one.Node != "" {
			row.URL = "/nodes/" + url.PathEscape(string(one.Node))
		}
		p.Cuts = append(p.Cuts, row)
	}
	list := s.cfg.Broker.Destinations()
	slices.SortFunc(list, func(a, b server.BrokerDestination) int {
		return cmp.Or(cmp.Compare(b.Depth, a.Depth), cmp.Compare(b.InRate+b.OutRate, a.InRate+a.OutRate), cmp.Compare(a.Name, b.Name))
	})
	for _, one := range list[:min(len(list), brokerBusiest)] {
		p.Busiest = append(p.Busiest, destinationOf(one))
	}
}

func (s *site) connectionRow(c server.BrokerConnection) connectionRow {
	row := connectionRow{
		BrokerConnection: c, Who: cmp.Or(string(c.Node), c.Name, c.Session), Since: s.moment(fettle.MillisOf(c.Since)), Heard: s.moment(fettle.MillisOf(c.Heard)),
		Rates: rate(c.InRate) + " in, " + rate(c.OutRate) + " out", Queued: sizeOf(float64(c.QueuedBytes)), End: "/broker/connections/" + url.PathEscape(cmp.Or(string(c.Node), c.Session)) + "/end",
	}
	if c.Node != "" {
		row.URL = "/nodes/" + url.PathEscape(string(c.Node))
	}
	switch {
	case c.Lagging:
		row.State = "reads too slowly"
	case c.Paused:
		row.State = "waits for the store"
	}
	return row
}

func destinationOf(d server.BrokerDestination) destinationRow {
	row := destinationRow{BrokerDestination: d, Rates: rate(d.InRate) + " in, " + rate(d.OutRate) + " out", Size: sizeOf(float64(d.Bytes))}
	if d.OldestMS > 0 {
		row.Oldest = spanOf(time.Duration(d.OldestMS) * time.Millisecond)
	}
	return row
}

// rate writes how many a second.
func rate(perSecond float64) string {
	if perSecond == 0 || perSecond >= 10 {
		return strconv.FormatFloat(perSecond, 'f', 0, 64) + "/s"
	}
	return strconv.FormatFloat(perSecond, 'f', 1, 64) + "/s"
}

// sizeOf writes a number of bytes.
func sizeOf(bytes float64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if bytes < 1000 {
			return strings.TrimSuffix(strconv.FormatFloat(bytes, 'f', 1, 64), ".0") + " " + unit
		}
		bytes /= 1024
	}
	return strconv.FormatFloat(bytes, 'f', 1, 64) + " GiB"
}

// brokerList is a page of connections, or of destinations.
type brokerList struct {
	base
	What         string // connections or destinations
	Text, Sort   string
	Sorts        []chip
	Connections  []connectionRow
	Destinations []destinationRow
	Total        int
	From         int // the first one that is shown, from 1
	More, Newest string
	MayEnd       bool
	Same         []command
}

// URL gives the page's own link.
func (l brokerList) URL() string { return l.at(l.Sort, l.From-1) }

func (l brokerList) at(sort string, from int) string {
	v := url.Values{}
	if l.Text != "" {
		v.Set("q", l.Text)
	}
	if sort != "" {
		v.Set("sort", sort)
	}
	if from > 0 {
		v.Set("from", strconv.Itoa(from))
	}
	return strings.TrimSuffix("/broker/"+l.What+"?"+v.Encode(), "?")
}

// brokerOrders are the orders of a list, each by its name; the first is that of who asks for none.
func brokerOrders(what string) []string {
	if what == "connections" {
		return []string{"queued", "in", "out", "since", "who"}
	}
	return []string{"depth", "oldest", "in", "out", "consumers", "name"}
}

// brokerList draws a page of the connections, or destinations.
func (s *site) brokerList(what string) handler {
	return func(c *gin.Context) error {
		if s.cfg.Broker == nil {
			return fmt.Errorf("this server uses a broker that is not its own, whose own tools tell what goes on in it: %w", fettle.ErrNotFound)
		}
		title := "Connections"
		if what == "destinations" {
			title = "Topics and queues"
		}
		p := brokerList{base: s.base(c, title, "broker"), What: what, Text: cut(strings.TrimSpace(c.Query("q")), maxCell), Sort: c.Query("sort")}
		orders := brokerOrders(what)
		if p.Sort == "" || !slices.Contains(orders, p.Sort) {
			p.Sort = orders[0]
		}
		for _, o := range orders {
			p.Sorts = append(p.Sorts, chip{Word: o, URL: p.at(o, 0), Chosen: o == p.Sort})
		}
		from, _ := strconv.Atoi(c.Query("from")) // what is no number begins at the beginning
		p.Live, p.MayEnd, p.Same = true, p.mayRule(), commandsOfBroker(c.Request, what, p.Text, p.Sort)
		if what == "connections" {
			list := chosenConnections(s.cfg.Broker.Connections(), p.Text, p.Sort)
			p.page(len(list), from)
			for _, one := range list[p.From-1 : min(len(list), p.From-1+brokerRows)] {
				p.Connections = append(p.Connections, s.connectionRow(one))
			}
		} else {
			list := chosenDestinations(s.cfg.Broker.Destinations(), p.Text, p.Sort)
			p.page(len(list), from)
			for _, one := range list[p.From-1 : min(len(list), p.From-1+brokerRows)] {
				p.Destinations = append(p.Destinations, destinationOf(one))
			}
		}
		return s.drawBroker(c, "brokerlist.html", p)
	}
}

// page says which part of a list is shown.
func (l *brokerList) page(total, from int) {
	from = max(0, min(from, total))
	l.Total, l.From = total, from+1
	if from+brokerRows < total {
		l.More = l.at(l.Sort, from+brokerRows)
	}
	if from > 0 {
		l.Newest = l.at(l.Sort, 0)
	}
}

// named tells whether a name has text in it, or fits it as a pattern.
func named(name, text string) bool {
	if strings.Contains(name, text) {
		return true
	}
	match, err := path.Match(text, name)
	return err == nil && match
}

func chosenConnections(list []server.BrokerConnection, text, by string) []server.BrokerConnection {
	who := func(c server.BrokerConnection) string { return cmp.Or(string(c.Node), "~"+c.Name) }
	if text != "" {
		list = slices.DeleteFunc(list, func(c server.BrokerConnection) bool { return !named(cmp.Or(string(c.Node), c.Name), text) })
	}
	slices.SortFunc(list, func(a, b server.BrokerConnection) int {
		first := 0
		switch by {
		case "queued":
			first = cmp.Compare(b.QueuedBytes, a.QueuedBytes)
		case "in":
			first = cmp.Or(cmp.Compare(b.InRate, a.InRate), cmp.Compare(b.In, a.In))
		case "out":
			first = cmp.Or(cmp.Compare(b.OutRate, a.OutRate), cmp.Compare(b.Out, a.Out))
		case "since":
			first = a.Since.Compare(b.Since)
		}
		return cmp.Or(first, natural(who(a), who(b)), cmp.Compare(a.Session, b.Session))
	})
	return list
}

func chosenDestinations(list []server.BrokerDestination, text, by string) []server.BrokerDestination {
	if text != "" {
		list = slices.DeleteFunc(list, func(d server.BrokerDestination) bool { return !named(d.Name, text) })
	}
	slices.SortFunc(list, func(a, b server.BrokerDestination) int {
		first := 0
		switch by {
		case "depth":
			first = cmp.Compare(b.Depth, a.Depth)
		case "oldest":
			first = cmp.Compare(b.OldestMS, a.OldestMS)
		case "in":
			first = cmp.Or(cmp.Compare(b.InRate, a.InRate), cmp.Compare(b.In, a.In))
		case "out":
			first = cmp.Or(cmp.Compare(b.OutRate, a.OutRate), cmp.Compare(b.Out, a.Out))
		case "consumers":
			first = cmp.Compare(b.Consumers, a.Consumers)
		}
		return cmp.Or(first, natural(a.Name, b.Name))
	})
	return list
}

// endConnection ends the connections of a node, or one session.
func (s *site) endConnection(c *gin.Context) error {
	who, ctx := c.Param("who"), c.Request.Context()
	if s.cfg.Broker == nil {
		return fmt.Errorf("this server uses a broker that is not its own: %w", fettle.ErrNotFound)
	}
	caller := auth.From(ctx).Name
	sessions, err := s.cfg.Broker.Disconnect(who, "disconnected by "+caller)
	if err != nil {
		return err
	}
	s.log.Info("connection ended by an operator", "node", who, "user", caller)
	s.cfg.Audit.Note(ctx, caller, opDisconnect, who, audit.Details{"sessions": len(sessions)})
	c.Redirect(http.StatusSeeOther, cmp.Or(local(c.PostForm("back")), "/broker"))
	return nil
}
