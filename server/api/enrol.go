package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server/auth"
	"github.com/fettle-dev/fettle/server/enrol"
)

// Enrolments is who may join and who has joined, as this package asks it. Its methods are safe for concurrent use.
type Enrolments interface {
	CreateToken(ctx context.Context, o enrol.TokenOrder) (text string, k enrol.Token, err error)
	Tokens() []enrol.Token
	DeleteToken(ctx context.Context, id, caller string) error
	List(q enrol.Query) (page []enrol.Member, more bool)
	Member(id fettle.NodeID) (enrol.Member, error)
	Contested(id fettle.NodeID) string
	Approve(ctx context.Context, id fettle.NodeID, caller string) error
	Revoke(ctx context.Context, id fettle.NodeID, caller string) error
	Release(ctx context.Context, id fettle.NodeID, caller string) error
	Clear(ctx context.Context, id fettle.NodeID, caller string) error
	Rotate(ctx context.Context, id fettle.NodeID, caller string) error
	ServerKey() enrol.ServerKey
	RotateServerKey(ctx context.Context, revokeOld bool, caller string) error
}

// JoinTokenInfo is what is kept of a join token.
type JoinTokenInfo struct {
	ID        string            `json:"id"`
	Name      string            `json:"name" doc:"For people"`
	Uses      int64             `json:"uses" doc:"How many machines it lets in; -1: no limit"`
	Used      int64             `json:"used"`
	Expires   *time.Time        `json:"expires,omitempty" doc:"Left out: never"`
	Ended     string            `json:"ended,omitempty" doc:"Why it lets nobody in any more; left out: it does"`
	Pool      string            `json:"pool,omitempty" doc:"Of the nodes that enrol with it"`
	Labels    map[string]string `json:"labels,omitempty" doc:"Of the nodes that enrol with it"`
	Approval  string            `json:"approval,omitempty" doc:"auto or manual; left out: as the server is set"`
	Created   time.Time         `json:"created"`
	CreatedBy string            `json:"created_by"`
}

// JoinTokenList has all join tokens, the newest first.
type JoinTokenList struct {
	Tokens []JoinTokenInfo `json:"tokens"`
}

// JoinTokenOrder asks for a join token.
type JoinTokenOrder struct {
	Name     string            `json:"name,omitempty" maxLength:"253" doc:"For people"`
	Uses     int64             `json:"uses,omitempty" minimum:"-1" doc:"How many machines it lets in; left out: one, -1: no limit"`
	TTL      string            `json:"ttl,omitempty" doc:"How long it lets machines in; left out: 24h, 0s: for ever" example:"24h"`
	Pool     string            `json:"pool,omitempty" maxLength:"253"`
	Labels   map[string]string `json:"labels,omitempty"`
	Approval string            `json:"approval,omitempty" enum:"auto,manual" doc:"Who lets in a machine that shows it: the token itself, or an operator; left out: as the server is set"`
}

// NewJoinToken is a join token with its text, which is shown this once.
type NewJoinToken struct {
	JoinTokenInfo
	Token string `json:"token" doc:"To be given to fettle agent --join; it is kept nowhere"`
}

// EnrolmentInfo is an identity, with the keys that are or were to speak for it and the machines that claim it.
type EnrolmentInfo struct {
	Node      fettle.NodeID `json:"node"`
	Standing  string        `json:"standing" enum:"pending,active,revoked,claimed" doc:"Of its best key; claimed: it has none, and machines asked for it"`
	Contested string        `json:"contested,omitempty" doc:"Why nothing is asked of the node; left out: it is"`
	Keys      []NodeKeyInfo `json:"keys" doc:"The oldest first; there are two while one replaces the other"`
	Claims    []ClaimInfo   `json:"claims,omitempty" doc:"Machines that asked for the identity with a key that is not its own"`
}

