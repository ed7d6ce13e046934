package trust

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// Files in the server's state directory.
const (
	RootFile   = "root.key"   // the fleet root; may be moved away and brought back
	ServerFile = "server.key" // what the server signs with
)

const (
	certificateLife = 365 * 24 * time.Hour
	renewBefore     = certificateLife / 2 // a certificate is renewed when no more than this is left of it
	warnBefore      = 30 * 24 * time.Hour // and without a root, this is when it is said that it cannot be
	overlap         = 24 * time.Hour      // for which the key before the last is still taken: nothing is on its way for longer
	loginKeyBytes   = 32
)

// rootKey is RootFile.
type rootKey struct {
	Key   []byte `json:"key"`   // seed of the Ed25519 key
	Epoch int64  `json:"epoch"` // the highest that was certified
}

// serverKey is ServerFile.
type serverKey struct {
	Key          []byte   `json:"key"` // seed of the Ed25519 key
	Root         []byte   `json:"root"`
	Login        []byte   `json:"login"`        // key of the passcodes that nodes log in with
	Certificates []string `json:"certificates"` // in order of NotBefore: the last that has begun holds
}

// Authority is what a server signs with: its own key, and the fleet root while that is here. It implements wire.Signer and is safe for
// concurrent use.
type Authority struct {
	dir string
	now func() time.Time

	mu   sync.RWMutex // guards all below
	file serverKey
	root ed25519.PublicKey
	key  ed25519.PrivateKey
	id   string
	all  []Certificate // of file
}

var _ wire.Signer = (*Authority)(nil)

// OpenAuthority reads the keys in a state directory, and makes them at the first start. A nil now: time.Now.
func OpenAuthority(dir string, now func() time.Time) (*Authority, error) {
	if now == nil {
		now = time.Now
	}
	a := &Authority{dir: dir, now: now}
	var file serverKey
	err := readKeyFile(a.path(ServerFile), &file)
	switch {
	case err == nil:
		err = a.use(file)
	case errors.Is(err, fs.ErrNotExist):
		err = a.begin()
	}
	if err != nil {
		return nil, fmt.Errorf("server key: %w", err)
	}
	if _, err := a.Renew(); err != nil && !errors.Is(err, fettle.ErrUnavailable) {
		return nil, err
	}
	return a, nil
}

func (a *Authority) path(name string) string { return filepath.Join(a.dir, name) }

// begin makes the first server key, and the fleet root before it when there is none.
func (a *Authority) begin() error {
	root, err := a.readRoot()
	if errors.Is(err, fs.ErrNotExist) {
		root = rootKey{Key: newSeed()}
		err = writeKeyFile(a.path(RootFile), root)
	}
	if err != nil {
		return fmt.Errorf("fleet root: %w", err)
	}
	login := make([]byte, loginKeyBytes)
	_, _ = rand.Read(login) // never fails: crypto/rand ends the program instead
	return a.issue(root, serverKey{Key: newSeed(), Login: login}, root.Epoch+1, true)
}

func newSeed() []byte {
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed)
	return seed
}

func (a *Authority) readRoot() (rootKey, error) {
	var root rootKey
	if err := readKeyFile(a.path(RootFile), &root); err != nil {
		return root, err
	}
	if len(root.Key) != ed25519.SeedSize {
		return root, fmt.Errorf("%s: the key has %d bytes: %w", a.path(RootFile), len(root.Key), fettle.ErrInvalid)
	}
	return root, nil
}

// issue certifies file's key for an epoch and writes it all down. With only, keys of earlier epochs are not taken any more from now on;
// otherwise they are so by a second certificate, which holds when the overlap is over and needs no root then.
func (a *Authority) issue(root rootKey, file serverKey, epoch int64, only bool) error {
	if epoch > root.Epoch {
		root.Epoch = epoch
		if err := writeKeyFile(a.path(RootFile), root); err != nil { // first: no epoch is given twice
			return fmt.Errorf("fleet root: %w", err)
		}
	}
	signer := ed25519.NewKeyFromSeed(root.Key)
	now := fettle.MillisOf(a.now())
	c := Certificate{
		Key: ed25519.NewKeyFromSeed(file.Key).Public().(ed25519.PublicKey), Epoch: epoch, MinEpoch: epoch,
		NotBefore: now, NotAfter: now.Add(certificateLife),
	}
	file.Root, file.Certificates = signer.Public().(ed25519.PublicKey), nil
	if !only {
		c.MinEpoch = epoch - 1
		file.Certificates = append(file.Certificates, c.certify(signer).String())
		c.MinEpoch, c.NotBefore = epoch, now.Add(overlap)
	}
	file.Certificates = append(file.Certificates, c.certify(signer).String())
	if err := writeKeyFile(a.path(ServerFile), file); err != nil {
		return err
	}
	return a.use(file)
}

