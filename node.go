package fettle

import "encoding/json"

// Filter is a question about a node, in CEL or in the short form, as a person wrote it. Package filter compiles it. The empty filter is
// never "everything": it is refused.
type Filter string

// Liveness is what the server believes about a node's agent. No value means deletion.
type Liveness string

// The values of Liveness, by the number of beats that were missed.
const (
	Alive  Liveness = "alive"
	Late   Liveness = "late"   // two beats, or the broker's connection was lost
	Silent Liveness = "silent" // five beats
)

// Node is a machine with an agent, as the inventory knows it.
type Node struct {
	Identity NodeID            `json:"identity"`
	Facts    json.RawMessage   `json:"facts"`             // the document in canonical JSON; nil: none yet
	Hash     string            `json:"facts_hash"`        // of Facts, as on the wire; empty: none yet
	FactsAt  Millis            `json:"facts_at"`          // when Facts last changed, by the server's clock
	Classes  []string          `json:"classes"`           // sorted, no two alike
	Agent    AgentInfo         `json:"agent"`             //
	Commands []string          `json:"commands"`          // names of the check commands that the node offers; sorted
	Pools    []string          `json:"pools,omitempty"`   // from its join token
	Labels   map[string]string `json:"labels,omitempty"`  // from its join token
	Liveness Liveness          `json:"liveness"`          //
	Seen     Millis            `json:"seen"`              // when a byte of it was last received, by the server's clock
	Enrolled Millis            `json:"enrolled"`          // when it was first heard of, by the server's clock
	Session  string            `json:"session,omitempty"` // of the agent's process that spoke last
	Seq      int64             `json:"seq,omitempty"`     // of the last facts message taken from Session
	Rev      int64             `json:"rev"`               // counts the changes of the stored row
}

// AgentInfo is what an agent says of itself.
type AgentInfo struct {
	Version    string            `json:"version"`
	OS         string            `json:"os"`                   // as Go names it: linux
	Arch       string            `json:"arch"`                 // as Go names it: amd64
	Plugins    map[string]string `json:"plugins"`              // name to version
	Collective string            `json:"collective,omitempty"` // empty: the default, "fettle"
	Running    []string          `json:"running,omitempty"`    // actions with a busy filter that go there now, whoever began them, as its last beat said; sorted
}
