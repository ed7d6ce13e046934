package trust

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// certificateText is what a root signs before the fields, so that nothing else that it ever signs can be taken for a certificate.
const certificateText = "fettle server certificate 1\n"

const (
	certificateFields = ed25519.PublicKeySize + 4*8
	certificateBytes  = certificateFields + ed25519.SignatureSize
)

// Certificate is a fleet root's word that a key is a server's. As text it is base64 of the key, four numbers of 8 bytes (big endian) and the
// root's signature.
type Certificate struct {
	Key       ed25519.PublicKey
	Epoch     int64         // grows with every new server key
	MinEpoch  int64         // keys of an earlier epoch are not to be taken any more
	NotBefore fettle.Millis // by the server's clock
	NotAfter  fettle.Millis // by the server's clock
	signature []byte
}

// certify gives c with the root's signature.
func (c Certificate) certify(root ed25519.PrivateKey) Certificate {
	c.signature = ed25519.Sign(root, append([]byte(certificateText), c.fields()...))
	return c
}

func (c Certificate) fields() []byte {
	raw := append(make([]byte, 0, certificateBytes), c.Key...)
	for _, n := range []int64{c.Epoch, c.MinEpoch, int64(c.NotBefore), int64(c.NotAfter)} {
		raw = binary.BigEndian.AppendUint64(raw, uint64(n))
	}
	return raw
}

// String gives the text that travels in the header fettle-cert.
func (c Certificate) String() string {
	return base64.StdEncoding.EncodeToString(append(c.fields(), c.signature...))
}

// ParseCertificate reads what String wrote. Whether a root signed it, Check tells. Anything else is ErrInvalid.
func ParseCertificate(text string) (Certificate, error) {
	if len(text) != base64.StdEncoding.EncodedLen(certificateBytes) {
		return Certificate{}, fmt.Errorf("certificate: %d characters: %w", len(text), fettle.ErrInvalid)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != certificateBytes {
		return Certificate{}, fmt.Errorf("certificate: it is no base64: %w", fettle.ErrInvalid)
	}
	number := func(i int) int64 { return int64(binary.BigEndian.Uint64(raw[ed25519.PublicKeySize+8*i:])) }
	c := Certificate{
		Key: raw[:ed25519.PublicKeySize:ed25519.PublicKeySize], Epoch: number(0), MinEpoch: number(1),
		NotBefore: fettle.Millis(number(2)), NotAfter: fettle.Millis(number(3)), signature: raw[certificateFields:],
	}
	if c.Epoch < 1 || c.MinEpoch < 0 || c.MinEpoch > c.Epoch || c.NotBefore <= 0 || c.NotAfter < c.NotBefore {
		return Certificate{}, fmt.Errorf("certificate: epoch %d of at least %d, from %d to %d: %w", c.Epoch, c.MinEpoch, c.NotBefore, c.NotAfter, fettle.ErrInvalid)
	}
	return c, nil
}

// checkRoot tells whether root signed it; ErrDenied if it did not.
func (c Certificate) checkRoot(root ed25519.PublicKey) error {
	if len(root) != ed25519.PublicKeySize || !ed25519.Verify(root, append([]byte(certificateText), c.fields()...), c.signature) {
		return fmt.Errorf("the certificate is not signed by this fleet's root: %w", fettle.ErrDenied)
	}
	return nil
}

// clockSlack is how far clocks may be apart where dates are compared.
const clockSlack = 5 * time.Minute

// checkDates tells whether it holds at now; ErrDenied if it does not.
func (c Certificate) checkDates(now fettle.Millis) error {
	if now > c.NotAfter.Add(clockSlack) {
		return fmt.Errorf("the server's certificate ended at %s: %w", c.NotAfter.Time().Format(time.RFC3339), fettle.ErrDenied)
	}
	if now.Add(clockSlack) < c.NotBefore {
		return fmt.Errorf("the server's certificate begins at %s: %w", c.NotBefore.Time().Format(time.RFC3339), fettle.ErrDenied)
	}
	return nil
}
