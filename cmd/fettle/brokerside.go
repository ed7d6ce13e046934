package main

import (
	"context"
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

// brokerSecret is the login of a program on the embedded broker.
type brokerSecret struct{ login, passcode string }

// keepSecret writes the login of this machine's administrator into a state directory, where it is not there already. The passcode is a join
// token as well: whoever can read the file may let machines in.
func keepSecret(state, token string) (brokerSecret, error) {
	file := filepath.Join(state, secretFile)
	secret := brokerSecret{login: administratorLogin, passcode: token}
	if old, err := readSecret(file); err == nil && old == secret {
		return secret, os.Chmod(file, 0o600)
	}
	return secret, writeSecret(file, []byte(secret.login+":"+secret.passcode+"\n"))
}

// readSecret reads login:passcode from a file.
func readSecret(file string) (brokerSecret, error) {
	raw, err := readBounded(file)
	if err != nil {
		return brokerSecret{}, fmt.Errorf("broker secret %s: %w", file, err)
	}
	login, passcode, ok := strings.Cut(strings.TrimSpace(string(raw)), ":")
	if !ok || login == "" || passcode == "" {
		return brokerSecret{}, fmt.Errorf("broker secret %s: login:passcode ought to stand there: %w", file, fettle.ErrInvalid)
	}
	return brokerSecret{login, passcode}, nil
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
	i.server.Collect(server.Incoming{
		Destination: m.Destination, Message: wire.Message{Body: m.Body, Header: m.Header}, Sender: m.Sender.Node, Done: done,
	})
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
	return o.broker.Publish(destination, m.Header, m.Body)
}
