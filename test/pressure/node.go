package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/test/sample"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

const (
	patience = 30 * time.Second
	turns    = 6 // documents that a node's facts go round in
)

// message is something to be sent, signed and sealed.
type message struct {
	dest string
	wire.Message
}

// node is one that is enrolled, and has a link.
type node struct {
	id       fettle.NodeID
	keys     trust.NodeKeys
	link     *wire.Link
	session  string
	docs     []wire.Document
	patches  []wire.Patch // from each document to the next
	factsSeq int64
	seq      int64
	up       chan struct{} // closed when it is connected
	once     sync.Once
	answers  chan wire.Enrolled
}

// Connected implements wire.Listener.
func (n *node) Connected(string) { n.once.Do(func() { close(n.up) }) }

// Lost implements wire.Listener.
func (n *node) Lost(error) {}

// Received implements wire.Listener. What the server says is of no interest here, but the answer to an Enrol.
func (n *node) Received(d *wire.Delivery) {
	env, err := wire.Open(d.Message, nil, 0)
	var e wire.Enrolled
	if err == nil && env.Type == wire.TypeEnrolled && env.Decode(&e) == nil {
		select {
		case n.answers <- e:
		default:
		}
	}
}

// fleet is all nodes.
type fleet struct {
	nodes []*node
	house *house
	span  time.Duration
	stop  context.CancelFunc
	links errgroup.Group
}

