package server

import (
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// BrokerInfo is what the broker is doing. Rates are a second, over the last few; counters count since the server's start.
type BrokerInfo struct {
	Broker        string    `json:"broker" doc:"embedded: the server's own" example:"embedded"`
	Since         time.Time `json:"since"`
	Connections   int       `json:"connections" doc:"Open sockets, also those that have not logged in"`
	Sessions      int       `json:"sessions" doc:"Connections that are logged in"`
	NodesThere    int       `json:"nodes_connected" doc:"Sessions of nodes"`
	Subscriptions int       `json:"subscriptions"`
	Destinations  int       `json:"destinations" doc:"In use"`

	LoginRate     float64 `json:"logins_per_second"`
	InRate        float64 `json:"in_per_second" doc:"Messages from clients"`
	OutRate       float64 `json:"out_per_second" doc:"Messages to clients"`
	BytesInRate   float64 `json:"bytes_in_per_second"`
	BytesOutRate  float64 `json:"bytes_out_per_second"`
	Logins        uint64  `json:"logins"`
	In            uint64  `json:"in"`
	Out           uint64  `json:"out"`
	BytesIn       uint64  `json:"bytes_in"`
	BytesOut      uint64  `json:"bytes_out"`
	Committed     uint64  `json:"committed" doc:"Messages that the server has taken and stored"`
	Redelivered   uint64  `json:"redelivered"`
	Dropped       uint64  `json:"dropped" doc:"To nobody, or delivered too often"`
	Slow          uint64  `json:"slow" doc:"Connections that were cut off because they did not read"`
	Superseded    uint64  `json:"superseded" doc:"Sessions of nodes that logged in again"`
	Errors        uint64  `json:"errors" doc:"ERROR frames"`
	QueuedBytes   int     `json:"queued_bytes" doc:"Wait to be written to clients"`
	HeldMessages  int     `json:"held_messages" doc:"In queues"`
	HeldBytes     int     `json:"held_bytes"`
	InflightBytes int     `json:"inflight_bytes" doc:"Of unfinished frames and of messages that are not stored yet"`

	RefusedLogins      map[string]uint64 `json:"refused_logins" doc:"By reason"`
	RefusedConnections uint64            `json:"refused_connections" doc:"There were too many"`
}

// BrokerConnection is a connection that is logged in.
type BrokerConnection struct {
	Session       string        `json:"session" doc:"Unlike any other"`
	Node          fettle.NodeID `json:"node,omitempty" doc:"Left out: not a node"`
	Name          string        `json:"name,omitempty" doc:"Of who is not a node"`
	Address       string        `json:"address"`
	TLS           string        `json:"tls,omitempty" doc:"Left out: none" example:"TLS 1.3"`
	Version       string        `json:"version" doc:"Of STOMP" example:"1.2"`
	Since         time.Time     `json:"since"`
	Heard         time.Time     `json:"heard" doc:"When the last byte came"`
	InRate        float64       `json:"in_per_second" doc:"Messages from it"`
	OutRate       float64       `json:"out_per_second" doc:"Messages to it"`
	In            uint64        `json:"in"`
	Out           uint64        `json:"out"`
	BytesIn       uint64        `json:"bytes_in"`
	BytesOut      uint64        `json:"bytes_out"`
	QueuedBytes   int           `json:"queued_bytes" doc:"Wait to be written to it"`
	Uncommitted   int           `json:"uncommitted" doc:"Messages of its own that are not stored yet"`
	Subscriptions int           `json:"subscriptions"`
	Credit        int           `json:"credit" doc:"Messages of queues that it may still be given before it acknowledges some"`
	Pending       int           `json:"pending" doc:"Messages of queues that it has not acknowledged"`
	Paused        bool          `json:"paused,omitempty" doc:"It is not read, because it has too much that is not stored yet"`
	Lagging       bool          `json:"lagging,omitempty" doc:"It reads too slowly"`
}

// BrokerDestination is a topic or queue that is in use.
type BrokerDestination struct {
	Name      string  `json:"name" example:"/queue/fettle.facts"`
	Kind      string  `json:"kind" enum:"topic,queue,transient,collected" doc:"transient: gone with its last consumer; collected: read by the server itself"`
	Depth     int     `json:"depth" doc:"Messages in it"`
	Pending   int     `json:"pending" doc:"Those of them that a consumer has, and has not acknowledged"`
	Bytes     int     `json:"bytes"`
	Consumers int     `json:"consumers"`
	InRate    float64 `json:"in_per_second"`
	OutRate   float64 `json:"out_per_second"`
	In        uint64  `json:"in"`
	Out       uint64  `json:"out"`
	OldestMS  int64   `json:"oldest_ms" doc:"How long its oldest message has been there; 0: none, or not known"`
}

// BrokerCut is a connection that was cut off because it did not read or acknowledge.
type BrokerCut struct {
	At          time.Time     `json:"at"`
	Session     string        `json:"session"`
	Node        fettle.NodeID `json:"node,omitempty"`
	Name        string        `json:"name,omitempty"`
	Address     string        `json:"address"`
	Reason      string        `json:"reason"`
	QueuedBytes int           `json:"queued_bytes"`
}