// NodeKeyInfo is what is known of a node's key.
type NodeKeyInfo struct {
	ID         string            `json:"id"`
	Standing   string            `json:"standing" enum:"pending,active,revoked"`
	Token      string            `json:"token,omitempty" doc:"Id of the join token with which the node enrolled"`
	Machine    string            `json:"machine,omitempty" doc:"Digest of what tells the machine from a copy of it"`
	Agent      string            `json:"agent,omitempty" doc:"The agent's version then"`
	Pool       string            `json:"pool,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	Created    time.Time         `json:"created"`
	Approved   *time.Time        `json:"approved,omitempty"`
	ApprovedBy string            `json:"approved_by,omitempty" doc:"Left out: the token did"`
	Rotate     bool              `json:"rotate,omitempty" doc:"The node is to make itself a new key"`
}

// ClaimInfo is a claim to an identity that is somebody else's.
type ClaimInfo struct {
	Claim   string    `json:"claim" doc:"Id of the key that asked, or sessions: two agents take turns with one key"`
	Machine string    `json:"machine,omitempty"`
	Reason  string    `json:"reason"`
	Tries   int64     `json:"tries"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
}

// EnrolmentList is a page of identities, by name.
type EnrolmentList struct {
	Enrolments []EnrolmentInfo `json:"enrolments"`
	Next       string          `json:"next" doc:"Cursor of the next page; empty: this is the last"`
}

// ServerKeyInfo is the key that the server signs with.
type ServerKeyInfo struct {
	ID        string    `json:"id"`
	Epoch     int64     `json:"epoch" doc:"Grows with every new key"`
	MinEpoch  int64     `json:"min_epoch" doc:"Keys of an earlier epoch are not believed any more"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after" doc:"The certificate is renewed long before"`
	Root      string    `json:"root" doc:"SHA-256 of the fleet root's public key, in hexadecimal: what join tokens carry and nodes pin"`
	RootHere  bool      `json:"root_here" doc:"The fleet root is in the state directory, and was not moved away"`
}

// ServerKeyOrder asks for a new server key.
type ServerKeyOrder struct {
	RevokeOld bool `json:"revoke_old,omitempty" doc:"The old one is stolen: let nobody believe it from now on, not only from tomorrow"`
}

type enrolmentsIn struct {
	Standing  string `query:"standing" enum:"pending,active,revoked" doc:"Only these; left out: all"`
	Contested bool   `query:"contested" doc:"Only those that are claimed by others"`
	Limit     int    `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"Identities a page"`
	Cursor    string `query:"cursor" doc:"next of the page before"`
}

// oneIdentity names a node.
type oneIdentity struct {
	Identity string `path:"identity" maxLength:"253" doc:"The node's name"`
}

