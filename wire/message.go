package wire

import (
	"encoding/json"
	"fmt"

	fettle "github.com/fettle-dev/fettle"
)

// Type says what an envelope's body is.
type Type string

// The types of the protocol, version 1.
const (
	TypeEnrol    Type = "enrol"    // node to server, Enrol
	TypeEnrolled Type = "enrolled" // server to node, Enrolled
	TypeHello    Type = "hello"    // node to server, Hello: first on every connection
	TypeWelcome  Type = "welcome"  // server to node, Welcome: its answer
	TypeFacts    Type = "facts"    // node to server, Facts
	TypeBeat     Type = "beat"     // node to server, Beat
	TypeTask     Type = "task"     // server to node, fettle.Task
	TypeCancel   Type = "cancel"   // server to node, Cancel
	TypeResults  Type = "results"  // node to server, Results
	TypeOutput   Type = "output"   // node to server, Output
	TypeRecord   Type = "record"   // node to server
	TypeProgress Type = "progress" // node to server
	TypeChecks   Type = "checks"   // server to node, Checks
	TypeAsk      Type = "ask"      // server to node, Ask
	TypeAnswer   Type = "answer"   // node to server, Answer: to an Ask with a filter
	TypeEvent    Type = "event"    // server to servers
	TypeFetch    Type = "fetch"    // node to server, Fetch
	TypePiece    Type = "piece"    // server to node, Piece: the answer to a Fetch
)

// Enrol asks for a node's keys to be taken for its identity, which is the envelope's From. The first time, the envelope is signed by the new
// key and Proof shows that the sender knows a join token's secret. To change keys, Token is empty, the envelope is signed by the old key, and
// KeyProof by the new one. Package wire/trust makes and checks the proofs.
type Enrol struct {
	Token    string           `json:"token,omitempty"`     // id of the join token
	Sign     []byte           `json:"sign"`                // Ed25519 public key, 32 bytes
	Seal     []byte           `json:"seal"`                // X25519 public key, 32 bytes
	Proof    []byte           `json:"proof,omitempty"`     // by the token's secret
	KeyProof []byte           `json:"key_proof,omitempty"` // by the new key
	Machine  string           `json:"machine,omitempty"`   // a digest of what tells this machine from a copy of it; empty: nothing does
	Agent    fettle.AgentInfo `json:"agent"`
}

// Answers to an Enrol.
const (
	EnrolledYes     = "enrolled"
	EnrolledPending = "pending" // an operator has to approve it: ask again
	EnrolledRefused = "refused" // for the reason that is given
)

// Enrolled answers an Enrol.
type Enrolled struct {
	Status   string            `json:"status"`
	Reason   string            `json:"reason,omitempty"`   // why not, in words
	Key      string            `json:"key"`                // id of the key that was asked for
	Passcode string            `json:"passcode,omitempty"` // for the broker, from now on; sealed to the key, by package wire/trust
	Root     []byte            `json:"root"`               // public key of the fleet root, 32 bytes, always there: what signed the answer leads to it
	CA       string            `json:"ca,omitempty"`       // PEM; empty: listeners have certificates that the system knows, or no TLS
	Labels   map[string]string `json:"labels,omitempty"`
	Pool     string            `json:"pool,omitempty"`
}

// Hello is what an agent says first on every connection.
type Hello struct {
	ID         string           `json:"-"`       // of its envelope, once it is read; a Welcome gives it back
	Session    string           `json:"session"` // of this process of the agent: a UUIDv7, so that a later one sorts after an earlier one
	Seq        int64            `json:"seq"`     // of the last facts message sent in this session
	FactsHash  string           `json:"facts_hash"`
	ChecksHash string           `json:"checks_hash"`
	Agent      fettle.AgentInfo `json:"agent"`
	Classes    []string         `json:"classes"`  // sorted
	Commands   []string         `json:"commands"` // names of the check commands that the node offers; sorted
}

// Welcome answers a Hello.
type Welcome struct {
	Hello      string        `json:"hello"`      // id of the message that it answers: an old answer, said again, sets no clock
	Time       fettle.Millis `json:"time"`       // the server's clock; the agent judges expiry by it, carried forward on its monotonic clock
	BeatMS     int64         `json:"beat_ms"`    // zero: the agent's own setting holds
	NeedFacts  bool          `json:"need_facts"` // the server's document does not have the hello's hash: send the full one
	RetryAfter int64         `json:"retry_ms"`   // not zero: too many at once; hang up, and come back after so many milliseconds
}

// Facts is a full document or a patch. Exactly one of Full and Patch is there, or neither when only classes or commands changed.
type Facts struct {
	Session  string          `json:"session"`
	Seq      int64           `json:"seq"` // from 1 in each session; (session, seq) orders a node's facts
	Full     json.RawMessage `json:"full,omitempty"`
	Hash     string          `json:"hash,omitempty"` // of Full
	Patch    *Patch          `json:"patch,omitempty"`
	Classes  *[]string       `json:"classes,omitempty"`  // nil: as before
	Commands *[]string       `json:"commands,omitempty"` // nil: as before
}

