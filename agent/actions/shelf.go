package actions

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/wire"
)

// Fetch has the server hand out the archive of a digest, as agent.Agent.Fetch does: the voucher that it gives was checked, the digest was not.
type Fetch func(ctx context.Context, digest string, limit int64, w io.Writer) (wire.Voucher, error)

// Names below the folder of one plugin on the shelf.
const (
	archiveName = "archive.tar.zst"
	voucherName = "voucher.json"
	filesName   = "files"
)

// DefaultShelfBytes is how much the plugins that were fetched may take on disk, with what was unpacked of them.
const DefaultShelfBytes = 256 << 20

// fetchLimit is how long a task waits for its plugin at most.
const fetchLimit = 2 * time.Minute

var digestText = regexp.MustCompile(`^[0-9a-f]{64}$`)

// shelf keeps the plugins that were fetched, in a folder that is the agent's alone, the least recently used going first. It is safe for concurrent use.
type shelf struct {
	dir   string
	limit int64 // bytes
	fetch Fetch
	log   *slog.Logger

	mu    sync.Mutex              // guards all below
	books map[string]*book        // by digest; those that are open, or on their way
	here  map[string]wire.Voucher // by digest; those that are on disk
}

// book is one plugin on the shelf.
type book struct {
	turn   chan struct{} // holds a token when nobody fetches or opens it
	plugin *Plugin       // nil: not open; written by who has the token and mu
	users  int           // guarded by the shelf's mu
}

// openShelf looks what is in a folder, which it makes. What is not whole goes.
func openShelf(dir string, limit int64, fetch Fetch, log *slog.Logger) (*shelf, error) {
	s := &shelf{dir: dir, limit: cmp.Or(limit, DefaultShelfBytes), fetch: fetch, log: log, books: map[string]*book{}, here: map[string]wire.Voucher{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("plugins: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("plugins: %w", err)
	}
	for _, e := range entries {
		var v wire.Voucher
		raw, err := os.ReadFile(filepath.Join(dir, e.Name(), voucherName))
		if err != nil || json.Unmarshal(raw, &v) != nil || v.Digest != e.Name() {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return nil, fmt.Errorf("plugins: %w", err)
			}
			continue
		}
		s.here[v.Digest] = v
	}
	return s, nil
}

// versions gives the versions that are on the shelf, by name; of several the one that was used last.
func (s *shelf) versions() map[string]string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out, last := map[string]string{}, map[string]time.Time{}
	for digest, v := range s.here {
		if used := s.usedAt(digest); out[v.Name] == "" || used.After(last[v.Name]) {
			out[v.Name], last[v.Name] = v.Version, used
		}
	}
	return out
}

// usedAt gives when a plugin was used last: the time of its folder, so that it outlives the process.
func (s *shelf) usedAt(digest string) time.Time {
	info, err := os.Stat(filepath.Join(s.dir, digest))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// peek gives an open plugin; nil: it is not.
func (s *shelf) peek(digest string) *Plugin {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.books[digest]; b != nil {
		return b.plugin
	}
	return nil
}

// take gives the plugin of ref, and fetches it when it is not here. release has to be called when it is not used any more. ErrDenied: what came is not
// what was asked for, or nobody signed it. ErrNotFound, ErrUnavailable: nothing came.
func (s *shelf) take(ctx context.Context, ref fettle.PluginRef) (p *Plugin, release func(), err error) {
	if s == nil {
		return nil, nil, fmt.Errorf("this agent takes no plugins: %w", fettle.ErrUnavailable)
	}
	if !digestText.MatchString(ref.Digest) {
		return nil, nil, fmt.Errorf("plugin %s %s: the server does not say where it is: %w", ref.Name, ref.Version, fettle.ErrNotFound)
	}
	s.mu.Lock()
	b := s.books[ref.Digest]
	if b == nil {
		b = &book{turn: make(chan struct{}, 1)}
		b.turn <- struct{}{}
		s.books[ref.Digest] = b
	}
	b.users++
	s.mu.Unlock()
	release = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if b.users--; b.users == 0 && b.plugin == nil {
			delete(s.books, ref.Digest)
		}
	}
	select {
	case <-b.turn:
		defer func() { b.turn <- struct{}{} }()
	case <-ctx.Done():
		release()
		return nil, nil, context.Cause(ctx)
	}
	if b.plugin == nil {
		p, err := s.open(ctx, ref)
		if err != nil {
			release()
			return nil, nil, err
		}
		s.mu.Lock()
		b.plugin = p
		s.mu.Unlock()
		s.tidy()
	}
	now := time.Now()
	_ = os.Chtimes(filepath.Join(s.dir, ref.Digest), now, now) // it only says what goes first
	return b.plugin, release, nil
}