// newFleet enrols nodes, connects them, and has them say hello and send their facts.
func newFleet(ctx context.Context, s settings, h *house) (*fleet, error) {
	f := &fleet{house: h, span: s.span}
	var run context.Context
	run, f.stop = context.WithCancel(ctx)
	made := sample.NewFleet()
	f.nodes = make([]*node, s.nodes)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(64)
	for i := range f.nodes {
		g.Go(func() (err error) {
			f.nodes[i], err = f.node(ctx, run, made, i)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *fleet) close() error {
	f.stop()
	return f.links.Wait()
}

func (f *fleet) node(ctx, run context.Context, made *sample.Fleet, i int) (*node, error) {
	n := &node{id: fettle.NodeID(fmt.Sprintf("press-%05d.example", i)), session: wire.NewID(), answers: make(chan wire.Enrolled, 1)}
	for turn := range turns {
		doc, err := turned(made.Node(i, 0).Facts, turn)
		if err != nil {
			return nil, err
		}
		n.docs = append(n.docs, doc)
	}
	for k, doc := range n.docs {
		n.patches = append(n.patches, wire.Diff(doc, n.docs[(k+1)%turns]))
	}
	var err error
	if n.keys, err = trust.DeriveNodeKeys(f.house.join.Secret, n.id); err != nil {
		return nil, err
	}
	passcode, err := f.enrol(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("enrol %s: %w", n.id, err)
	}
	dest := wire.Destinations{}
	if err := f.connect(ctx, run, n, string(n.id), passcode, string(n.id), dest.Node(n.id)); err != nil {
		return nil, err
	}
	hello, err := n.seal(wire.TypeHello, wire.Hello{Session: n.session, FactsHash: n.docs[0].Hash, Agent: fettle.AgentInfo{Version: "pressure"}})
	if err != nil {
		return nil, err
	}
	n.factsSeq++
	facts, err := n.seal(wire.TypeFacts, wire.Facts{Session: n.session, Seq: n.factsSeq, Full: n.docs[0].Raw, Hash: n.docs[0].Hash})
	if err != nil {
		return nil, err
	}
	for _, m := range []wire.Message{hello, facts} {
		if err := n.deliver(ctx, message{dest.Facts(), m}); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// turned gives a document with five leaves as they are in a turn: the memory, which is volatile, and one that has a history.
func turned(raw []byte, turn int) (wire.Document, error) {
	var facts map[string]any
	if err := json.Unmarshal(raw, &facts); err != nil {
		return wire.Document{}, err
	}
	facts["memory"] = map[string]any{"system": map[string]any{
		"used": fmt.Sprintf("%d.25 GiB", 10+turn), "used_bytes": (10 + turn) << 30, "available": fmt.Sprintf("%d.75 GiB", 30-turn), "available_bytes": (30 - turn) << 30,
	}}
	facts["processes"] = 200 + turn
	raw, err := json.Marshal(facts)
	if err != nil {
		return wire.Document{}, err
	}
	return wire.Canonical(raw)
}

// connect gives n a link that is connected. It ends with run.
func (f *fleet) connect(ctx, run context.Context, n *node, login, passcode, client, queue string) error {
	cfg := wire.DefaultLink()
	cfg.Servers, cfg.Login, cfg.Passcode, cfg.ClientID = []string{f.house.running.Said("stomp")}, login, passcode, client
	cfg.Dialect, _ = wire.DialectOf("embedded") // there is one
	cfg.Subscriptions = []wire.Subscription{{Destination: queue, Auto: true}}
	n.up, n.once = make(chan struct{}), sync.Once{}
	n.link = wire.NewLink(cfg, n, slog.New(slog.DiscardHandler))
	link := n.link
	f.links.Go(func() error { return link.Run(run) })
	select {
	case <-n.up:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s: no connection within %s", n.id, patience)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enrol gives the passcode with which n logs in.
func (f *fleet) enrol(ctx context.Context, n *node) (passcode string, err error) {
	run, stop := context.WithCancel(ctx)
	defer stop()
	key := n.keys.ID()
	dest := wire.Destinations{}
	if err := f.connect(ctx, run, n, trust.JoinLogin, f.house.join.LoginPasscode(key), trust.JoinClientID(key), dest.Join(key)); err != nil {
		return "", err
	}
	m, err := n.seal(wire.TypeEnrol, wire.Enrol{
		Token: f.house.join.ID, Sign: n.keys.SignPublic(), Seal: n.keys.SealPublic(),
		Proof: trust.EnrolProof(f.house.join.Secret, n.id, n.keys.SignPublic(), n.keys.SealPublic()),
	})
	if err != nil {
		return "", err
	}
	if err := n.link.Send(dest.Enrol(), m); err != nil {
		return "", err
	}
	select {
	case e := <-n.answers:
		if e.Status != wire.EnrolledYes {
			return "", fmt.Errorf("%s: %s", e.Status, e.Reason)
		}
		return n.keys.OpenPasscode(e.Passcode)
	case <-time.After(patience):
		return "", fmt.Errorf("no answer within %s", patience)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (n *node) seal(kind wire.Type, body any) (wire.Message, error) {
	return wire.Seal(wire.Envelope{Type: kind, From: string(n.id), To: wire.Server, At: fettle.MillisOf(time.Now())}, body, n.keys.Signer())
}

// deliver sends a message and waits for its receipt.
func (n *node) deliver(ctx context.Context, m message) error {
	done := make(chan error, 1)
	if err := n.link.Post(m.dest, m.Message, func(err error) { done <- err }); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// patch changes the node's facts from one document to the next.
func (n *node) patch() (message, error) {
	p := n.patches[int(n.factsSeq-1)%turns]
	n.factsSeq++
	p.Seq = n.factsSeq
	m, err := n.seal(wire.TypeFacts, wire.Facts{Session: n.session, Seq: n.factsSeq, Patch: &p})
	return message{wire.Destinations{}.Facts(), m}, err
}

// report makes results of checks, one in forty of which changes its state.
func (n *node) report(together int, revs map[string]int64) (message, error) {
	n.seq++
	body := wire.Results{Session: n.session, Seq: n.seq}
	for i := range together {
		count := int(n.seq)*together + i
		check := fmt.Sprintf("c%d", count%checks)
		code, line := fettle.CodeOK, "OK - load average: 0.31, 0.20, 0.12"
		if count/checks%40 == 39 {
			code, line = fettle.CodeCritical, "CRITICAL - load average: 31.50, 20.11, 9.70"
		}
		value := float64(count % 100)
		body.Results = append(body.Results, fettle.Result{
			Task: fettle.TaskID(wire.NewID()), Node: n.id, Action: "nrpe.check", Message: line, At: fettle.MillisOf(time.Now()), TookMS: 3,
			Check: check, CheckRev: revs[check], Output: &fettle.CheckOutput{Code: code, Line: line, Perfdata: []fettle.Perf{{Label: "load1", Value: &value}}},
		})
	}
	m, err := n.seal(wire.TypeResults, body)
	return message{wire.Destinations{}.Results(), m}, err
}
