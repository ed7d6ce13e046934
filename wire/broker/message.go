package broker

import (
	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// SenderHeader is the header that the broker puts on every message, in place of whatever the sender wrote there: the identity of the node
// that sent it, or "@" and the name of a principal that is no node.
const SenderHeader = "fettle-sender"

// Message is a message as it was received from a client. Header and Body are the receiver's to keep.
type Message struct {
	Destination string
	Header      []wire.Field // as sent, the first of each name, without those that concern the transport; SenderHeader is the last
	Body        []byte
	Sender      Principal
}

// Get gives the value of the header name, and "" if there is none.
func (m *Message) Get(name string) string { return wire.Find(m.Header, name) }

// Principal is who a connection speaks for, as the Authorizer found.
type Principal struct {
	Node fettle.NodeID // empty: not a node
	Name string        // for people to read
}

// sender gives the value of SenderHeader. No identity begins with "@", so nobody's name can be taken for a node.
func (p Principal) sender() string {
	if p.Node != "" {
		return string(p.Node)
	}
	return "@" + p.Name
}

// Login is what a client said of itself in its CONNECT frame.
type Login struct {
	Login    string
	Passcode string
	ClientID string // header client-id: the identity that a node claims
	Remote   string // address of the other end
}

// Authorizer decides who may do what. Its methods are called by the goroutine that reads the connection in question, many at a time, and
// ought not to block for long. The text of an error that wraps one of fettle's kinds is sent to the client; of any other, it is not.
type Authorizer interface {
	// Login tells whom a client speaks for. A Principal with a Node supersedes the session that this node had.
	Login(Login) (Principal, error)
	// MaySend returns nil if p may send to dest.
	MaySend(p Principal, dest string) error
	// MaySubscribe returns nil if p may subscribe to dest.
	MaySubscribe(p Principal, dest string) error
}

// Committer takes the messages of collected queues. Commit must not block, and may be called by many goroutines at a time. done has to be
// called once, from any goroutine: with nil when the message is on disk, whereupon the sender gets its RECEIPT; with an error when it could
// not be kept, whereupon the sender gets an ERROR and is disconnected, so that it sends the message again. Until done, the message counts
// against the bounds of its connection and of the broker.
type Committer interface {
	Commit(m *Message, done func(error))
}

// Presence is told of the sessions of nodes. Its methods ought not to block for long. When sessions of one node follow each other closely,
// calls may overlap: compare session.
type Presence interface {
	// Connected: the node of p has logged in. session is unlike that of any other connection.
	Connected(p Principal, session string)
	// Disconnected: that session has ended. reason is for people, and is ReasonSuperseded when a newer session took its place.
	Disconnected(p Principal, session, reason string)
}

// ReasonSuperseded is the reason of a session's end when the same node has logged in again.
const ReasonSuperseded = "superseded"

// shorten cuts what a client wrote to a length that fits an error.
func shorten(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
