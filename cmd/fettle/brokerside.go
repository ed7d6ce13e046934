package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/broker"
)

// brokerSecret is the login that agents and emulators give the embedded broker, until enrolment gives each node a key of its own.
type brokerSecret struct{ login, passcode string }

// keepSecret reads the secret of a state directory, and makes one at the first start.
func keepSecret(state string) (brokerSecret, error) {
	file := filepath.Join(state, secretFile)
	secret, err := readSecret(file)
	if !errors.Is(err, os.ErrNotExist) {
		return secret, err
	}
	random := make([]byte, 24)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the program instead
	secret = brokerSecret{login: "fettle", passcode: base64.RawURLEncoding.EncodeToString(random)}
	return secret, writeSecret(file, []byte(secret.login+":"+secret.passcode+"\n"))
}

// readSecret reads login:passcode from a file.
func readSecret(file string) (brokerSecret, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return brokerSecret{}, fmt.Errorf("broker secret: %w", err)
	}
	login, passcode, ok := strings.Cut(strings.TrimSpace(string(raw)), ":")
	if !ok || login == "" || passcode == "" {
		return brokerSecret{}, fmt.Errorf("broker secret %s: login:passcode ought to stand there: %w", file, fettle.ErrInvalid)
	}
	return brokerSecret{login, passcode}, nil
}

// gate decides who may do what on the embedded broker. Who knows the secret and says a client-id is that node: it may send to the collecting
// queues, and read its own queue and the common topic. Without a client-id it is a program of the administrator's, and may use any destination
// but read no collecting queue.
type gate struct {
	secret brokerSecret
	dest   wire.Destinations
}

var _ broker.Authorizer = gate{}

func (g gate) Login(l broker.Login) (broker.Principal, error) {
	given, want := l.Login+":"+l.Passcode, g.secret.login+":"+g.secret.passcode
	if subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
		return broker.Principal{}, fmt.Errorf("login or passcode is wrong: %w", fettle.ErrDenied)
	}
	if l.ClientID == "" {
		return broker.Principal{Name: l.Login}, nil
	}
	id, err := fettle.ParseNodeID(l.ClientID)
	if err != nil {
		return broker.Principal{}, fmt.Errorf("client-id: %w", err)
	}
	return broker.Principal{Node: id, Name: string(id)}, nil
}

func (g gate) MaySend(p broker.Principal, dest string) error {
	if p.Node == "" || g.dest.IsCollected(dest) {
		return nil
	}
	return fmt.Errorf("node %s may send to the collecting queues only, not to %s: %w", p.Node, dest, fettle.ErrDenied)
}

func (g gate) MaySubscribe(p broker.Principal, dest string) error {
	switch {
	case g.dest.IsCollected(dest):
		return fmt.Errorf("%s is read by the server itself: %w", dest, fettle.ErrDenied)
	case p.Node == "" || dest == g.dest.Node(p.Node) || dest == g.dest.All():
		return nil
	}
	return fmt.Errorf("node %s may read its own queue and %s only, not %s: %w", p.Node, g.dest.All(), dest, fettle.ErrDenied)
}

// intake hands what the broker collects to the server, and tells it who is there.
type intake struct {
	server *server.Server // set before the broker listens

	mu       sync.Mutex
	sessions map[fettle.NodeID]string // guarded by mu
}

var (
	_ broker.Committer = (*intake)(nil)
	_ broker.Presence  = (*intake)(nil)
)

func (i *intake) Commit(m *broker.Message, done func(error)) {
	out := wire.Message{Body: m.Body, Header: make([]wire.Field, len(m.Header))}
	for k, pair := range m.Header {
		out.Header[k] = wire.Field{Name: pair.Name, Value: pair.Value}
	}
	i.server.Collect(server.Incoming{Destination: m.Destination, Message: out, Sender: m.Sender.Node, Done: done})
}

func (i *intake) Connected(p broker.Principal, session string) {
	i.mu.Lock()
	i.sessions[p.Node] = session
	i.mu.Unlock()
	i.server.Connected(p.Node)
}

func (i *intake) Disconnected(p broker.Principal, session, _ string) {
	i.mu.Lock()
	last := i.sessions[p.Node] == session
	if last {
		delete(i.sessions, p.Node)
	}
	i.mu.Unlock()
	if last {
		i.server.Disconnected(p.Node)
	}
}

// outlet sends what the server says through the embedded broker.
type outlet struct{ broker *broker.Broker }

var _ server.Sender = (*outlet)(nil)

func (o *outlet) Send(_ context.Context, destination string, m wire.Message) (int, error) {
	header := make([]broker.Pair, len(m.Header))
	for k, pair := range m.Header {
		header[k] = broker.Pair{Name: pair.Name, Value: pair.Value}
	}
	return o.broker.Publish(destination, header, m.Body)
}
