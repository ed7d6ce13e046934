package main

import (
	"time"

	"github.com/fettle-dev/fettle/server/api"
	"github.com/fettle-dev/fettle/wire/broker"
)

// brokerView shows the embedded broker to the faces, in their words.
type brokerView struct{ broker *broker.Broker }

var _ api.Broker = brokerView{}

func (v brokerView) Overview() api.BrokerInfo {
	s := v.broker.Stats()
	return api.BrokerInfo{
		Broker: "embedded", Since: time.Now().Add(-s.Uptime).UTC(), Connections: s.Connections, Sessions: s.Sessions, NodesThere: s.Nodes,
		Subscriptions: s.Subscriptions, Destinations: len(v.broker.Destinations()),
		LoginRate: s.LoginRate, InRate: s.ReceivedRate, OutRate: s.DeliveredRate, BytesInRate: s.BytesInRate, BytesOutRate: s.BytesOutRate,
		Logins: s.Logins, In: s.Received, Out: s.Delivered, BytesIn: s.BytesIn, BytesOut: s.BytesOut, Committed: s.Committed,
		Redelivered: s.Redelivered, Dropped: s.Dropped, Slow: s.Slow, Superseded: s.Superseded, Errors: s.Errors,
		QueuedBytes: s.OutBytes, HeldMessages: s.HeldMessages, HeldBytes: s.HeldBytes, InflightBytes: s.InflightBytes,
		RefusedLogins: s.RefusedLogins, RefusedConnections: s.RefusedConnections,
	}
}

func (v brokerView) Connections() []api.BrokerConnection {
	found := v.broker.Connections()
	list := make([]api.BrokerConnection, len(found))
	for i, c := range found {
		name := c.Name
		if c.Node != "" {
			name = ""
		}
		list[i] = api.BrokerConnection{
			Session: c.Session, Node: c.Node, Name: name, Address: c.Remote, TLS: c.TLS, Version: c.Version, Since: c.Since.UTC(), Heard: c.Heard.UTC(),
			InRate: c.ReceivedRate, OutRate: c.DeliveredRate, In: c.Received, Out: c.Delivered, BytesIn: c.BytesIn, BytesOut: c.BytesOut,
			QueuedBytes: c.OutBytes, Uncommitted: c.Uncommitted, Subscriptions: c.Subscriptions, Credit: c.Credit, Pending: c.Pending,
			Paused: c.Paused, Lagging: c.Lagging(),
		}
	}
	return list
}

func (v brokerView) Destinations() []api.BrokerDestination {
	found := v.broker.Destinations()
	list := make([]api.BrokerDestination, len(found))
	for i, d := range found {
		list[i] = brokerDestination(d)
	}
	return list
}

func (v brokerView) Destination(name string) (api.BrokerDestination, error) {
	d, err := v.broker.Destination(name)
	return brokerDestination(d), err
}

func brokerDestination(d broker.DestinationStats) api.BrokerDestination {
	return api.BrokerDestination{
		Name: d.Name, Kind: d.Kind, Depth: d.Messages, Pending: d.Pending, Bytes: d.Bytes, Consumers: d.Consumers,
		InRate: d.InRate, OutRate: d.OutRate, In: d.In, Out: d.Out, OldestMS: d.Oldest.Milliseconds(),
	}
}

func (v brokerView) Cuts() []api.BrokerCut {
	found := v.broker.Cuts()
	list := make([]api.BrokerCut, len(found))
	for i, c := range found {
		name := c.Name
		if c.Node != "" {
			name = ""
		}
		list[i] = api.BrokerCut{At: c.At.UTC(), Session: c.Session, Node: c.Node, Name: name, Address: c.Remote, Reason: c.Reason, QueuedBytes: c.OutBytes}
	}
	return list
}

func (v brokerView) Disconnect(who, why string) ([]string, error) {
	return v.broker.Disconnect(who, why)
}
