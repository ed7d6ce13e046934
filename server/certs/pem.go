package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"

	fettle "github.com/fettle-dev/fettle"
)

// maxPEM bounds a file of certificates or of a key, in bytes: the roots of a whole system have less.
const maxPEM = 1 << 20

// readBounded reads a file of at most maxPEM.
func readBounded(file string) (raw []byte, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	raw, err = io.ReadAll(io.LimitReader(f, maxPEM+1))
	_ = f.Close() // it was read only
	if err == nil && len(raw) > maxPEM {
		err = fmt.Errorf("the file has more than the %d KiB that are allowed: %w", maxPEM>>10, fettle.ErrInvalid)
	}
	return raw, err
}

// readSecretFile is readBounded for what only its owner may read; it takes away what others were allowed.
func readSecretFile(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = os.Chmod(file, 0o600)
	}
	if err != nil {
		return nil, err
	}
	return readBounded(file)
}

// writeFile replaces file by data in one step, on disk when it returns.
func writeFile(file string, data []byte, mode os.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(file), ".fettle-*") // 0600
	if err != nil {
		return fileError("write", file, err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // it is gone after the rename
	if _, err = tmp.Write(data); err == nil {
		err = tmp.Chmod(mode)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		return fileError("write", file, err)
	}
	return nil
}

// readCertificates reads the certificates, at least one, in the file of a setting.
func readCertificates(setting, file string) ([]*x509.Certificate, error) {
	raw, err := readBounded(file)
	if err != nil {
		return nil, fileError(setting, file, err)
	}
	certs, err := parseCertificates(raw)
	if err == nil && len(certs) == 0 {
		err = fmt.Errorf("there is no certificate in PEM in it: %w", fettle.ErrInvalid)
	}
	if err != nil {
		return nil, fileError(setting, file, err)
	}
	return certs, nil
}

func parseCertificates(raw []byte) (certs []*x509.Certificate, err error) {
	for len(bytes.TrimSpace(raw)) > 0 {
		var block *pem.Block
		if block, raw = pem.Decode(raw); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w: %w", len(certs)+1, err, fettle.ErrInvalid)
		}
		certs = append(certs, c)
	}
	return certs, nil
}

func encodeCertificates(certs []*x509.Certificate) []byte {
	var out bytes.Buffer
	for _, c := range certs {
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // a Buffer takes everything
	}
	return out.Bytes()
}

func parseKey(raw []byte) (crypto.PrivateKey, error) {
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("there is no private key in PEM (PKCS #8) in it: %w", fettle.ErrInvalid)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, fettle.ErrInvalid)
	}
	return key, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func poolOf(certs []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool
}
