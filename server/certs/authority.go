package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Files of the authority below the state directory.
const (
	caKeyFile  = "ca.key"  // the authority's private key, 0600
	caCertFile = "ca.pem"  // its certificate, for everybody
	leafFile   = "tls.pem" // certificate and private key of the listeners, 0600
)

// Times of what the authority makes. Both are renewed when a third is left.
const (
	rootFor  = 10 * 365 * 24 * time.Hour
	leafFor  = 90 * 24 * time.Hour
	backdate = time.Hour   // clocks of other machines may be behind
	lookAt   = time.Minute // how often the one in use is looked at
)

// maxAddresses bounds the addresses in a certificate: a machine with more of them is reached by its name.
const maxAddresses = 100

// authority is the built-in certificate authority with the one certificate that it makes. ECDSA on P-256, because browsers take no Ed25519.
type authority struct {
	state string
	names []string
	key   *ecdsa.PrivateKey
	ca    *x509.Certificate

	looked time.Time // when the certificate in use was looked at last
}

func openAuthority(state string, names []string, now time.Time) (*authority, error) {
	a := &authority{state: state, names: Usable(names)}
	var err error
	if a.key, err = a.readKey(); err != nil {
		return nil, err
	}
	return a, a.readRoot(now)
}

// readKey reads the private key, and makes it at the first start.
func (a *authority) readKey() (*ecdsa.PrivateKey, error) {
	file := a.file(caKeyFile)
	raw, err := readSecretFile(file)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(a.file(caCertFile)); err == nil {
			return nil, fmt.Errorf("authority: %s is there and %s is gone: put the key back, or remove %s too for a new authority, which nobody trusts yet: %w",
				a.file(caCertFile), file, caCertFile, fettle.ErrInvalid)
		}
		return a.makeKey(file)
	}
	if err != nil {
		return nil, fileError("authority", file, err)
	}
	key, err := parseKey(raw)
	if err != nil {
		return nil, fileError("authority", file, err)
	}
	ec, is := key.(*ecdsa.PrivateKey)
	if !is {
		return nil, fileError("authority", file, fmt.Errorf("the key is no ECDSA key: %w", fettle.ErrInvalid))
	}
	return ec, nil
}

func (a *authority) makeKey(file string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("authority: make a key: %w", err)
	}
	text, err := encodeKey(key)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	return key, writeFile(file, text, 0o600)
}

// readRoot reads the authority's certificate. It is made anew with the same key when it is missing, is about to end or lies outside its time:
// who pinned the key goes on trusting it.
func (a *authority) readRoot(now time.Time) error {
	file := a.file(caCertFile)
	certs, err := readCertificates("authority", file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return a.makeRoot(now)
	case err != nil:
		return err
	case !a.key.PublicKey.Equal(certs[0].PublicKey):
		return fileError("authority", file, fmt.Errorf("the certificate is not of the key in %s: %w", caKeyFile, fettle.ErrInvalid))
	}
	if a.ca = certs[0]; fresh(a.ca, now) {
		return nil
	}
	return a.makeRoot(now)
}

