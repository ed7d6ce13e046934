package enrol

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

// Key is what is known of a key of a node.
type Key = store.NodeKey

// Claim is a claim to an identity that belongs to somebody else.
type Claim = store.Contested

// Member is an identity with the keys and claims that belong to it.
type Member struct {
	Node   fettle.NodeID
	State  store.KeyState // of its best key; empty: it is claimed only
	Keys   []Key          // the oldest first
	Claims []Claim        // by key
	// Contested tells why nothing is asked of the node; empty: it is.
	Contested string
}

// Query asks for members.
type Query struct {
	State     store.KeyState // empty: any
	Contested bool           // with claims only
	After     fettle.NodeID  // the last one that the caller has
	Limit     int            // zero: 1000
}

// defaultLimit is how many members are listed at once.
const defaultLimit = 1000

// List gives members by identity, and whether there are more.
func (r *Registry) List(q Query) (page []Member, more bool) {
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	ids := slices.Collect(maps.Keys(r.nodes))
	if q.Contested {
		ids = slices.Collect(maps.Keys(r.claims))
	}
	slices.Sort(ids)
	for _, id := range ids {
		if id <= q.After {
			continue
		}
		m := r.member(id)
		if q.State != "" && m.State != q.State {
			continue
		}
		if len(page) == q.Limit {
			return page, true
		}
		page = append(page, m)
	}
	return page, false
}

// Member gives one of them. ErrNotFound: it is not enrolled, and nobody claims it.
func (r *Registry) Member(id fettle.NodeID) (Member, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.nodes[id]) == 0 && len(r.claims[id]) == 0 {
		return Member{}, fmt.Errorf("%s is not enrolled: %w", id, fettle.ErrNotFound)
	}
	return r.member(id), nil
}

// member puts together what is known of an identity. The caller holds mu.
func (r *Registry) member(id fettle.NodeID) Member {
	m := Member{Node: id, Contested: r.claims[id][store.ContestedSessions].Reason}
	rank := map[store.KeyState]int{store.KeyRevoked: 1, store.KeyPending: 2, store.KeyActive: 3}
	for _, e := range r.nodes[id] {
		m.Keys = append(m.Keys, e.NodeKey)
		if rank[e.State] > rank[m.State] {
			m.State = e.State
		}
	}
	slices.SortFunc(m.Keys, func(a, b Key) int { return int(a.Created - b.Created) })
	m.Claims = slices.SortedFunc(maps.Values(r.claims[id]), func(a, b Claim) int { return strings.Compare(a.Claim, b.Claim) })
	return m
}

// Approve takes the key with which a machine asked for an identity. ErrNotFound: nobody asked. ErrConflict: it is approved or revoked already.
func (r *Registry) Approve(ctx context.Context, id fettle.NodeID, caller string) error {
	now := r.now()
	return r.change(ctx, id, "node approved", caller, func(k *Key) bool {
		pending := k.State == store.KeyPending
		if pending {
			k.State, k.Approved, k.ApprovedBy = store.KeyActive, now, caller
		}
		return pending
	})
}

// Revoke makes every key of a node worthless, and ends its connection. The identity stays bound: nobody can enrol for it before it is released.
// ErrNotFound: it is not enrolled. ErrConflict: it is revoked already.
func (r *Registry) Revoke(ctx context.Context, id fettle.NodeID, caller string) error {
	err := r.change(ctx, id, "node revoked", caller, func(k *Key) bool {
		was := k.State
		k.State = store.KeyRevoked
		return was != store.KeyRevoked
	})
	if err == nil {
		r.cfg.Cut(id, "its key was revoked")
	}
	return err
}

// Rotate notes that a node is to make itself a new key. It is told when it says hello, or at once by the server. ErrNotFound: it has no key that
// could sign a new one.
func (r *Registry) Rotate(ctx context.Context, id fettle.NodeID, caller string) error {
	return r.change(ctx, id, "node key is to be changed", caller, func(k *Key) bool {
		k.Rotate = true
		return k.State == store.KeyActive
	})
}

