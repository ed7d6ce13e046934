package trust

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// JoinLogin is the login with which a node that is not enrolled yet asks to be.
const JoinLogin = "join"

// joinClient is what the client-id of a joining connection begins with; its key id follows.
const joinClient = "join."

// JoinClientID is the client-id of the connection on which the owner of a key joins.
func JoinClientID(keyID string) string { return joinClient + keyID }

// ParseJoinClientID gives the key id of a joining connection; ErrInvalid if it is none.
func ParseJoinClientID(clientID string) (keyID string, err error) {
	keyID, ok := strings.CutPrefix(clientID, joinClient)
	if !ok || !IsKeyID(keyID) {
		return "", fmt.Errorf("client-id: it is not %s and a key id: %w", joinClient, fettle.ErrInvalid)
	}
	return keyID, nil
}

// LoginPasscode is the passcode with which the owner of a key joins.
func (t JoinToken) LoginPasscode(keyID string) string {
	return t.ID + "." + encodeMAC(joinMAC(t.Secret, t.ID, keyID))
}

// JoinTokenID gives the id of the token that a joining connection's passcode is made with, so that its secret can be looked up.
func JoinTokenID(passcode string) (string, error) {
	id, _, err := splitPasscode(passcode)
	return id, err
}

// CheckJoinLogin tells whether passcode was made for keyID with the token that has this secret; ErrDenied if it was not.
func CheckJoinLogin(secret []byte, passcode, keyID string) error {
	id, mac, err := splitPasscode(passcode)
	if err != nil {
		return err
	}
	if !hmac.Equal(mac, joinMAC(secret, id, keyID)) {
		return fmt.Errorf("the join token's proof is not right: %w", fettle.ErrDenied)
	}
	return nil
}

func joinMAC(secret []byte, tokenID, keyID string) []byte {
	return macOf(secret, "fettle login 1\n"+tokenID+"\n"+keyID)
}

// EnrolProof shows, in an Enrol message, that the owner of these public keys knows the token's secret and asks for this identity.
func EnrolProof(secret []byte, id fettle.NodeID, sign ed25519.PublicKey, seal []byte) []byte {
	return macOf(secret, string(enrolText(id, sign, seal)))
}

// CheckEnrolProof tells whether proof is EnrolProof of the rest; ErrDenied if it is not.
func CheckEnrolProof(secret, proof []byte, id fettle.NodeID, sign ed25519.PublicKey, seal []byte) error {
	if err := checkKeys(sign, seal); err != nil {
		return err
	}
	if !hmac.Equal(proof, EnrolProof(secret, id, sign, seal)) {
		return fmt.Errorf("enrol %s: the join token's proof is not right: %w", id, fettle.ErrDenied)
	}
	return nil
}

// KeyProof shows, in the Enrol message of a rotation, that whoever asks holds the new keys; the message itself is signed by the old one.
func KeyProof(next NodeKeys, id fettle.NodeID) []byte {
	return ed25519.Sign(next.Sign, enrolText(id, next.SignPublic(), next.SealPublic()))
}

// CheckKeyProof tells whether proof is the KeyProof of the owner of these public keys; ErrDenied if it is not.
func CheckKeyProof(proof []byte, id fettle.NodeID, sign ed25519.PublicKey, seal []byte) error {
	if err := checkKeys(sign, seal); err != nil {
		return err
	}
	if !ed25519.Verify(sign, enrolText(id, sign, seal), proof) {
		return fmt.Errorf("enrol %s: the proof of the new key is not right: %w", id, fettle.ErrDenied)
	}
	return nil
}

// enrolText is what proofs are made over. Both keys have a fixed length, so no two enrolments have one text.
func enrolText(id fettle.NodeID, sign ed25519.PublicKey, seal []byte) []byte {
	text := append([]byte("fettle enrol 1\n"+string(id)+"\n"), sign...)
	return append(text, seal...)
}

func checkKeys(sign ed25519.PublicKey, seal []byte) error {
	if len(sign) != ed25519.PublicKeySize || len(seal) != 32 {
		return fmt.Errorf("enrol: keys of %d and %d bytes, and both have 32: %w", len(sign), len(seal), fettle.ErrInvalid)
	}
	return nil
}

// NodePasscode is the passcode of an enrolled node, made by the server with its login key.
func NodePasscode(loginKey []byte, id fettle.NodeID, keyID string) string {
	return keyID + "." + encodeMAC(nodeMAC(loginKey, id, keyID))
}

// CheckNodePasscode gives the key id that passcode was made for, if it was made with loginKey for this identity; ErrDenied if it was not.
func CheckNodePasscode(loginKey []byte, id fettle.NodeID, passcode string) (keyID string, err error) {
	keyID, mac, err := splitPasscode(passcode)
	if err != nil {
		return "", err
	}
	if !IsKeyID(keyID) || !hmac.Equal(mac, nodeMAC(loginKey, id, keyID)) {
		return "", fmt.Errorf("node %s: the passcode is not right: %w", id, fettle.ErrDenied)
	}
	return keyID, nil
}

// SealPasscode makes of a passcode what only the owner of these keys can read, whose X25519 half is seal: where answers to enrolments travel,
// others may read who know a join token.
func SealPasscode(seal []byte, keyID, passcode string) (string, error) {
	to, err := ecdh.X25519().NewPublicKey(seal)
	if err != nil {
		return "", fmt.Errorf("seal a passcode: %w: %w", err, fettle.ErrInvalid)
	}
	sealed, err := Seal(to, passcodeInfo(keyID), []byte(passcode))
	if err != nil {
		return "", fmt.Errorf("passcode: %w", err)
	}
	return base64.StdEncoding.EncodeToString(sealed), nil
}

// OpenPasscode reads what SealPasscode made for these keys; ErrDenied if it was made for others.
func (k NodeKeys) OpenPasscode(text string) (string, error) {
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", fmt.Errorf("passcode: it is no base64: %w", fettle.ErrInvalid)
	}
	if k.None() {
		return "", fmt.Errorf("passcode: there are no keys to open it with: %w", fettle.ErrDenied)
	}
	plain, err := Open(k.Seal, passcodeInfo(k.ID()), sealed)
	if err != nil {
		return "", fmt.Errorf("passcode: %w", err)
	}
	return string(plain), nil
}

func passcodeInfo(keyID string) string { return "fettle passcode 1\n" + keyID }

func nodeMAC(loginKey []byte, id fettle.NodeID, keyID string) []byte {
	return macOf(loginKey, "login\n"+string(id)+"\n"+keyID)
}

func macOf(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func encodeMAC(mac []byte) string { return base64.RawURLEncoding.EncodeToString(mac) }

// maxPasscode is longer than any passcode, in bytes.
const maxPasscode = 128

func splitPasscode(passcode string) (id string, mac []byte, err error) {
	id, text, ok := strings.Cut(passcode, ".")
	if !ok || id == "" || len(passcode) > maxPasscode {
		return "", nil, fmt.Errorf("the passcode is none of a node: %w", fettle.ErrDenied)
	}
	if mac, err = base64.RawURLEncoding.Strict().DecodeString(text); err != nil || len(mac) != sha256.Size {
		return "", nil, fmt.Errorf("the passcode is none of a node: %w", fettle.ErrDenied)
	}
	return id, mac, nil
}
