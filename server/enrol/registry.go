package enrol

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// Who lets in a machine that shows a join token.
const (
	ApproveAuto   = "auto"   // the token does
	ApproveManual = "manual" // an operator does, by fettle enrol approve
)

// Bounds of what is kept.
const (
	maxPending = 20_000           // keys that wait for an operator
	maxKeys    = 1 << 20          // keys in all
	maxTokens  = 10_000           // join tokens
	maxMachine = 1_000            // bytes of what a machine says of itself
	maxLabels  = 64               // of one token
	maxLabel   = 253              // bytes of a label's name, its value or a pool's name
	overlap    = 10 * time.Minute // for which the old key is still taken after the first word of the new one: what it signed is on its way
	tidyEvery  = 10 * time.Second // how often what need not be on disk at once is put there
)

// Config holds what a registry needs to know.
type Config struct {
	Approval string            // of tokens that do not say; empty: ApproveAuto
	Root     ed25519.PublicKey // of the fleet
	LoginKey []byte            // passcodes and the secrets of join tokens are made with it; kept as a private key is
	CA       string            // PEM of the CA of the listeners, for nodes; empty: the system knows it, or there is no TLS
	CAPin    []byte            // SHA-256 of its SubjectPublicKeyInfo, for tokens; empty as CA is
	Now      func() time.Time  // nil: time.Now
	Keys     *trust.Authority  // of the server; nil: there are none to show or to change
	// Cut ends the broker connection of a node whose key is not good any more. Nil: there is none to end. It must not call the registry.
	Cut func(id fettle.NodeID, reason string)
}

// Registry knows the join tokens and the keys of all nodes. Its methods are safe for concurrent use, and want Load to have returned.
type Registry struct {
	cfg   Config
	store *store.Store
	log   *slog.Logger
	local trust.JoinToken // of this machine's administrator

	writing sync.Mutex // held while a change goes to the store and then into memory; taken before mu

	mu      sync.RWMutex // guards all below
	tokens  map[string]store.JoinToken
	keys    map[string]*entry
	nodes   map[fettle.NodeID][]*entry // never empty
	claims  map[fettle.NodeID]map[string]store.Contested
	pending int
	retired []*entry        // keys that were replaced, to be dropped when their time is over
	unsaved []fettle.NodeID // of whose claims the store does not know yet

	verified, refused atomic.Uint64
}

// entry is a key of a node. What others read without a lock never changes after it was made; a changed one takes its place.
type entry struct {
	store.NodeKey
	sign ed25519.PublicKey
	seal []byte

	fresh atomic.Bool  // it replaces an older one, and has not been used yet
	until atomic.Int64 // a moment in milliseconds after which it is not taken; zero: for ever
}

var _ wire.Verifier = (*Registry)(nil)