func (a *rest) enrolRoutes() {
	handle(a, route{id: "list-join-tokens", method: http.MethodGet, path: "/join-tokens", tag: "enrolment", need: auth.Admin, summary: "List join tokens", text: "The newest first."}, a.listJoinTokens)
	handle(a, route{
		id: "create-join-token", method: http.MethodPost, path: "/join-tokens", tag: "enrolment", need: auth.Admin, status: http.StatusCreated,
		summary: "Create a join token", text: "The answer shows its text, once: machines enrol with it.",
	}, a.createJoinToken)
	handle(a, route{
		id: "delete-join-token", method: http.MethodDelete, path: "/join-tokens/{id}", tag: "enrolment", need: auth.Admin, status: http.StatusNoContent,
		summary: "Delete a join token", text: "It lets nobody in from now on; who enrolled with it stays.",
	}, a.deleteJoinToken)
	handle(a, route{
		id: "list-enrolments", method: http.MethodGet, path: "/enrolments", tag: "enrolment", need: auth.Admin,
		summary: "List identities", text: "Which key speaks for which node, who waits for approval, and who claims what is not his.",
	}, a.listEnrolments)
	handle(a, route{id: "show-enrolment", method: http.MethodGet, path: "/enrolments/{identity}", tag: "enrolment", need: auth.Admin, summary: "Show an identity"}, a.showEnrolment)
	for _, change := range []struct {
		verb, summary, text string
		do                  func(e Enrolments, ctx context.Context, id fettle.NodeID, caller string) error
	}{
		{"approve", "Approve a machine", "It waits with a key for this identity; from now on it is the node.", Enrolments.Approve},
		{"revoke", "Revoke a node's keys", "Nothing that they sign is taken, and its connection ends. The identity stays bound until it is released.", Enrolments.Revoke},
		{"release", "Release an identity", "Its keys and the claims to it are forgotten: the next machine that asks with a join token has it.", Enrolments.Release},
		{"clear", "Clear the claims to an identity", "They are forgotten, and the node is asked again if it was contested; its key stays.", Enrolments.Clear},
		{"rotate", "Have a node make itself a new key", "At once if it is there, otherwise when it comes back.", Enrolments.Rotate},
	} {
		handle(a, route{
			id: change.verb + "-enrolment", method: http.MethodPost, path: "/enrolments/{identity}/" + change.verb, tag: "enrolment", need: auth.Admin,
			status: http.StatusNoContent, summary: change.summary, text: change.text,
		}, func(ctx context.Context, in *oneIdentity) (*struct{}, error) {
			e, err := a.enrolments()
			if err != nil {
				return nil, err
			}
			id, err := fettle.ParseNodeID(in.Identity)
			if err != nil {
				return nil, err
			}
			return nil, change.do(e, ctx, id, auth.From(ctx).Name)
		})
	}
	handle(a, route{id: "show-server-key", method: http.MethodGet, path: "/server-key", tag: "enrolment", need: auth.Admin, summary: "Show the server's key"}, a.showServerKey)
	handle(a, route{
		id: "rotate-server-key", method: http.MethodPost, path: "/server-key/rotate", tag: "enrolment", need: auth.Admin,
		summary: "Make the server a new key", text: "Nodes believe it at once, by the fleet root, which has to be in the state directory. The old key is believed for a day more.",
	}, a.rotateServerKey)
}

// enrolments gives who may join. ErrUnavailable: nobody can, here.
func (a *rest) enrolments() (Enrolments, error) {
	if a.cfg.Enrolments == nil {
		return nil, fmt.Errorf("no node can enrol here: %w", fettle.ErrUnavailable)
	}
	return a.cfg.Enrolments, nil
}

// contested tells why nothing is asked of a node; empty: it is.
func (a *rest) contested(id fettle.NodeID) string {
	if a.cfg.Enrolments == nil {
		return ""
	}
	return a.cfg.Enrolments.Contested(id)
}

func (a *rest) listJoinTokens(_ context.Context, _ *struct{}) (*output[JoinTokenList], error) {
	e, err := a.enrolments()
	if err != nil {
		return nil, err
	}
	list := JoinTokenList{Tokens: []JoinTokenInfo{}}
	for _, k := range e.Tokens() {
		list.Tokens = append(list.Tokens, a.joinTokenInfo(k))
	}
	return &output[JoinTokenList]{list}, nil
}

// joinTTL is how long a join token lets machines in when nobody says: a forgotten one is worth little.
const joinTTL = 24 * time.Hour

func (a *rest) createJoinToken(ctx context.Context, in *struct{ Body JoinTokenOrder }) (*output[NewJoinToken], error) {
	e, err := a.enrolments()
	if err != nil {
		return nil, err
	}
	ttl := joinTTL
	if in.Body.TTL != "" {
		if ttl, err = parseSpan("ttl", in.Body.TTL); err != nil {
			return nil, err
		}
	}
	o := in.Body
	text, k, err := e.CreateToken(ctx, enrol.TokenOrder{
		Name: o.Name, Uses: o.Uses, TTL: ttl, Pool: o.Pool, Labels: o.Labels, Approval: o.Approval, Caller: auth.From(ctx).Name,
	})
	if err != nil {
		return nil, err
	}
	tell(ctx, k.ID, audit.Details{"name": k.Name, "uses": k.Uses, "expires": moment(k.Expires), "pool": k.Pool, "labels": k.Labels, "approval": k.Approval})
	return &output[NewJoinToken]{NewJoinToken{JoinTokenInfo: a.joinTokenInfo(k), Token: text}}, nil
}

