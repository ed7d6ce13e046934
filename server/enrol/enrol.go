package enrol

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// claimEvery is how often a claim that is repeated is written down again, in milliseconds.
const claimEvery = 60_000

// Enrol answers what OpenEnrol let through: asked[i] comes from the node from[i]. All that is new is on disk, in one transaction, when it returns
// nil. ErrUnavailable: the same may be asked again later, and nothing was done.
func (r *Registry) Enrol(ctx context.Context, from []fettle.NodeID, asked []wire.Enrol) ([]wire.Enrolled, error) {
	r.writing.Lock()
	defer r.writing.Unlock()
	d := r.decide(from, asked)
	err := d.save(ctx)
	if errors.Is(err, fettle.ErrConflict) { // another server on this database used the token meanwhile
		if err = r.loadTokens(ctx); err == nil {
			d = r.decide(from, asked)
			err = d.save(ctx)
		}
		if errors.Is(err, fettle.ErrConflict) {
			err = fmt.Errorf("%w: %w", err, fettle.ErrUnavailable)
		}
	}
	if err != nil {
		return nil, err
	}
	d.apply()
	d.log()
	d.sealPasscodes(asked)
	return d.answers, nil
}

// sealPasscodes lets only the nodes themselves read their passcodes, on all cores: it costs as much as a signature.
func (d *decision) sealPasscodes(asked []wire.Enrol) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(asked)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(asked); i = int(next.Add(1)) - 1 {
				a := &d.answers[i]
				if a.Passcode == "" {
					continue
				}
				sealed, err := trust.SealPasscode(asked[i].Seal, a.Key, a.Passcode)
				if a.Passcode = sealed; err != nil { // no point of the curve: its owner can read nothing
					key := a.Key
					*a = refused("nothing can be sealed for this key: %v", err)
					a.Key = key
				}
			}
		})
	}
	wg.Wait()
}

// decision is what becomes of a list of enrolments. One goroutine works on it.
type decision struct {
	r       *Registry
	now     fettle.Millis
	answers []wire.Enrolled
	store.Enrolment
	made    map[string]*entry          // by key id
	bound   map[fettle.NodeID]bool     // who has one of made
	claimed map[string]store.Contested // by node and key id
}