// makeRoot makes and writes the authority's certificate.
func (a *authority) makeRoot(now time.Time) error {
	public, err := x509.MarshalPKIXPublicKey(&a.key.PublicKey)
	if err != nil {
		return fmt.Errorf("authority: %w", err)
	}
	id := sha256.Sum256(public)
	root := &x509.Certificate{
		// the name has a part of the key, so that authorities of two servers in one browser are told apart; it stays the same when renewed
		Subject:      pkix.Name{CommonName: fmt.Sprintf("Fettle authority %x", id[:4])},
		SubjectKeyId: id[:20], IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	made, err := a.sign(root, root, &a.key.PublicKey, now, rootFor)
	if err != nil {
		return err
	}
	a.ca = made
	return writeFile(a.file(caCertFile), a.pem(), 0o644)
}

// sign makes a certificate of the authority.
func (a *authority) sign(template, parent *x509.Certificate, public *ecdsa.PublicKey, now time.Time, valid time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = serial.Add(serial, big.NewInt(1)), now.Add(-backdate), now.Add(valid)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, a.key)
	if err != nil {
		return nil, fmt.Errorf("authority: sign a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

func (a *authority) root() *x509.Certificate { return a.ca }

// current is of source.
func (a *authority) current(now time.Time, address net.IP, old *tls.Certificate) (*tls.Certificate, error) {
	since := now.Sub(a.looked)
	if old != nil && since >= 0 && since < lookAt && covers(old.Leaf, address) {
		return old, nil
	}
	a.looked = now
	if !fresh(a.ca, now) {
		if err := a.makeRoot(now); err != nil {
			return nil, err
		}
		old = nil // the chain has the old root
	}
	if old == nil {
		old = a.readLeaf()
	}
	if old != nil && a.good(old, now) && covers(old.Leaf, address) {
		return old, nil
	}
	return a.makeLeaf(now, address, old)
}

// good tells whether the certificate of the listeners can be used on.
func (a *authority) good(c *tls.Certificate, now time.Time) bool {
	if !fresh(c.Leaf, now) || c.Leaf.CheckSignatureFrom(a.ca) != nil || len(c.Certificate) != 2 || !slices.Equal(c.Certificate[1], a.ca.Raw) {
		return false
	}
	for _, name := range a.names {
		if c.Leaf.VerifyHostname(name) != nil {
			return false
		}
	}
	return true
}

// readLeaf reads what an earlier start has left, so that a browser's exception outlives a restart; nil: nothing that can be used.
func (a *authority) readLeaf() *tls.Certificate {
	raw, err := readSecretFile(a.file(leafFile))
	if err != nil {
		return nil
	}
	c, err := tls.X509KeyPair(raw, raw)
	if err != nil {
		return nil
	}
	c.Certificate = [][]byte{c.Certificate[0], a.ca.Raw}
	return &c
}

// makeLeaf makes and writes the certificate of the listeners. Addresses that old has been found to need are kept.
func (a *authority) makeLeaf(now time.Time, address net.IP, old *tls.Certificate) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("authority: make a key: %w", err)
	}
	leaf := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Fettle server"}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	addNames(leaf, append([]string{"localhost", "127.0.0.1", "::1"}, a.names...))
	if old != nil {
		addAddresses(leaf, old.Leaf.IPAddresses)
	}
	if address != nil {
		addAddresses(leaf, []net.IP{address})
	}
	made, err := a.sign(leaf, a.ca, &key.PublicKey, now, leafFor)
	if err != nil {
		return nil, err
	}
	keyText, err := encodeKey(key)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	if err := writeFile(a.file(leafFile), append(encodeCertificates([]*x509.Certificate{made}), keyText...), 0o600); err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{made.Raw, a.ca.Raw}, PrivateKey: key, Leaf: made}, nil
}

// addNames puts host names and addresses into a certificate, each once.
func addNames(c *x509.Certificate, names []string) {
	for _, name := range names {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if ip := net.ParseIP(name); ip != nil {
			addAddresses(c, []net.IP{ip})
		} else if name != "" && !slices.Contains(c.DNSNames, name) {
			c.DNSNames = append(c.DNSNames, name)
		}
	}
}

func addAddresses(c *x509.Certificate, addresses []net.IP) {
	for _, ip := range addresses {
		known := slices.ContainsFunc(c.IPAddresses, ip.Equal)
		if !known && len(c.IPAddresses) < maxAddresses {
			c.IPAddresses = append(c.IPAddresses, ip)
		}
	}
}

// covers tells whether c is for address, as far as it can be; nil is any.
func covers(c *x509.Certificate, address net.IP) bool {
	return address == nil || len(c.IPAddresses) >= maxAddresses || slices.ContainsFunc(c.IPAddresses, address.Equal)
}

// hostName is a name as a certificate has it.
var hostName = regexp.MustCompile(`^[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,62}\.?)+$`)

// Usable gives those of names, host names and addresses, that a certificate can have, within its bound.
func Usable(names []string) (out []string) {
	addresses := 0
	for _, name := range names {
		if net.ParseIP(name) != nil {
			addresses++
		} else if len(name) > 253 || !hostName.MatchString(name) {
			continue
		}
		if addresses <= maxAddresses/2 {
			out = append(out, name)
		}
	}
	return out
}

func (a *authority) file(name string) string { return filepath.Join(a.state, name) }

func (a *authority) pem() []byte { return encodeCertificates([]*x509.Certificate{a.ca}) }

// fresh tells whether more than a third of the time of c is left at now.
func fresh(c *x509.Certificate, now time.Time) bool {
	return within(c, now) && c.NotAfter.Sub(now) > c.NotAfter.Sub(c.NotBefore)/3
}
