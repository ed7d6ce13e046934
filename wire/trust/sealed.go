package trust

import (
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"

	fettle "github.com/fettle-dev/fettle"
)

// SealedKey is the only key of the object that stands for a sealed input in a task: {"$sealed": base64}.
const SealedKey = "$sealed"

// Seal makes of plain what only the owner of pub can open, with the same info: HPKE (RFC 9180) with X25519, HKDF-SHA256 and ChaCha20-Poly1305.
func Seal(pub *ecdh.PublicKey, info string, plain []byte) ([]byte, error) {
	to, err := hpke.NewDHKEMPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	sealed, err := hpke.Seal(to, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(info), plain)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

// Open reads what Seal made for the public half of key with the same info; ErrDenied if it was made for another key, with another info, or
// was changed since.
func Open(key *ecdh.PrivateKey, info string, sealed []byte) ([]byte, error) {
	own, err := hpke.NewDHKEMPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("open what is sealed: %w", err)
	}
	plain, err := hpke.Open(own, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(info), sealed)
	if err != nil {
		return nil, fmt.Errorf("open what is sealed: %w: %w", err, fettle.ErrDenied)
	}
	return plain, nil
}

// inputInfo binds a sealed input to its task and its name: it opens nowhere else.
func inputInfo(task fettle.TaskID, name string) string {
	return "fettle input 1\n" + string(task) + "\n" + name
}

// SealInput seals the value of one input of a task for the node whose X25519 public key that is, 32 bytes. What it gives takes the value's place.
func SealInput(pub []byte, task fettle.TaskID, name string, value any) (map[string]any, error) {
	to, err := ecdh.X25519().NewPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("seal input %s: %w: %w", name, err, fettle.ErrInvalid)
	}
	plain, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("seal input %s: %w: %w", name, err, fettle.ErrInvalid)
	}
	sealed, err := Seal(to, inputInfo(task, name), plain)
	if err != nil {
		return nil, fmt.Errorf("input %s: %w", name, err)
	}
	return map[string]any{SealedKey: base64.StdEncoding.EncodeToString(sealed)}, nil
}

// IsSealed tells whether an input's value is a sealed one.
func IsSealed(value any) bool {
	object, ok := value.(map[string]any)
	if !ok || len(object) != 1 {
		return false
	}
	_, ok = object[SealedKey]
	return ok
}

// OpenInputs gives a task's inputs with the sealed ones opened; inputs itself is not changed, and is given back when nothing in it is sealed.
// ErrDenied: one was sealed for another node, task or name, or changed on its way, or there is no key.
func OpenInputs(key *ecdh.PrivateKey, task fettle.TaskID, inputs map[string]any) (map[string]any, error) {
	var opened map[string]any
	for name, value := range inputs {
		if !IsSealed(value) {
			continue
		}
		plain, err := openInput(key, inputInfo(task, name), value.(map[string]any)[SealedKey]) //nolint:errcheck // IsSealed has told
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", name, err)
		}
		if opened == nil {
			opened = maps.Clone(inputs)
		}
		opened[name] = plain
	}
	if opened == nil {
		return inputs, nil
	}
	return opened, nil
}

func openInput(key *ecdh.PrivateKey, info string, value any) (any, error) {
	text, ok := value.(string)
	if !ok {
		return nil, fmt.Errorf("what is sealed is no text: %w", fettle.ErrInvalid)
	}
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("what is sealed is no base64: %w", fettle.ErrInvalid)
	}
	if key == nil {
		return nil, fmt.Errorf("this node has no key to open it with: %w", fettle.ErrDenied)
	}
	raw, err := Open(key, info, sealed)
	if err != nil {
		return nil, err
	}
	var plain any
	if err := json.Unmarshal(raw, &plain); err != nil {
		return nil, fmt.Errorf("what was sealed is no JSON: %w", fettle.ErrInvalid)
	}
	return plain, nil
}
