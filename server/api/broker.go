package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// Broker is the broker that the server carries inside it, as this package asks it. Its methods do not block, and are safe for concurrent use.
type Broker interface {
	Overview() BrokerInfo
	Connections() []BrokerConnection
	Destinations() []BrokerDestination
	Destination(name string) (BrokerDestination, error) // ErrNotFound: nobody uses it
	Cuts() []BrokerCut                                  // the latest first
	// Disconnect ends the connections of a node, or one session, and gives the sessions. ErrNotFound: who is not connected.
	Disconnect(who, why string) (sessions []string, err error)
}

// What a broker tells of itself, in the words of the server.
type (
	// BrokerInfo is what the broker is doing.
	BrokerInfo = server.BrokerInfo
	// BrokerConnection is a connection that is logged in.
	BrokerConnection = server.BrokerConnection
	// BrokerDestination is a topic or queue that is in use.
	BrokerDestination = server.BrokerDestination
	// BrokerCut is a connection that was cut off because it did not read or acknowledge.
	BrokerCut = server.BrokerCut
)

// ConnectionList is a page of connections.
type ConnectionList struct {
	Connections []BrokerConnection `json:"connections"`
	Total       int                `json:"total" doc:"That match, on all pages"`
	Next        string             `json:"next"`
}

// DestinationList is a page of destinations.
type DestinationList struct {
	Destinations []BrokerDestination `json:"destinations"`
	Total        int                 `json:"total" doc:"That match, on all pages"`
	Next         string              `json:"next"`
}

// SlowList is who reads too slowly, and who did.
type SlowList struct {
	Lagging []BrokerConnection `json:"lagging" doc:"Now, the most queued first"`
	Cut     []BrokerCut        `json:"cut" doc:"The last of them, the latest first"`
	Total   uint64             `json:"total" doc:"That were cut since the server's start"`
}

// Disconnected says whose connections were ended.
type Disconnected struct {
	Sessions []string `json:"sessions"`
}