// New makes a registry over a store. A nil log says nothing. ErrInvalid: the settings.
func New(cfg Config, st *store.Store, log *slog.Logger) (*Registry, error) {
	if cfg.Approval == "" {
		cfg.Approval = ApproveAuto
	}
	if err := ValidApproval(cfg.Approval); err != nil {
		return nil, err
	}
	if len(cfg.Root) != ed25519.PublicKeySize || len(cfg.LoginKey) < 32 {
		return nil, fmt.Errorf("a registry needs the fleet root and a login key: %w", fettle.ErrInvalid)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Cut == nil {
		cfg.Cut = func(fettle.NodeID, string) {}
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	r := &Registry{
		cfg: cfg, store: st, log: log,
		tokens: map[string]store.JoinToken{}, keys: map[string]*entry{}, nodes: map[fettle.NodeID][]*entry{},
		claims: map[fettle.NodeID]map[string]store.Contested{},
	}
	r.local = r.token(r.localID())
	return r, nil
}

// ValidApproval tells whether text is one of the approvals; the error names the setting.
func ValidApproval(text string) error {
	if text != ApproveAuto && text != ApproveManual {
		return &fettle.Fault{Key: "enrol-approval", Reason: fmt.Sprintf("%q is neither %s nor %s", text, ApproveAuto, ApproveManual)}
	}
	return nil
}

// Load fills the registry from the store. It comes before anything else.
func (r *Registry) Load(ctx context.Context) error {
	if err := r.loadTokens(ctx); err != nil {
		return err
	}
	claims, err := r.store.LoadContested(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range claims {
		r.claim(c)
	}
	return r.store.LoadNodeKeys(ctx, func(k store.NodeKey) error {
		e, err := newEntry(k)
		if err != nil {
			return err
		}
		r.put(e)
		return nil
	})
}

func newEntry(k store.NodeKey) (*entry, error) {
	sign, err := base64.StdEncoding.DecodeString(k.Sign)
	if err != nil || len(sign) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("stored key %s of node %s is no Ed25519 key", k.ID, k.Node)
	}
	seal, err := base64.StdEncoding.DecodeString(k.Seal)
	if err != nil || len(seal) != 32 {
		return nil, fmt.Errorf("stored key %s of node %s is no X25519 key", k.ID, k.Node)
	}
	return &entry{NodeKey: k, sign: sign, seal: seal}, nil
}

// put lets a key be in memory, in the place of an older state of the same one. The caller holds mu.
func (r *Registry) put(e *entry) {
	r.drop(e.ID)
	r.keys[e.ID] = e
	list := append(r.nodes[e.Node][:len(r.nodes[e.Node]):len(r.nodes[e.Node])], e)
	r.nodes[e.Node] = list
	if e.State == store.KeyPending {
		r.pending++
	}
	if newest := newestOf(list); newest != nil && activeOf(list) > 1 {
		newest.fresh.Store(true) // the first thing that it says sets an end to the others
	}
}

// drop takes a key out of memory. The caller holds mu.
func (r *Registry) drop(id string) {
	e := r.keys[id]
	if e == nil {
		return
	}
	delete(r.keys, id)
	if e.State == store.KeyPending {
		r.pending--
	}
	var left []*entry
	for _, other := range r.nodes[e.Node] {
		if other != e {
			left = append(left, other)
		}
	}
	if r.nodes[e.Node] = left; len(left) == 0 {
		delete(r.nodes, e.Node)
	}
}

// newestOf gives the active key that was made last; nil: none is active.
func newestOf(list []*entry) (newest *entry) {
	for _, e := range list {
		if e.State == store.KeyActive && (newest == nil || e.Created >= newest.Created) {
			newest = e
		}
	}
	return newest
}

// activeOf counts the active keys that no end has been set to.
func activeOf(list []*entry) (n int) {
	for _, e := range list {
		if e.State == store.KeyActive && e.until.Load() == 0 {
			n++
		}
	}
	return n
}

// Run puts on disk what need not be there at once, and drops keys that were replaced, until ctx ends.
func (r *Registry) Run(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			r.tidy(context.WithoutCancel(ctx))
			return nil
		case <-tick.C:
			r.tidy(ctx)
		}
	}
}

// tidyLimit is how long a store may take for it at the very end.
const tidyLimit = 2 * time.Second

func (r *Registry) tidy(ctx context.Context) {
	r.writing.Lock()
	defer r.writing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, tidyLimit)
	defer cancel()
	now := r.now()
	r.mu.Lock()
	var e store.Enrolment
	for _, id := range r.unsaved {
		for _, c := range r.claims[id] {
			e.Contested = append(e.Contested, c)
		}
	}
	var gone, waiting []*entry
	for _, k := range r.retired {
		if int64(now) > k.until.Load() {
			gone = append(gone, k)
			e.DropKeys = append(e.DropKeys, k.ID)
		} else {
			waiting = append(waiting, k)
		}
	}
	saved := len(r.unsaved)
	r.mu.Unlock()
	if len(e.Contested)+len(e.DropKeys) == 0 {
		return
	}
	if err := r.store.Enrol(ctx, e); err != nil {
		r.log.Warn("tidy enrolments", "err", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsaved = r.unsaved[saved:]
	r.retired = append(waiting, r.retired[len(gone)+len(waiting):]...)
	for _, k := range gone {
		if r.keys[k.ID] != nil && r.keys[k.ID].until.Load() != 0 {
			r.drop(k.ID)
		}
	}
}

func (r *Registry) now() fettle.Millis { return fettle.MillisOf(r.cfg.Now()) }
