package main

import (
	"crypto/subtle"
	"fmt"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/enrol"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/broker"
	"github.com/fettle-dev/fettle/wire/trust"
)

// administratorLogin is the login of STATE/broker.secret.
const administratorLogin = "fettle"

// gate decides who may do what on the embedded broker. There are three kinds of client:
//
//   - a machine that joins shows that it knows a join token. It may send to the enrolment queue, and read the answer to its own key, nothing else.
//   - a node has a passcode of its own. It may send to the collecting queues, and read its own queue and the common topic.
//   - a program of this machine's administrator has STATE/broker.secret and no client-id. It may use any destination but read no collecting queue.
type gate struct {
	registry *enrol.Registry
	dest     wire.Destinations
}

var _ broker.Authorizer = gate{}

func (g gate) Login(l broker.Login) (broker.Principal, error) {
	switch {
	case l.Login == trust.JoinLogin && l.ClientID != l.Login:
		keyID, err := g.registry.JoinLogin(l.ClientID, l.Passcode)
		return broker.Principal{Name: trust.JoinClientID(keyID)}, err
	case l.ClientID == "":
		return g.administrator(l)
	}
	id, err := fettle.ParseNodeID(l.ClientID)
	if err != nil {
		return broker.Principal{}, fmt.Errorf("client-id: %w", err)
	}
	if string(id) != l.ClientID || l.Login != l.ClientID {
		return broker.Principal{}, fmt.Errorf("a node logs in with its identity as login and as client-id, once it is enrolled; other programs have no client-id: %w", fettle.ErrDenied)
	}
	return broker.Principal{Node: id, Name: string(id)}, g.registry.NodeLogin(id, l.Passcode)
}

func (g gate) administrator(l broker.Login) (broker.Principal, error) {
	given, want := l.Login+":"+l.Passcode, administratorLogin+":"+g.registry.Local().String()
	if subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
		return broker.Principal{}, fmt.Errorf("login or passcode is wrong: %w", fettle.ErrDenied)
	}
	return broker.Principal{Name: l.Login}, nil
}

// joining gives the key that a client joins with; false: it does not.
func joining(p broker.Principal) (keyID string, is bool) {
	keyID, err := trust.ParseJoinClientID(p.Name)
	return keyID, p.Node == "" && err == nil
}

func (g gate) MaySend(p broker.Principal, dest string) error {
	if _, joins := joining(p); joins {
		if dest == g.dest.Enrol() {
			return nil
		}
		return fmt.Errorf("who joins may send to %s only, not to %s: %w", g.dest.Enrol(), dest, fettle.ErrDenied)
	}
	if p.Node == "" || g.dest.IsCollected(dest) {
		return nil
	}
	return fmt.Errorf("node %s may send to the collecting queues only, not to %s: %w", p.Node, dest, fettle.ErrDenied)
}

func (g gate) MaySubscribe(p broker.Principal, dest string) error {
	keyID, joins := joining(p)
	switch {
	case g.dest.IsCollected(dest):
		return fmt.Errorf("%s is read by the server itself: %w", dest, fettle.ErrDenied)
	case joins && dest == g.dest.Join(keyID):
		return nil
	case joins:
		return fmt.Errorf("who joins may read %s only, not %s: %w", g.dest.Join(keyID), dest, fettle.ErrDenied)
	case p.Node == "" || dest == g.dest.Node(p.Node) || dest == g.dest.All():
		return nil
	}
	return fmt.Errorf("node %s may read its own queue and %s only, not %s: %w", p.Node, g.dest.All(), dest, fettle.ErrDenied)
}
