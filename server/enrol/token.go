package enrol

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire/trust"
)

// Token is what is kept of a join token.
type Token = store.JoinToken

// TokenOrder asks for a join token.
type TokenOrder struct {
	Name     string // for people; empty: none
	Uses     int64  // how many machines it lets in; zero: one, below zero: no limit
	TTL      time.Duration
	Pool     string
	Labels   map[string]string
	Approval string // empty: as the server is set
	Caller   string
}

// token makes the join token of an id. Its secret follows from the id and the login key: it is kept nowhere, so a stolen database lets nobody in.
func (r *Registry) token(id string) trust.JoinToken {
	return trust.JoinToken{ID: id, Secret: r.mac("join token 1\n" + id), Root: trust.Fingerprint(r.cfg.Root), CA: r.cfg.CAPin}
}

func (r *Registry) mac(text string) []byte {
	h := hmac.New(sha256.New, r.cfg.LoginKey)
	h.Write([]byte("fettle " + text))
	return h.Sum(nil)
}

// idBytes is the length of a token's id.
const idBytes = 8

func (r *Registry) localID() string { return hex.EncodeToString(r.mac("local token 1")[:idBytes]) }

// Local is the join token of this machine's administrator: it lets in any number of machines, for ever and without approval. Who can read it
// can read the server's keys.
func (r *Registry) Local() trust.JoinToken { return r.local }

// SecretOf gives the secret of a token that may be used or has been. ErrNotFound: there is no such token any more.
func (r *Registry) SecretOf(id string) ([]byte, error) {
	if id == r.local.ID {
		return r.local.Secret, nil
	}
	r.mu.RLock()
	_, known := r.tokens[id]
	r.mu.RUnlock()
	if !known {
		return nil, fmt.Errorf("join token %.40q: %w", id, fettle.ErrNotFound)
	}
	return r.token(id).Secret, nil
}

// CreateToken makes a join token and gives its text, which is shown this once. ErrInvalid: what was asked for.
func (r *Registry) CreateToken(ctx context.Context, o TokenOrder) (string, Token, error) {
	if err := o.validate(); err != nil {
		return "", Token{}, err
	}
	var id [idBytes]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	k := Token{
		ID: hex.EncodeToString(id[:]), Name: o.Name, Uses: cmp.Or(o.Uses, 1), Pool: o.Pool, Labels: maps.Clone(o.Labels), Approval: o.Approval,
		Created: r.now(), CreatedBy: o.Caller, Rev: 1,
	}
	if o.TTL > 0 {
		k.Expires = k.Created.Add(o.TTL)
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.RLock()
	full := len(r.tokens) >= maxTokens
	r.mu.RUnlock()
	if full {
		return "", Token{}, fmt.Errorf("there are %d join tokens, delete some: %w", maxTokens, fettle.ErrConflict)
	}
	if err := r.store.SaveJoinToken(ctx, k); err != nil {
		return "", Token{}, err
	}
	r.mu.Lock()
	r.tokens[k.ID] = k
	r.mu.Unlock()
	r.log.Info("join token created", "token", k.ID, "uses", k.Uses, "user", o.Caller)
	return r.token(k.ID).String(), k, nil
}

func (o TokenOrder) validate() error {
	bad := func(key, format string, args ...any) error {
		return &fettle.Fault{Key: key, Reason: fmt.Sprintf(format, args...)}
	}
	if o.TTL < 0 {
		return bad("ttl", "%s is below zero", o.TTL)
	}
	if o.Approval != "" {
		if err := ValidApproval(o.Approval); err != nil {
			return bad("approval", "%q is neither %s nor %s", o.Approval, ApproveAuto, ApproveManual)
		}
	}
	if len(o.Labels) > maxLabels {
		return bad("labels", "%d labels, and %d are allowed", len(o.Labels), maxLabels)
	}
	words := map[string]string{"name": o.Name, "pool": o.Pool}
	for name, value := range o.Labels {
		if name == "" {
			return bad("labels", "a label needs a name")
		}
		words["labels."+name], words["labels "+name] = value, name
	}
	for key, word := range words {
		if len(word) > maxLabel || strings.ContainsFunc(word, func(c rune) bool { return c < ' ' || c == 0x7f || c == 0xfffd }) {
			return bad(key, "at most %d bytes, without control characters", maxLabel)
		}
	}
	return nil
}

// Tokens lists the join tokens, the newest first. That of this machine's administrator is none of them.
func (r *Registry) Tokens() []Token {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.SortedFunc(maps.Values(r.tokens), func(a, b Token) int {
		return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(a.ID, b.ID))
	})
}

// DeleteToken makes a join token worthless; who enrolled with it stays. ErrNotFound: there is none.
func (r *Registry) DeleteToken(ctx context.Context, id, caller string) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.RLock()
	_, known := r.tokens[id]
	r.mu.RUnlock()
	if !known {
		return fmt.Errorf("there is no join token %.40q: %w", id, fettle.ErrNotFound)
	}
	if err := r.store.DeleteJoinToken(ctx, id); err != nil {
		return err
	}
	r.mu.Lock()
	delete(r.tokens, id)
	r.mu.Unlock()
	r.log.Info("join token deleted", "token", id, "user", caller)
	return nil
}

// loadTokens reads all tokens from the store.
func (r *Registry) loadTokens(ctx context.Context) error {
	all := map[string]Token{}
	for after := ""; ; {
		page, err := r.store.JoinTokens(ctx, after, 0)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, k := range page {
			all[k.ID] = k
		}
		after = page[len(page)-1].ID
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens = all
	return nil
}

// Ended tells why a token lets nobody in any more; empty: it does.
func Ended(k Token, now fettle.Millis) string {
	switch {
	case k.Expires != 0 && now >= k.Expires:
		return "it has expired"
	case k.Uses >= 0 && k.Used >= k.Uses:
		return "it is used up"
	}
	return ""
}
