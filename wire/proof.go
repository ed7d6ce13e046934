package wire

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
)

// ManyVerifier is a Verifier for which several signatures cost less together.
type ManyVerifier interface {
	Verifier
	// VerifyMany answers as Verify does, for each signature over the body of the same index.
	VerifyMany(sigs []Signature, bodies [][]byte) (owners []string, errs []error)
}

// Proof is what a Verifier said of the signature of one message. The zero value opens nothing.
type Proof struct {
	owner string
	err   error
}

// Open is the function Open, for the message that the proof is of.
func (p Proof) Open(m Message, now fettle.Millis) (Envelope, error) {
	switch {
	case p.err != nil:
		return Envelope{}, fmt.Errorf("open: %w", p.err)
	case p.owner == "":
		return Envelope{}, fmt.Errorf("open: nobody has looked at its signature: %w", fettle.ErrDenied)
	}
	return open(m, p.owner, now)
}

// Prove has the signatures of messages verified: all at once, where the verifier can do that.
func Prove(list []Message, verifier Verifier) []Proof {
	proofs := make([]Proof, len(list))
	many, ok := verifier.(ManyVerifier)
	if !ok || len(list) == 1 {
		for i, m := range list {
			sig, err := signatureOf(m)
			if err == nil {
				proofs[i].owner, err = verifier.Verify(sig, m.Body)
			}
			proofs[i].err = err
		}
		return proofs
	}
	var sigs []Signature
	var bodies [][]byte
	var of []int
	for i, m := range list {
		sig, err := signatureOf(m)
		if err != nil {
			proofs[i].err = err
			continue
		}
		sigs, bodies, of = append(sigs, sig), append(bodies, m.Body), append(of, i)
	}
	owners, errs := many.VerifyMany(sigs, bodies)
	for k, i := range of {
		proofs[i] = Proof{owners[k], errs[k]}
	}
	return proofs
}

// signatureOf reads the headers of a message that say who vouches for it.
func signatureOf(m Message) (Signature, error) {
	if len(m.Body) > MaxMessage {
		return Signature{}, fmt.Errorf("%d bytes, and %d are allowed: %w", len(m.Body), MaxMessage, fettle.ErrInvalid)
	}
	header := m.Get(headerSignature)
	if header == "" {
		return Signature{}, fmt.Errorf("it is not signed: %w", fettle.ErrDenied)
	}
	keyID, text, ok := strings.Cut(header, ":")
	if !ok || keyID == "" || len(keyID) > maxKeyID || !utf8.ValidString(keyID) {
		return Signature{}, fmt.Errorf("its signature names no key: %w", fettle.ErrDenied)
	}
	signature, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return Signature{}, fmt.Errorf("its signature is no base64: %w", fettle.ErrDenied)
	}
	certificate := m.Get(HeaderCertificate)
	if len(certificate) > maxCertificate {
		return Signature{}, fmt.Errorf("its certificate has %d bytes: %w", len(certificate), fettle.ErrDenied)
	}
	return Signature{KeyID: keyID, Bytes: signature, Certificate: certificate}, nil
}