// BrokerPage says which part of a list is wanted.
type BrokerPage struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"10000" default:"1000"`
	Cursor string `query:"cursor" doc:"next of the page before"`
}

type connectionsIn struct {
	Node string `query:"node" doc:"An identity, or a pattern such as web*; left out: every connection"`
	Sort string `query:"sort" enum:"who,since,in,out,queued" default:"who" doc:"Numbers: the largest first; since: the oldest first"`
	BrokerPage
}

type destinationsIn struct {
	Name string `query:"name" doc:"This one only; not found when nobody uses it" example:"/queue/fettle.facts"`
	Kind string `query:"kind" enum:"topic,queue,transient,collected"`
	Sort string `query:"sort" enum:"name,depth,oldest,in,out,consumers" default:"name" doc:"Numbers: the largest first"`
	BrokerPage
}

func (a *rest) brokerRoutes() {
	handle(a, route{
		id: "show-broker", method: http.MethodGet, path: "/broker", tag: "broker", need: auth.Viewer, summary: "What the broker does",
		text: "Of the server's own broker. Another broker's tools answer for another broker: not found.",
	}, a.showBroker)
	handle(a, route{
		id: "list-connections", method: http.MethodGet, path: "/broker/connections", tag: "broker", need: auth.Viewer,
		summary: "List who is connected", text: "Of the server's own broker.",
	}, a.listConnections)
	handle(a, route{
		id: "list-destinations", method: http.MethodGet, path: "/broker/destinations", tag: "broker", need: auth.Viewer,
		summary: "List topics and queues", text: "Those that are in use: what nobody uses is not kept.",
	}, a.listDestinations)
	handle(a, route{
		id: "list-slow", method: http.MethodGet, path: "/broker/slow", tag: "broker", need: auth.Viewer,
		summary: "List who reads too slowly", text: "And the last ones that were cut off for it.",
	}, a.listSlow)
	handle(a, route{
		id: "disconnect", method: http.MethodDelete, path: "/broker/connections/{who}", tag: "broker", need: auth.Admin, status: http.StatusOK,
		summary: "End a connection", text: "Of a node, or a session of any client. An agent connects again; to keep a node out, revoke its key.",
	}, a.disconnect)
}

// ownBroker gives the server's own broker. ErrNotFound: it has none.
func (a *rest) ownBroker() (Broker, error) {
	if a.cfg.Broker == nil {
		return nil, fmt.Errorf("this server uses a broker that is not its own, whose own tools tell what goes on in it (rabbitmqctl, the web console of ActiveMQ): %w", fettle.ErrNotFound)
	}
	return a.cfg.Broker, nil
}

func (a *rest) showBroker(context.Context, *struct{}) (*output[BrokerInfo], error) {
	b, err := a.ownBroker()
	if err != nil {
		return nil, err
	}
	return &output[BrokerInfo]{b.Overview()}, nil
}

func (a *rest) listConnections(_ context.Context, in *connectionsIn) (*output[ConnectionList], error) {
	b, err := a.ownBroker()
	if err != nil {
		return nil, err
	}
	if _, err := path.Match(in.Node, ""); err != nil {
		return nil, fmt.Errorf("node: %q is no pattern: %w", in.Node, fettle.ErrInvalid)
	}
	all := b.Connections()
	if in.Node != "" {
		all = slices.DeleteFunc(all, func(c BrokerConnection) bool {
			match, _ := path.Match(in.Node, string(c.Node))
			return !match
		})
	}
	slices.SortFunc(all, func(x, y BrokerConnection) int {
		return cmp.Or(connectionOrder(in.Sort, x, y), cmp.Compare(who(x), who(y)), cmp.Compare(x.Session, y.Session))
	})
	page, next, err := cutPage(all, in.BrokerPage)
	if err != nil {
		return nil, err
	}
	return &output[ConnectionList]{ConnectionList{Connections: page, Total: len(all), Next: next}}, nil
}

// who names a connection: nodes before all else.
func who(c BrokerConnection) string { return cmp.Or(string(c.Node), "~"+c.Name) }

func connectionOrder(by string, x, y BrokerConnection) int {
	switch by {
	case "since":
		return x.Since.Compare(y.Since)
	case "in":
		return cmp.Or(cmp.Compare(y.InRate, x.InRate), cmp.Compare(y.In, x.In))
	case "out":
		return cmp.Or(cmp.Compare(y.OutRate, x.OutRate), cmp.Compare(y.Out, x.Out))
	case "queued":
		return cmp.Compare(y.QueuedBytes, x.QueuedBytes)
	}
	return 0
}

func (a *rest) listDestinations(_ context.Context, in *destinationsIn) (*output[DestinationList], error) {
	b, err := a.ownBroker()
	if err != nil {
		return nil, err
	}
	if in.Name != "" {
		d, err := b.Destination(in.Name)
		if err != nil {
			return nil, err
		}
		return &output[DestinationList]{DestinationList{Destinations: []BrokerDestination{d}, Total: 1}}, nil
	}
	all := slices.DeleteFunc(b.Destinations(), func(d BrokerDestination) bool { return in.Kind != "" && d.Kind != in.Kind })
	slices.SortFunc(all, func(x, y BrokerDestination) int {
		return cmp.Or(destinationOrder(in.Sort, x, y), cmp.Compare(x.Name, y.Name))
	})
	page, next, err := cutPage(all, in.BrokerPage)
	if err != nil {
		return nil, err
	}
	return &output[DestinationList]{DestinationList{Destinations: page, Total: len(all), Next: next}}, nil
}

func destinationOrder(by string, x, y BrokerDestination) int {
	switch by {
	case "depth":
		return cmp.Compare(y.Depth, x.Depth)
	case "oldest":
		return cmp.Compare(y.OldestMS, x.OldestMS)
	case "in":
		return cmp.Or(cmp.Compare(y.InRate, x.InRate), cmp.Compare(y.In, x.In))
	case "out":
		return cmp.Or(cmp.Compare(y.OutRate, x.OutRate), cmp.Compare(y.Out, x.Out))
	case "consumers":
		return cmp.Compare(y.Consumers, x.Consumers)
	}
	return 0
}

// cutPage gives one page of a list that is made anew for each: the cursor is how many came before.
func cutPage[T any](all []T, p BrokerPage) (page []T, next string, err error) {
	from := 0
	if p.Cursor != "" {
		if from, err = strconv.Atoi(p.Cursor); err != nil || from < 0 {
			return nil, "", fmt.Errorf("cursor: %q is none: %w", p.Cursor, fettle.ErrInvalid)
		}
	}
	from = min(from, len(all))
	to := min(from+p.Limit, len(all))
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return append([]T{}, all[from:to]...), next, nil
}

func (a *rest) listSlow(context.Context, *struct{}) (*output[SlowList], error) {
	b, err := a.ownBroker()
	if err != nil {
		return nil, err
	}
	lagging := slices.DeleteFunc(b.Connections(), func(c BrokerConnection) bool { return !c.Lagging })
	slices.SortFunc(lagging, func(x, y BrokerConnection) int { return cmp.Compare(y.QueuedBytes, x.QueuedBytes) })
	return &output[SlowList]{SlowList{Lagging: append([]BrokerConnection{}, lagging...), Cut: append([]BrokerCut{}, b.Cuts()...), Total: b.Overview().Slow}}, nil
}

func (a *rest) disconnect(ctx context.Context, in *struct {
	Who string `path:"who" maxLength:"253" doc:"A node, or a session"`
},
) (*output[Disconnected], error) {
	b, err := a.ownBroker()
	if err != nil {
		return nil, err
	}
	person := auth.From(ctx)
	sessions, err := b.Disconnect(in.Who, "disconnected by "+person.Name)
	if err != nil {
		return nil, err
	}
	a.log.Info("connection ended by an operator", "node", in.Who, "user", person.Name)
	return &output[Disconnected]{Disconnected{Sessions: sessions}}, nil
}