// open opens a plugin that is on disk, or fetches it. What is on disk is held to the digest once in the life of a process, and unpacked anew then.
func (s *shelf) open(ctx context.Context, ref fettle.PluginRef) (*Plugin, error) {
	home := filepath.Join(s.dir, ref.Digest)
	p, err := unpack(home, ref)
	if err == nil {
		return p, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		s.log.Warn("a plugin on disk is not what it was, and is fetched again", "plugin", ref.Name, "err", err)
	}
	if err := s.download(ctx, ref, home); err != nil {
		return nil, err
	}
	return unpack(home, ref)
}

// download fetches a plugin into a folder of its own, which appears under its name once it is whole.
func (s *shelf) download(ctx context.Context, ref fettle.PluginRef, home string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, fetchLimit, fmt.Errorf("plugin %s %s did not come within %s: %w", ref.Name, ref.Version, fetchLimit, fettle.ErrUnavailable))
	defer cancel()
	temp, err := os.MkdirTemp(s.dir, "new-")
	if err != nil {
		return fmt.Errorf("plugin %s: %w", ref.Name, err)
	}
	defer func() { _ = os.RemoveAll(temp) }() // when all went well, it is not there any more
	v, err := fetchArchive(ctx, s.fetch, ref, plugins.MaxArchive, filepath.Join(temp, archiveName))
	if err != nil {
		return err
	}
	raw, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(filepath.Join(temp, voucherName), raw, 0o600)
	}
	if err = errors.Join(err, os.RemoveAll(home)); err == nil {
		err = os.Rename(temp, home)
	}
	if err != nil {
		return fmt.Errorf("plugin %s: %w", ref.Name, err)
	}
	s.mu.Lock()
	s.here[ref.Digest] = v
	s.mu.Unlock()
	s.log.Info("a plugin was fetched", "plugin", ref.Name, "version", ref.Version, "bytes", v.Size)
	return nil
}

// fetchArchive fetches the archive of ref into a new file, and holds it to its digest and its voucher.
func fetchArchive(ctx context.Context, fetch Fetch, ref fettle.PluginRef, limit int64, file string) (wire.Voucher, error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return wire.Voucher{}, fmt.Errorf("%s: %w", ref.Name, err)
	}
	sum := sha256.New()
	v, err := fetch(ctx, ref.Digest, limit, io.MultiWriter(f, sum))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return v, fmt.Errorf("%s %s: %w", ref.Name, ref.Version, err)
	}
	got := hex.EncodeToString(sum.Sum(nil))
	switch {
	case got != ref.Digest:
		return v, fmt.Errorf("%s %s: what came has the digest %.12s, and %.12s was asked for: %w", ref.Name, ref.Version, got, ref.Digest, fettle.ErrDenied)
	case v.Name != ref.Name || v.Version != ref.Version:
		return v, fmt.Errorf("%s %s: the voucher is of %s %s: %w", ref.Name, ref.Version, v.Name, v.Version, fettle.ErrDenied)
	}
	return v, nil
}

// unpack reads the archive in a folder, holds it to its digest, and unpacks it beside. os.ErrNotExist: there is none.
func unpack(home string, ref fettle.PluginRef) (*Plugin, error) {
	raw, err := readAtMost(filepath.Join(home, archiveName), plugins.MaxArchive)
	if err != nil {
		return nil, err
	}
	if got := plugins.Digest(raw); got != ref.Digest {
		return nil, fmt.Errorf("plugin %s: the archive has the digest %.12s: %w", ref.Name, got, fettle.ErrDenied)
	}
	files, m, err := plugins.ReadArchive(raw)
	if err != nil {
		return nil, err
	}
	if m.Name != ref.Name || m.Version != ref.Version {
		return nil, fmt.Errorf("plugin %s %s: its manifest is of %s %s: %w", ref.Name, ref.Version, m.Name, m.Version, fettle.ErrDenied)
	}
	dir := filepath.Join(home, filesName)
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	if err := plugins.Write(files, dir); err != nil {
		return nil, err
	}
	return OpenPlugin(dir)
}

// readAtMost reads a file that has at most limit bytes.
func readAtMost(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("%s has more than %d bytes: %w", file, limit, fettle.ErrInvalid)
	}
	return raw, err
}

// tidy removes what was used least recently and is not used now, until what is left fits.
func (s *shelf) tidy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	type one struct {
		digest string
		size   int64
		used   time.Time
	}
	var all []one
	total := int64(0)
	for digest := range s.here {
		size := folderSize(filepath.Join(s.dir, digest))
		all, total = append(all, one{digest, size, s.usedAt(digest)}), total+size
	}
	slices.SortFunc(all, func(a, b one) int { return a.used.Compare(b.used) })
	for _, o := range all {
		if b := s.books[o.digest]; total <= s.limit || b != nil && b.users > 0 {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.dir, o.digest)); err != nil {
			s.log.Warn("a plugin cannot be removed", "err", err)
			continue
		}
		total -= o.size
		s.log.Info("a plugin that was not used for long is removed", "plugin", s.here[o.digest].Name, "version", s.here[o.digest].Version)
		delete(s.here, o.digest)
		delete(s.books, o.digest)
	}
}

func folderSize(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what is gone has no size
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size
}
