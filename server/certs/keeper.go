package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Config says whose certificates are used. With CertFile and KeyFile they are files, else an authority in State makes them.
type Config struct {
	State        string   // directory of the authority; it exists
	Names        []string // host names and addresses that a certificate of the authority is for; localhost and loopback are added
	CertFile     string   // PEM: the certificate, then those between it and the root
	KeyFile      string   // PEM
	CAFile       string   // PEM: the root of CertFile, for clients that do not know it; empty: their systems know it
	ClientCAFile string   // PEM: who signs the certificates that clients of the broker have to show; empty: they show none
}

// Keeper has the certificate for each handshake. Its methods are safe for concurrent use.
type Keeper struct {
	cfg     Config
	now     func() time.Time
	log     *slog.Logger
	clients *x509.CertPool // nil: no client shows a certificate

	mu     sync.Mutex // guards all below
	source source
	leaf   *tls.Certificate
}

// source is where certificates come from. Its methods are not called concurrently.
type source interface {
	// current gives the certificate for a handshake at now to address, which may be nil: old, where that still holds. It is called for every
	// handshake. After an error, old goes on being used.
	current(now time.Time, address net.IP, old *tls.Certificate) (*tls.Certificate, error)
	// root is what clients have to trust; nil: they know it.
	root() *x509.Certificate
}

// Open reads the certificates, or makes what is not there yet. Its errors name the file and the setting; ErrInvalid: what stands in a file cannot be used.
func Open(cfg Config, now func() time.Time, log *slog.Logger) (*Keeper, error) {
	k := &Keeper{cfg: cfg, now: now, log: log}
	if err := k.open(); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return k, nil
}

func (k *Keeper) open() (err error) {
	if k.cfg.CertFile != "" || k.cfg.KeyFile != "" {
		err = k.openFiles()
	} else {
		var a *authority
		if a, err = openAuthority(k.cfg.State, k.cfg.Names, k.now()); err == nil {
			k.source = a
		}
	}
	if err == nil && k.cfg.ClientCAFile != "" {
		var certs []*x509.Certificate
		if certs, err = readCertificates("tls-client-ca", k.cfg.ClientCAFile); err == nil {
			k.clients = poolOf(certs)
		}
	}
	if err != nil {
		return err
	}
	k.leaf, err = k.source.current(k.now(), nil, nil)
	return err
}

func (k *Keeper) openFiles() error {
	if k.cfg.CertFile == "" || k.cfg.KeyFile == "" {
		return fmt.Errorf("tls-cert and tls-key belong together, and one of them is missing: %w", fettle.ErrInvalid)
	}
	f := &files{cert: k.cfg.CertFile, key: k.cfg.KeyFile}
	if k.cfg.CAFile != "" {
		roots, err := readCertificates("tls-ca", k.cfg.CAFile)
		if err != nil {
			return err
		}
		f.ca = roots[0]
	}
	k.source = f
	return nil
}

// HTTPS gives the settings of a listener for REST and pages.
func (k *Keeper) HTTPS() *tls.Config {
	c := k.config()
	c.NextProtos = []string{"h2", "http/1.1"}
	return c
}

// STOMPS gives the settings of a listener for the broker. Where a client authority is set, a client has to show a certificate of it.
func (k *Keeper) STOMPS() *tls.Config {
	c := k.config()
	if k.clients != nil {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, k.clients
	}
	return c
}

func (k *Keeper) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Time: k.now,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return k.certificate(addressOf(hello)) },
	}
}

// addressOf is the address of this machine that the client reached; nil: unknown.
func addressOf(hello *tls.ClientHelloInfo) net.IP {
	if hello.Conn == nil {
		return nil
	}
	tcp, is := hello.Conn.LocalAddr().(*net.TCPAddr)
	if !is || tcp.IP.IsUnspecified() {
		return nil
	}
	return tcp.IP
}

// certificate gives the one for a handshake.
func (k *Keeper) certificate(address net.IP) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	leaf, err := k.source.current(k.now(), address, k.leaf)
	switch {
	case err != nil:
		k.log.Warn("the certificate cannot be renewed, and the one before stays in use", "err", err)
	case leaf != k.leaf:
		k.log.Info("certificate renewed", "until", leaf.Leaf.NotAfter.UTC().Format(time.RFC3339))
		k.leaf = leaf
	}
	return k.leaf, nil
}

// CA gives the root in PEM that clients have to trust; empty: one that their systems know, or ought to.
func (k *Keeper) CA() []byte {
	if root := k.root(); root != nil {
		return encodeCertificates([]*x509.Certificate{root})
	}
	return nil
}

// Pin gives the SHA-256 of the root's public key (SubjectPublicKeyInfo), which stays the same when its certificate is renewed; nil: as CA.
func (k *Keeper) Pin() []byte {
	root := k.root()
	if root == nil {
		return nil
	}
	sum := sha256.Sum256(root.RawSubjectPublicKeyInfo)
	return sum[:]
}

func (k *Keeper) root() *x509.Certificate {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.source.root()
}

// Expires is when the certificate in use ends.
func (k *Keeper) Expires() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.leaf.Leaf.NotAfter
}

// Host gives the name or address under which clients are sent to this server: host, where the certificate is for it, else its first name.
func (k *Keeper) Host(host string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.leaf.Leaf.VerifyHostname(host) == nil {
		return host
	}
	for _, name := range k.leaf.Leaf.DNSNames {
		if k.leaf.Leaf.VerifyHostname(name) == nil { // not a wildcard
			return name
		}
	}
	return host
}

// within tells whether now is in the time of c.
func within(c *x509.Certificate, now time.Time) bool {
	return !now.Before(c.NotBefore) && !now.After(c.NotAfter)
}

// fileError is err about the file of a setting, which it names once.
func fileError(setting, file string, err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return fmt.Errorf("%s %s: %w", setting, file, err)
}