func (a *rest) joinTokenInfo(k enrol.Token) JoinTokenInfo {
	return JoinTokenInfo{
		ID: k.ID, Name: k.Name, Uses: k.Uses, Used: k.Used, Expires: moment(k.Expires), Ended: enrol.Ended(k, fettle.MillisOf(a.cfg.Now())), Pool: k.Pool,
		Labels: k.Labels, Approval: k.Approval, Created: k.Created.Time(), CreatedBy: k.CreatedBy,
	}
}

func (a *rest) deleteJoinToken(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64"`
},
) (*struct{}, error) {
	e, err := a.enrolments()
	if err != nil {
		return nil, err
	}
	return nil, e.DeleteToken(ctx, in.ID, auth.From(ctx).Name)
}

func (a *rest) listEnrolments(_ context.Context, in *enrolmentsIn) (*output[EnrolmentList], error) {
	e, err := a.enrolments()
	if err != nil {
		return nil, err
	}
	page, more := e.List(enrol.Query{State: enrol.KeyState(in.Standing), Contested: in.Contested, After: fettle.NodeID(in.Cursor), Limit: in.Limit})
	list := EnrolmentList{Enrolments: make([]EnrolmentInfo, 0, len(page))}
	for _, m := range page {
		list.Enrolments = append(list.Enrolments, enrolmentInfo(m))
	}
	if more {
		list.Next = string(page[len(page)-1].Node)
	}
	return &output[EnrolmentList]{list}, nil
}

func (a *rest) showEnrolment(_ context.Context, in *oneIdentity) (*output[EnrolmentInfo], error) {
	e, err := a.enrolments()
	if err != nil {
		return nil, err
	}
	id, err := fettle.ParseNodeID(in.Identity)
	if err != nil {
		return nil, err
	}
	m, err := e.Member(id)
	if err != nil {
		return nil, err
	}
	return &output[EnrolmentInfo]{enrolmentInfo(m)}, nil
}

func enrolmentInfo(m enrol.Member) EnrolmentInfo {
	info := EnrolmentInfo{Node: m.Node, Standing: string(m.State), Contested: m.Contested, Keys: make([]NodeKeyInfo, 0, len(m.Keys))}
	if info.Standing == "" {
		info.Standing = "claimed"
	}
	for _, k := range m.Keys {
		info.Keys = append(info.Keys, NodeKeyInfo{
			ID: k.ID, Standing: string(k.State), Token: k.Token, Machine: k.Machine, Agent: k.Agent, Pool: k.Pool, Labels: k.Labels, Created: k.Created.Time(),
			Approved: moment(k.Approved), ApprovedBy: k.ApprovedBy, Rotate: k.Rotate,
		})
	}
	for _, c := range m.Claims {
		info.Claims = append(info.Claims, ClaimInfo{Claim: c.Claim, Machine: c.Machine, Reason: c.Reason, Tries: c.Tries, First: c.First.Time(), Last: c.Last.Time()})
	}
	return info
}

func (a *rest) showServerKey(_ context.Context, _ *struct{}) (*output[ServerKeyInfo], error) {
	e, err := a.enrolments()
	if err != nil {
		return nil, err
	}
	k := e.ServerKey()
	return &output[ServerKeyInfo]{ServerKeyInfo{
		ID: k.ID, Epoch: k.Epoch, MinEpoch: k.MinEpoch, NotBefore: k.NotBefore.Time(), NotAfter: k.NotAfter.Time(), Root: k.Root, RootHere: k.RootHere,
	}}, nil
}

func (a *rest) rotateServerKey(ctx context.Context, in *struct{ Body ServerKeyOrder }) (*output[ServerKeyInfo], error) {
	e, err := a.enrolments()
	if err != nil {
		return nil, err
	}
	if err := e.RotateServerKey(ctx, in.Body.RevokeOld, auth.From(ctx).Name); err != nil {
		return nil, err
	}
	tell(ctx, e.ServerKey().ID, audit.Details{"revoke_old": in.Body.RevokeOld})
	return a.showServerKey(ctx, nil)
}
