package trust

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// NodeFileName is the name of a node's key file in its state directory.
const NodeFileName = "node.key"

// NodeFile is what a node keeps of who it is and whom it believes. The zero value is a node that has no keys yet.
type NodeFile struct {
	Identity fettle.NodeID
	Keys     NodeKeys
	Next     NodeKeys // keys that the server was asked to take in place of Keys; none: it was not
	Before   NodeKeys // whose place Keys took: what was sealed for them is still to be read; none: there were none
	Machine  Machine  // on which the keys were made
	Root     ed25519.PublicKey
	CA       string // PEM; empty: listeners have certificates that the system knows, or no TLS
	Passcode string // for the broker
	Enrolled bool
	MinEpoch int64         // highest that a server's certificate has said
	Seen     fettle.Millis // a moment that the server's time is past
	Made     fettle.Millis // when Keys were made, by the node's clock
}

// nodeFile is a NodeFile as it stands on disk.
type nodeFile struct {
	Identity fettle.NodeID `json:"identity"`
	Keys     *keyPair      `json:"keys"`
	Next     *keyPair      `json:"next,omitempty"`
	Before   *keyPair      `json:"before,omitempty"`
	Machine  Machine       `json:"machine"`
	Root     []byte        `json:"root,omitempty"`
	CA       string        `json:"ca,omitempty"`
	Passcode string        `json:"passcode,omitempty"`
	Enrolled bool          `json:"enrolled"`
	MinEpoch int64         `json:"min_epoch"`
	Seen     fettle.Millis `json:"seen"`
	Made     fettle.Millis `json:"made"`
}

type keyPair struct {
	Sign []byte `json:"sign"` // seed of the Ed25519 key
	Seal []byte `json:"seal"` // X25519
}

func pairOf(k NodeKeys) *keyPair {
	if k.None() {
		return nil
	}
	return &keyPair{Sign: k.Sign.Seed(), Seal: k.Seal.Bytes()}
}

func (p *keyPair) keys() (NodeKeys, error) {
	if p == nil {
		return NodeKeys{}, nil
	}
	if len(p.Sign) != ed25519.SeedSize {
		return NodeKeys{}, fmt.Errorf("the signing key has %d bytes: %w", len(p.Sign), fettle.ErrInvalid)
	}
	seal, err := ecdh.X25519().NewPrivateKey(p.Seal)
	if err != nil {
		return NodeKeys{}, fmt.Errorf("%w: %w", err, fettle.ErrInvalid)
	}
	return NodeKeys{Sign: ed25519.NewKeyFromSeed(p.Sign), Seal: seal}, nil
}

// ReadNodeFile reads a key file. One that is not there is fs.ErrNotExist, one that others can read ErrDenied, one that is no key file ErrInvalid.
func ReadNodeFile(path string) (NodeFile, error) {
	var raw nodeFile
	if err := readKeyFile(path, &raw); err != nil {
		return NodeFile{}, fmt.Errorf("node key: %w", err)
	}
	f, err := raw.parse()
	if err != nil {
		return NodeFile{}, fmt.Errorf("node key: %s: %w", path, err)
	}
	return f, nil
}

func (raw nodeFile) parse() (NodeFile, error) {
	id, err := fettle.ParseNodeID(string(raw.Identity))
	if err != nil {
		return NodeFile{}, err
	}
	f := NodeFile{
		Identity: id, Machine: raw.Machine, Root: raw.Root, CA: raw.CA, Passcode: raw.Passcode,
		Enrolled: raw.Enrolled, MinEpoch: raw.MinEpoch, Seen: raw.Seen, Made: raw.Made,
	}
	if f.Keys, err = raw.Keys.keys(); err != nil {
		return NodeFile{}, err
	}
	if f.Next, err = raw.Next.keys(); err != nil {
		return NodeFile{}, err
	}
	if f.Before, err = raw.Before.keys(); err != nil {
		return NodeFile{}, err
	}
	if f.Keys.None() {
		return NodeFile{}, fmt.Errorf("it has no keys: %w", fettle.ErrInvalid)
	}
	if f.Enrolled && (len(f.Root) != ed25519.PublicKeySize || f.Passcode == "") || strings.ContainsAny(f.Passcode, "\r\n\x00") {
		return NodeFile{}, fmt.Errorf("it is enrolled, and has no root or no passcode: %w", fettle.ErrInvalid)
	}
	return f, nil
}

// Write replaces the key file, whole or not at all; it is on disk when Write returns, readable by its owner only. The file has keys.
func (f NodeFile) Write(path string) error {
	raw := nodeFile{
		Identity: f.Identity, Keys: pairOf(f.Keys), Next: pairOf(f.Next), Before: pairOf(f.Before), Machine: f.Machine, Root: f.Root, CA: f.CA, Passcode: f.Passcode,
		Enrolled: f.Enrolled, MinEpoch: f.MinEpoch, Seen: f.Seen, Made: f.Made,
	}
	if err := writeKeyFile(path, raw); err != nil {
		return fmt.Errorf("node key: %w", err)
	}
	return nil
}

// Machine is what tells a machine from a copy of its disk. What cannot be found out is empty.
type Machine struct {
	ID  string `json:"machine_id,omitempty"` // of the installed system: machine-id(5)
	DMI string `json:"dmi_uuid,omitempty"`   // of the hardware, or the virtual machine
}

// ThisMachine reads what is known of this machine. The UUID of the hardware can be read by root only.
func ThisMachine() Machine {
	return Machine{ID: firstLine("/etc/machine-id", "/var/lib/dbus/machine-id"), DMI: firstLine("/sys/class/dmi/id/product_uuid")}
}

func firstLine(paths ...string) string {
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		line, _, _ := strings.Cut(string(raw), "\n")
		if line = strings.ToLower(strings.TrimSpace(line)); line != "" && len(line) <= 64 {
			return line
		}
	}
	return ""
}

// CopiedTo tells whether keys that were made on m lie on now, another machine. What one of them does not know tells nothing.
func (m Machine) CopiedTo(now Machine) bool {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	return differ(m.ID, now.ID) || differ(m.DMI, now.DMI)
}

// Digest tells machines apart without saying what they are; empty: nothing is known.
func (m Machine) Digest() string {
	if m == (Machine{}) {
		return ""
	}
	sum := sha256.Sum256([]byte("fettle machine 1\n" + m.ID + "\n" + m.DMI))
	return hex.EncodeToString(sum[:16])
}
