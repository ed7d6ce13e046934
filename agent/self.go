package agent

import (
	"crypto/ecdh"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// Files in the state folder. All of them belong to one identity on one machine.
const (
	spoolName  = "spool"
	ledgerName = "ledger"
	checksName = "checks.json"
	idsName    = "ids.json"
)

// self is who the agent is, and whom it believes. It is safe for concurrent use.
type self struct {
	path string // of the key file
	log  *slog.Logger
	now  func() (fettle.Millis, bool) // the server's time, for verifying on the node's own connection: called by the loop

	mu     sync.Mutex // guards all below
	file   trust.NodeFile
	pinned *trust.Pinned // nil: not enrolled yet
	signer wire.Signer
}

// openSelf reads the key file, and makes keys where there are none. What was made for another machine, another identity or another fleet is put
// aside. now gives the server's time, as trust.NewPinned wants it.
func openSelf(cfg Config, log *slog.Logger, now func() (fettle.Millis, bool)) (*self, error) {
	s := &self{path: filepath.Join(cfg.State, trust.NodeFileName), log: log, now: now}
	file, err := trust.ReadNodeFile(s.path)
	if err == nil {
		if why := foreign(file, cfg); why != "" {
			log.Warn("the keys here are not this node's, and are put aside with what belongs to them", "node", string(cfg.Identity), "err", why)
			if err := putAside(cfg.State); err != nil {
				return nil, err
			}
			err = fs.ErrNotExist
			file = trust.NodeFile{}
		}
	}
	switch {
	case !file.Keys.None():
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case cfg.Join.None():
		return nil, fmt.Errorf("this node is not enrolled, and no join token is given; fettle join-token create makes one where the server is, and --join takes it: %w", fettle.ErrInvalid)
	default:
		if file, err = newFile(cfg); err != nil {
			return nil, err
		}
	}
	s.use(file)
	return s, nil
}

// newFile makes what a node that is not enrolled yet has.
func newFile(cfg Config) (f trust.NodeFile, err error) {
	f = trust.NodeFile{Identity: cfg.Identity, Keys: cfg.Keys, Machine: cfg.Machine, Made: fettle.MillisOf(time.Now())}
	if f.Keys.None() {
		f.Keys, err = trust.NewNodeKeys()
	}
	return f, err
}

// foreign tells why a key file is not of this node; empty: it is.
func foreign(f trust.NodeFile, cfg Config) string {
	switch {
	case f.Identity != cfg.Identity:
		return fmt.Sprintf("they are of %s", f.Identity)
	case f.Machine.CopiedTo(cfg.Machine):
		return "they were made on another machine, of which this one is a copy"
	case f.Enrolled && !cfg.Join.None() && cfg.Join.CheckRoot(f.Root) != nil:
		return "they are enrolled in another fleet than the one of the join token"
	}
	return ""
}

// putAside moves all that belongs to an identity into a folder of its own.
func putAside(state string) error {
	aside := filepath.Join(state, "aside-"+time.Now().UTC().Format("20060102T150405.000"))
	if err := os.MkdirAll(aside, 0o700); err != nil {
		return fmt.Errorf("put old keys aside: %w", err)
	}
	for _, name := range []string{spoolName, ledgerName, checksName, idsName, trust.NodeFileName} { // the keys last: until then it is done again
		if err := os.Rename(filepath.Join(state, name), filepath.Join(aside, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("put old keys aside: %w", err)
		}
	}
	return nil
}

// use takes over a file.
func (s *self) use(f trust.NodeFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file, s.signer = f, f.Keys.Signer()
	if f.Enrolled && s.pinned == nil {
		s.pinned = trust.NewPinned(f.Root, f.MinEpoch, s.time)
	}
}

// time gives the server's time, or the latest that was ever seen.
func (s *self) time() (fettle.Millis, bool) {
	if at, known := s.now(); known {
		return at, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file.Seen, false
}

// get gives the key file as it is.
func (s *self) get() trust.NodeFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file
}

// change writes the key file as f makes it, and uses it from then on.
func (s *self) change(f func(*trust.NodeFile)) error {
	file := s.get()
	f(&file)
	if err := file.Write(s.path); err != nil {
		return err
	}
	s.use(file)
	return nil
}

// Sign implements wire.Signer with the keys as they are now.
func (s *self) Sign(body []byte) wire.Signature {
	s.mu.Lock()
	signer := s.signer
	s.mu.Unlock()
	return signer.Sign(body)
}

// Verify implements wire.Verifier for what servers send. Before the node is enrolled nothing is right.
func (s *self) Verify(sig wire.Signature, body []byte) (string, error) {
	s.mu.Lock()
	pinned := s.pinned
	s.mu.Unlock()
	if pinned == nil {
		return "", fmt.Errorf("this node is not enrolled: %w", fettle.ErrDenied)
	}
	return pinned.Verify(sig, body)
}

// seenEvery is how often the server's time is written down: often enough that a certificate that has ended long ago is known to have.
const seenEvery = time.Hour

// told notes what a message that was verified says of the time and of keys that are not to be taken any more. ErrDenied: the certificate of the
// message does not hold at the time that it tells.
func (s *self) told(m wire.Message, at fettle.Millis) error {
	s.mu.Lock()
	pinned, file := s.pinned, s.file
	s.mu.Unlock()
	if err := pinned.Holds(m, at); err != nil {
		return err
	}
	if epoch := pinned.MinEpoch(); epoch > file.MinEpoch || at > file.Seen.Add(seenEvery) {
		return s.change(func(f *trust.NodeFile) {
			f.MinEpoch, f.Seen = max(f.MinEpoch, epoch), max(f.Seen, at)
		})
	}
	return nil
}

// open gives a task's inputs with the sealed ones opened: by the keys, or by those whose place they took or will take.
func (s *self) open(t fettle.Task) (map[string]any, error) {
	file := s.get()
	inputs, err := trust.OpenInputs(file.Keys.Seal, t.ID, t.Inputs)
	for _, other := range []*ecdh.PrivateKey{file.Before.Seal, file.Next.Seal} {
		if errors.Is(err, fettle.ErrDenied) && other != nil {
			if opened, fault := trust.OpenInputs(other, t.ID, t.Inputs); fault == nil {
				return opened, nil
			}
		}
	}
	return inputs, err
}