// Beat says that a node is there, and how busy.
type Beat struct {
	Session    string `json:"session"`
	FactsHash  string `json:"facts_hash"`
	ChecksHash string `json:"checks_hash"`
	Slots      int    `json:"slots"`
	Busy       int    `json:"busy"`
	Exclusive  bool   `json:"exclusive,omitempty"`
	// Running are the actions with a busy filter that go now, also those that something else on the node has begun; sorted.
	Running []string `json:"running,omitempty"`
}

// Cancel takes back tasks, also such as the node has not seen yet.
type Cancel struct {
	Tasks []fettle.TaskID `json:"tasks"`
}

// Results is a list of results under one signature.
type Results struct {
	Session string          `json:"session"`
	Seq     int64           `json:"seq"` // of this message, from 1 in each session; orders the check results of a node
	Results []fettle.Result `json:"results"`
}

// Output is a piece of what a running action printed.
type Output struct {
	Task   fettle.TaskID `json:"task"`
	Stream string        `json:"stream"` // "stdout" or "stderr"
	Seq    int64         `json:"seq"`    // from 1 in each stream of a task
	Data   []byte        `json:"data"`
}

// Checks is the whole set of checks that a node has to keep.
type Checks struct {
	Hash   string         `json:"hash"` // of the set; the agent gives it back in hello and beats
	Checks []fettle.Check `json:"checks"`
}

// Ask wants something of a node beside tasks; it takes no slot there.
type Ask struct {
	Hello  bool          `json:"hello,omitempty"`  // say hello again, to be told the time anew
	Rotate bool          `json:"rotate,omitempty"` // make new keys and enrol them
	Facts  bool          `json:"facts"`            // send the full document
	Filter fettle.Filter `json:"filter,omitempty"` // collect again and say whether this is true, in an Answer; in CEL
}

// Answer says what a filter is for the node that was asked. It is not kept anywhere.
type Answer struct {
	Question string   `json:"question"`          // id of the message that asked
	Truth    string   `json:"truth"`             // "true", "false", "undefined"
	Missing  []string `json:"missing,omitempty"` // why it is undefined
}

// Fetch asks for a piece of an archive. A node asks for one after the other, and for the same again when it does not come.
type Fetch struct {
	Digest string `json:"digest"` // SHA-256 of the archive, in hex
	Piece  int    `json:"piece"`  // from 0
}

// PieceSize is the size of every piece of an archive but the last, in bytes: written in base64 it is a quarter of what the strictest broker takes in one
// message.
const PieceSize = 192 << 10

// Piece is a piece of an archive.
type Piece struct {
	Digest  string   `json:"digest"`
	Piece   int      `json:"piece"`
	Size    int64    `json:"size"`              // of the whole archive, in bytes
	Data    []byte   `json:"data,omitempty"`    //
	Voucher *Voucher `json:"voucher,omitempty"` // with the first piece
	Fault   string   `json:"fault,omitempty"`   // why there is none; empty: there is one
}

// Voucher is a server's word that an archive is what its fleet calls by a name and a version. It is made anew, by the server's key of that day, whenever
// an archive is handed out.
type Voucher struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	Platform    string `json:"platform,omitempty"` // os/arch of a program; empty: it does not matter
	Digest      string `json:"digest"`
	Size        int64  `json:"size"`
	KeyID       string `json:"key"`
	Signature   []byte `json:"sig"`
	Certificate string `json:"cert,omitempty"`
}

// voucherText is what is signed before the fields, so that nothing else that is ever signed can be taken for a voucher.
const voucherText = "fettle archive 1\n"

func (v Voucher) text() []byte {
	return fmt.Appendf(nil, "%s%q\n%q\n%q\n%q\n%d\n", voucherText, v.Name, v.Version, v.Platform, v.Digest, v.Size)
}

// Sign gives v signed; by a nil signer, unsigned.
func (v Voucher) Sign(signer Signer) Voucher {
	v.KeyID, v.Signature, v.Certificate = "", nil, ""
	if signer == nil {
		return v
	}
	sig := signer.Sign(v.text())
	v.KeyID, v.Signature, v.Certificate = sig.KeyID, sig.Bytes, sig.Certificate
	return v
}

// Check tells whether a server's key signed v; ErrDenied if none did.
func (v Voucher) Check(verifier Verifier) error {
	if len(v.Signature) == 0 {
		return fmt.Errorf("%s %s is not signed: %w", v.Name, v.Version, fettle.ErrDenied)
	}
	owner, err := verifier.Verify(Signature{KeyID: v.KeyID, Bytes: v.Signature, Certificate: v.Certificate}, v.text())
	if err != nil {
		return fmt.Errorf("%s %s: %w", v.Name, v.Version, err)
	}
	if owner != Server {
		return fmt.Errorf("%s %s is signed by %s, which is no server: %w", v.Name, v.Version, owner, fettle.ErrDenied)
	}
	return nil
}
