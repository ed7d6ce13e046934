package wire

import (
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// DefaultCollective is the first word of every destination unless another is set.
const DefaultCollective = "fettle"

// Destinations names where messages go; they are the same on every broker.
type Destinations struct {
	Collective string // empty: DefaultCollective
}

func (d Destinations) prefix(kind string) string {
	if d.Collective == "" {
		return kind + DefaultCollective + "."
	}
	return kind + d.Collective + "."
}

// Facts is where hello, facts and beats go.
func (d Destinations) Facts() string { return d.prefix("/queue/") + "facts" }

// Results is where results go.
func (d Destinations) Results() string { return d.prefix("/queue/") + "results" }

// Output is where output, record and progress go.
func (d Destinations) Output() string { return d.prefix("/queue/") + "output" }

// Enrol is where nodes ask to be enrolled.
func (d Destinations) Enrol() string { return d.prefix("/queue/") + "enrol" }

// Node is a node's own queue.
func (d Destinations) Node(id fettle.NodeID) string {
	return d.prefix("/queue/") + "node." + string(id)
}

// All is what every node reads.
func (d Destinations) All() string { return d.prefix("/topic/") + "all" }

// Events is what servers tell each other.
func (d Destinations) Events() string { return d.prefix("/topic/") + "events" }

// Collected gives the queues that the server reads: what is sent to them is receipted once it is committed.
func (d Destinations) Collected() []string {
	return []string{d.Facts(), d.Results(), d.Output(), d.Enrol()}
}

// IsCollected tells whether dest is one of Collected.
func (d Destinations) IsCollected(dest string) bool {
	name, ok := strings.CutPrefix(dest, d.prefix("/queue/"))
	return ok && (name == "facts" || name == "results" || name == "output" || name == "enrol")
}

// IsNode tells whether dest is a node's queue, and whose. A name that is no identity in lower case is none.
func (d Destinations) IsNode(dest string) (fettle.NodeID, bool) {
	name, ok := strings.CutPrefix(dest, d.prefix("/queue/")+"node.")
	if !ok {
		return "", false
	}
	id, err := fettle.ParseNodeID(name)
	return id, err == nil && string(id) == name
}

// Join is where the owner of a key that is not enrolled yet reads the answer to its Enrol.
func (d Destinations) Join(keyID string) string { return d.prefix("/queue/") + "join." + keyID }

// IsJoin tells whether dest is a Join destination, and of which key.
func (d Destinations) IsJoin(dest string) (keyID string, ok bool) {
	keyID, ok = strings.CutPrefix(dest, d.prefix("/queue/")+"join.")
	return keyID, ok && keyID != ""
}