// decide answers all of asked. Nothing is changed by it. The caller holds writing.
func (r *Registry) decide(from []fettle.NodeID, asked []wire.Enrol) *decision {
	d := &decision{
		r: r, now: r.now(), answers: make([]wire.Enrolled, len(asked)), Enrolment: store.Enrolment{Uses: map[string]int64{}},
		made: map[string]*entry{}, bound: map[fettle.NodeID]bool{}, claimed: map[string]store.Contested{},
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for i, ask := range asked {
		d.answers[i] = d.answer(from[i], ask)
		d.answers[i].Key, d.answers[i].Root = trust.KeyID(ask.Sign), d.r.cfg.Root // a refusal too is believed by the root only
	}
	return d
}

func refused(format string, args ...any) wire.Enrolled {
	return wire.Enrolled{Status: wire.EnrolledRefused, Reason: fmt.Sprintf(format, args...)}
}

func (d *decision) answer(id fettle.NodeID, ask wire.Enrol) wire.Enrolled {
	keyID := trust.KeyID(ask.Sign)
	e := d.made[keyID]
	if e == nil {
		e = d.r.keys[keyID]
	}
	switch {
	case id == wire.Server:
		return refused("%q is the server's own name", id)
	case e != nil && e.Node != id:
		return refused("this key belongs to %s", e.Node)
	case e != nil && string(e.seal) != string(ask.Seal):
		return refused("this key was enrolled with another key to seal")
	case e != nil:
		return d.tell(e)
	case ask.Token == "":
		return d.rotate(id, ask)
	case len(d.r.nodes[id]) > 0 || d.bound[id]:
		return d.contest(id, keyID, ask)
	}
	return d.join(id, ask)
}

// tell answers for a key that is known.
func (d *decision) tell(e *entry) wire.Enrolled {
	switch e.State {
	case store.KeyPending:
		return wire.Enrolled{Status: wire.EnrolledPending, Reason: "an operator has to approve it: fettle enrol approve " + string(e.Node)}
	case store.KeyActive:
		if err := d.r.usable(e); err != nil {
			return refused("%v", err)
		}
		return wire.Enrolled{
			Status: wire.EnrolledYes, Passcode: trust.NodePasscode(d.r.cfg.LoginKey, e.Node, e.ID), CA: d.r.cfg.CA,
			Labels: e.Labels, Pool: e.Pool,
		}
	}
	return refused("this key was revoked; an operator releases the identity by fettle enrol release %s", e.Node)
}

// contest refuses a second key for an identity, and remembers that it asked.
func (d *decision) contest(id fettle.NodeID, keyID string, ask wire.Enrol) wire.Enrolled {
	const reason = "the identity is bound to another key"
	old, known := d.claimed[string(id)+" "+keyID]
	if !known {
		old, known = d.r.claims[id][keyID]
	}
	if !known {
		old = store.Contested{Node: id, Claim: keyID, First: d.now}
	}
	if !known || d.now-old.Last >= claimEvery {
		old.Machine, old.Reason, old.Last, old.Tries = ask.Machine, reason, d.now, old.Tries+1
		d.claimed[string(id)+" "+keyID] = old
		d.Contested = append(d.Contested, old)
	}
	return refused("%s; an operator releases it by fettle enrol release %s", reason, id)
}

// join takes a new key for a new identity, as far as the token allows.
func (d *decision) join(id fettle.NodeID, ask wire.Enrol) wire.Enrolled {
	token, known := d.r.tokens[ask.Token]
	local := ask.Token == d.r.local.ID
	if local {
		token, known = Token{ID: ask.Token, Uses: -1, Approval: ApproveAuto}, true
	}
	if !known {
		return refused("the join token is not known here, or was deleted")
	}
	token.Used += d.Uses[token.ID]
	if why := Ended(token, d.now); why != "" {
		return refused("the join token lets nobody in any more: %s", why)
	}
	if len(d.r.keys)+len(d.made) >= maxKeys {
		return refused("there are %d keys, and no more are allowed", maxKeys)
	}
	k := store.NodeKey{Node: id, State: store.KeyActive, Token: token.ID, Pool: token.Pool, Labels: token.Labels, Approved: d.now}
	approval := token.Approval
	if approval == "" {
		approval = d.r.cfg.Approval
	}
	if approval == ApproveManual {
		if d.r.pending+len(d.made) >= maxPending {
			return refused("%d machines wait for an operator already", maxPending)
		}
		k.State, k.Approved = store.KeyPending, 0
	}
	if !local {
		d.Uses[token.ID]++
	}
	return d.tell(d.make(k, ask))
}

// rotate takes a new key that the old one signed. Of two that were never used, the older one goes.
func (d *decision) rotate(id fettle.NodeID, ask wire.Enrol) wire.Enrolled {
	old := d.r.newest(id)
	if old == nil {
		return refused("%s has no key that can be replaced", id)
	}
	for _, e := range d.r.nodes[id] {
		if e.fresh.Load() {
			d.DropKeys = append(d.DropKeys, e.ID)
		}
	}
	return d.tell(d.make(store.NodeKey{
		Node: id, State: store.KeyActive, Token: old.Token, Pool: old.Pool, Labels: old.Labels, Approved: d.now, ApprovedBy: old.ApprovedBy,
	}, ask))
}

// newest gives the active key of a node that has been used, if possible. The caller holds mu.
func (r *Registry) newest(id fettle.NodeID) (best *entry) {
	for _, e := range r.nodes[id] {
		if e.State == store.KeyActive && (best == nil || best.fresh.Load() || !e.fresh.Load() && e.Created >= best.Created) {
			best = e
		}
	}
	return best
}

// make notes a key that is new.
func (d *decision) make(k store.NodeKey, ask wire.Enrol) *entry {
	k.ID, k.Created, k.Machine, k.Agent, k.Rev = trust.KeyID(ask.Sign), d.now, ask.Machine, ask.Agent.Version, 1
	k.Sign, k.Seal = base64.StdEncoding.EncodeToString(ask.Sign), base64.StdEncoding.EncodeToString(ask.Seal)
	e := &entry{NodeKey: k, sign: ask.Sign, seal: ask.Seal}
	d.made[k.ID], d.bound[k.Node] = e, true
	d.Keys = append(d.Keys, k)
	return e
}

func (d *decision) save(ctx context.Context) error {
	if len(d.Keys)+len(d.Contested)+len(d.DropKeys) == 0 {
		return nil
	}
	return d.r.store.Enrol(ctx, d.Enrolment)
}

// apply lets take effect in memory what is now on disk.
func (d *decision) apply() {
	d.r.mu.Lock()
	defer d.r.mu.Unlock()
	for _, id := range d.DropKeys {
		d.r.drop(id)
	}
	for _, k := range d.Keys {
		d.r.put(d.made[k.ID])
	}
	for id, n := range d.Uses {
		token := d.r.tokens[id]
		token.Used += n
		d.r.tokens[id] = token
	}
	for _, c := range d.Contested {
		d.r.claim(c)
	}
}

// log writes one line for all that enrolled together, and one for the claims.
func (d *decision) log() {
	if n := len(d.Keys); n > 0 {
		first := d.Keys[0]
		d.r.log.Info("nodes enrolled", "count", n, "node", first.Node, "state", string(first.State), "token", first.Token)
	}
	if n := len(d.Contested); n > 0 {
		first := d.Contested[0]
		d.r.log.Warn("identities are contested", "count", n, "node", first.Node, "err", first.Reason)
	}
}

// claim lets a claim be in memory, of which there are no more than the store keeps. The caller holds mu.
func (r *Registry) claim(c store.Contested) {
	if len(r.claims) >= store.MaxContested && r.claims[c.Node] == nil {
		return
	}
	if r.claims[c.Node] == nil {
		r.claims[c.Node] = map[string]store.Contested{}
	}
	if _, known := r.claims[c.Node][c.Claim]; !known && len(r.claims[c.Node]) >= maxClaims {
		return
	}
	r.claims[c.Node][c.Claim] = c
}

// maxClaims is how many claims to one identity are held in memory.
const maxClaims = 100
