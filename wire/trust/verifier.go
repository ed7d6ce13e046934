package trust

import (
	"crypto/ed25519"
	"crypto/subtle"
	"fmt"
	"sync"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// Pinned verifies what servers send, by the fleet root alone: any key that the root certified is a server's, within its dates and its epoch.
// Certificates that were found right are remembered. It is safe for concurrent use.
type Pinned struct {
	root ed25519.PublicKey
	now  func() (at fettle.Millis, exact bool)

	mu       sync.Mutex // guards all below
	minEpoch int64
	known    map[string]certified // by their text
}

// certified is a certificate that was found right, with its key at the ready.
type certified struct {
	Certificate
	id  string
	key wire.PreparedKey
}

// NewPinned makes a verifier that takes no key of an epoch before minEpoch. now gives the server's time, or, not exact, a moment that it is
// certainly past: then the beginning of a certificate is not judged.
func NewPinned(root ed25519.PublicKey, minEpoch int64, now func() (at fettle.Millis, exact bool)) *Pinned {
	return &Pinned{root: root, now: now, minEpoch: minEpoch, known: map[string]certified{}}
}

// MinEpoch is the highest MinEpoch that a certificate has said, to be kept for the next NewPinned.
func (p *Pinned) MinEpoch() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.minEpoch
}

// Verify implements wire.Verifier.
func (p *Pinned) Verify(sig wire.Signature, body []byte) (string, error) {
	if sig.Certificate == "" {
		return "", fmt.Errorf("it has no server's certificate: %w", fettle.ErrDenied)
	}
	c, err := p.certificate(sig.Certificate)
	if err != nil {
		return "", err
	}
	if subtle.ConstantTimeCompare([]byte(sig.KeyID), []byte(c.id)) != 1 {
		return "", fmt.Errorf("the certificate is of another key than the signature: %w", fettle.ErrDenied)
	}
	if !c.key.Verify(body, sig.Bytes) {
		return "", fmt.Errorf("the signature by the server's key %s is not right: %w", sig.KeyID, fettle.ErrDenied)
	}
	p.raise(c.MinEpoch) // only now: a certificate alone can be had by anyone who listens, but it is the root's word all the same
	return wire.Server, nil
}

// Holds tells whether the certificate with which a message was verified holds at that moment; ErrDenied if it does not.
func (p *Pinned) Holds(m wire.Message, at fettle.Millis) error {
	c, err := ParseCertificate(m.Get(wire.HeaderCertificate))
	if err != nil {
		return err
	}
	return c.checkDates(at)
}

// maxCertificates is how many are remembered: there are two while a server's key is changed.
const maxCertificates = 8

// certificate reads a certificate and judges it.
func (p *Pinned) certificate(text string) (certified, error) {
	p.mu.Lock()
	c, known := p.known[text]
	least := p.minEpoch
	p.mu.Unlock()
	if !known {
		cert, err := ParseCertificate(text)
		if err != nil {
			return certified{}, fmt.Errorf("%w: %w", err, fettle.ErrDenied)
		}
		if err := cert.checkRoot(p.root); err != nil {
			return certified{}, err
		}
		c = certified{cert, KeyID(cert.Key), wire.Prepare(cert.Key)}
		p.remember(text, c)
	}
	if c.Epoch < least {
		return certified{}, fmt.Errorf("the server's key is of epoch %d, and keys before %d were revoked: %w", c.Epoch, least, fettle.ErrDenied)
	}
	at, exact := p.now()
	if !exact {
		at = max(at, c.NotBefore)
	}
	return c, c.checkDates(at)
}

func (p *Pinned) remember(text string, c certified) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= maxCertificates {
		clear(p.known)
	}
	p.known[text] = c
}

func (p *Pinned) raise(minEpoch int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.minEpoch = max(p.minEpoch, minEpoch)
}