// use takes over what a file says.
func (a *Authority) use(file serverKey) error {
	if len(file.Key) != ed25519.SeedSize || len(file.Root) != ed25519.PublicKeySize || len(file.Login) != loginKeyBytes || len(file.Certificates) == 0 {
		return fmt.Errorf("%s: a part is missing: %w", a.path(ServerFile), fettle.ErrInvalid)
	}
	key := ed25519.NewKeyFromSeed(file.Key)
	var all []Certificate
	for _, text := range file.Certificates {
		c, err := ParseCertificate(text)
		if err == nil {
			err = c.checkRoot(file.Root)
		}
		if err == nil && !c.Key.Equal(key.Public()) {
			err = fmt.Errorf("the certificate is of another key: %w", fettle.ErrInvalid)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", a.path(ServerFile), err)
		}
		all = append(all, c)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.file, a.root, a.key, a.id, a.all = file, file.Root, key, KeyID(key.Public().(ed25519.PublicKey)), all
	return nil
}

// Sign implements wire.Signer.
func (a *Authority) Sign(body []byte) wire.Signature {
	a.mu.RLock()
	key, id := a.key, a.id
	text := a.file.Certificates[a.holds()]
	a.mu.RUnlock()
	return wire.Signature{KeyID: id, Bytes: wire.Sign(key, body), Certificate: text}
}

// holds gives the certificate that holds now. It is called with mu held, if only for reading.
func (a *Authority) holds() int {
	now, at := fettle.MillisOf(a.now()), 0
	for i, c := range a.all {
		if c.NotBefore <= now {
			at = i
		}
	}
	return at
}

// Certificate gives the one that holds now.
func (a *Authority) Certificate() Certificate {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.all[a.holds()]
}

// Root gives the public key of the fleet root.
func (a *Authority) Root() ed25519.PublicKey {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.root
}

// LoginKey gives the key of NodePasscode and CheckNodePasscode. It outlives every server key.
func (a *Authority) LoginKey() []byte {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.file.Login
}

// HasRoot tells whether the fleet root is here, not moved away.
func (a *Authority) HasRoot() bool {
	_, err := os.Stat(a.path(RootFile))
	return err == nil
}

// ownRoot reads the fleet root and looks whether it is this server's. ErrUnavailable: it was moved away.
func (a *Authority) ownRoot() (rootKey, error) {
	root, err := a.readRoot()
	if errors.Is(err, fs.ErrNotExist) {
		return root, fmt.Errorf("the fleet root is not here: bring %s back for this: %w", a.path(RootFile), fettle.ErrUnavailable)
	}
	if err == nil && !a.Root().Equal(ed25519.NewKeyFromSeed(root.Key).Public()) {
		err = fmt.Errorf("%s is the root of another fleet: %w", a.path(RootFile), fettle.ErrConflict)
	}
	return root, err
}

// Rotate makes a new server key. What the old one signed is taken for a day more; with revokeOld, for no moment more, as soon as a node has
// heard of the new one. ErrUnavailable: the fleet root was moved away.
func (a *Authority) Rotate(revokeOld bool) error {
	root, err := a.ownRoot()
	if err != nil {
		return fmt.Errorf("rotate the server key: %w", err)
	}
	a.mu.RLock()
	file := serverKey{Key: newSeed(), Login: a.file.Login}
	epoch := max(root.Epoch, a.all[len(a.all)-1].Epoch) + 1
	a.mu.RUnlock()
	if err := a.issue(root, file, epoch, revokeOld); err != nil {
		return fmt.Errorf("rotate the server key: %w", err)
	}
	return nil
}

// Renew makes a new certificate for the same key when the last one's time is half over, and tells whether it did. It is to be called now and
// then, such as once a day. ErrUnavailable: the root was moved away, and less than thirty days are left.
func (a *Authority) Renew() (bool, error) {
	a.mu.RLock()
	file, last := a.file, a.all[len(a.all)-1]
	a.mu.RUnlock()
	left := last.NotAfter.Sub(fettle.MillisOf(a.now()))
	if left > renewBefore {
		return false, nil
	}
	root, err := a.ownRoot()
	if errors.Is(err, fettle.ErrUnavailable) && left > warnBefore {
		return false, nil
	}
	if err == nil {
		err = a.issue(root, file, last.Epoch, true)
	}
	if err != nil {
		return false, fmt.Errorf("renew the server's certificate, which ends at %s: %w", last.NotAfter.Time().Format(time.RFC3339), err)
	}
	return true, nil
}