// RotationDue tells whether a node is to make itself a new key.
func (r *Registry) RotationDue(id fettle.NodeID) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	due := false
	for _, e := range r.nodes[id] {
		if e.State == store.KeyActive && !e.Rotate {
			return false
		}
		due = due || e.State == store.KeyActive
	}
	return due
}

// change writes keys of a node anew where edit says that it changed them.
func (r *Registry) change(ctx context.Context, id fettle.NodeID, what, caller string, edit func(*Key) bool) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	m, err := r.Member(id)
	if err != nil {
		return err
	}
	if len(m.Keys) == 0 {
		return fmt.Errorf("%s is not enrolled: %w", id, fettle.ErrNotFound)
	}
	var e store.Enrolment
	for _, k := range m.Keys {
		if edit(&k) {
			k.Rev++
			e.Keys = append(e.Keys, k)
		}
	}
	if len(e.Keys) == 0 {
		return fmt.Errorf("the key of %s is %s: %w", id, m.State, fettle.ErrConflict)
	}
	if err := r.store.Enrol(ctx, e); err != nil {
		return err
	}
	r.mu.Lock()
	for _, k := range e.Keys {
		old := r.keys[k.ID]
		next := &entry{NodeKey: k, sign: old.sign, seal: old.seal}
		next.fresh.Store(old.fresh.Load())
		next.until.Store(old.until.Load())
		r.put(next)
	}
	r.mu.Unlock()
	r.log.Info(what, "node", id, "user", caller) //nolint:sloglint // one of a few constants
	return nil
}

// Release lets an identity go: its keys are forgotten, and so are the claims to it, and the next machine that asks with a token has it. Its
// connection ends. ErrNotFound: it is neither enrolled nor claimed.
func (r *Registry) Release(ctx context.Context, id fettle.NodeID, caller string) error {
	return r.let(ctx, id, caller, true)
}

// Clear forgets the claims to an identity, and that it is contested; its keys stay. ErrNotFound: it is not contested.
func (r *Registry) Clear(ctx context.Context, id fettle.NodeID, caller string) error {
	return r.let(ctx, id, caller, false)
}

func (r *Registry) let(ctx context.Context, id fettle.NodeID, caller string, keys bool) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	m, err := r.Member(id)
	if err == nil && !keys && len(m.Claims) == 0 {
		err = fmt.Errorf("%s is not contested: %w", id, fettle.ErrNotFound)
	}
	if err != nil {
		return err
	}
	e := store.Enrolment{Clear: []fettle.NodeID{id}}
	if keys {
		for _, k := range m.Keys {
			e.DropKeys = append(e.DropKeys, k.ID)
		}
	}
	if err := r.store.Enrol(ctx, e); err != nil {
		return err
	}
	r.mu.Lock()
	delete(r.claims, id)
	for _, key := range e.DropKeys {
		r.drop(key)
	}
	r.mu.Unlock()
	if !keys {
		r.log.Info("claims cleared", "node", id, "user", caller)
		return nil
	}
	r.log.Info("identity released", "node", id, "keys", len(e.DropKeys), "user", caller)
	r.cfg.Cut(id, "its identity was released")
	return nil
}

// Contest notes that two agents use one key in turns. It never waits: the store learns of it soon.
func (r *Registry) Contest(id fettle.NodeID, reason string) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	c, known := r.claims[id][store.ContestedSessions]
	if !known {
		c = Claim{Node: id, Claim: store.ContestedSessions, First: now}
		r.log.Warn("node is contested", "node", id, "err", reason)
	}
	c.Reason, c.Last, c.Tries = reason, now, c.Tries+1
	r.claim(c)
	if !slices.Contains(r.unsaved, id) {
		r.unsaved = append(r.unsaved, id)
	}
}

// Contested tells why nothing is to be asked of a node; empty: it may be.
func (r *Registry) Contested(id fettle.NodeID) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.claims[id][store.ContestedSessions].Reason
}
