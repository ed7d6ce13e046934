package server

import (
	"context"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// identity is what servers call themselves on the wire.
const identity = "server"

// welcomeExpiry is for how long a message that only makes sense now is worth delivering.
const welcomeExpiry = time.Minute

// send puts one message on a node's own queue, and tells whether anybody took it. Failing is no fault of the node's: what has to arrive is
// sent again on its next hello.
func (s *Server) send(ctx context.Context, to fettle.NodeID, kind wire.Type, body any) bool {
	return s.sendUntil(ctx, to, kind, body, fettle.MillisOf(s.Now()).Add(welcomeExpiry))
}

func (s *Server) sendUntil(ctx context.Context, to fettle.NodeID, kind wire.Type, body any, expires fettle.Millis) bool {
	env := wire.Envelope{Type: kind, ID: wire.NewID(), From: identity, To: string(to), At: fettle.MillisOf(s.Now()), Expires: expires, Collective: s.cfg.Collective}
	m, err := wire.Seal(env, body, nil)
	if err != nil {
		s.Log.Error("seal a message", "node", to, "type", kind, "err", err)
		return false
	}
	delivered, err := s.Send.Send(ctx, s.dest.Node(to), m)
	if err != nil {
		s.Log.Warn("send", "node", to, "type", kind, "err", err)
		return false
	}
	return delivered != 0
}

// welcome answers a hello: the time, whether the facts are wanted, and then what waits for the node.
func (s *Server) welcome(ctx context.Context, n fettle.Node, h wire.Hello) {
	s.send(ctx, n.Identity, wire.TypeWelcome, wire.Welcome{
		Time: fettle.MillisOf(s.Now()), BeatMS: s.cfg.Beat.Milliseconds(), NeedFacts: n.Hash == "" || n.Hash != h.FactsHash,
	})
	for _, r := range s.runs.all() { // every task belongs to one of them; a store need not be asked
		t, cancelled, owed := r.owed(n.Identity, s.Now())
		switch {
		case !owed:
		case cancelled:
			s.sendUntil(ctx, n.Identity, wire.TypeCancel, wire.Cancel{Tasks: []fettle.TaskID{t.ID}}, t.Expires)
		case s.sendTask(ctx, t):
			s.runs.sent(t.Run, t)
		}
	}
	s.defs.greet(n.Identity, h.ChecksHash)
}

// sendTasks sends the tasks of a run, but for those that were cancelled meanwhile.
func (s *Server) sendTasks(ctx context.Context, r *liveRun, tasks []fettle.Task) {
	sent := make([]fettle.Task, 0, sentAtOnce)
	for _, t := range tasks {
		if !r.wanted(t.Node) || !s.sendTask(ctx, t) {
			continue
		}
		if sent = append(sent, t); len(sent) == sentAtOnce {
			s.runs.sent(r.run.ID, sent...)
			sent = sent[:0]
		}
	}
	s.runs.sent(r.run.ID, sent...)
}

// sentAtOnce is how many tasks are noted as sent together.
const sentAtOnce = 256

// sendTask sends a task, at least once in all; the node drops what it has seen.
func (s *Server) sendTask(ctx context.Context, t fettle.Task) bool {
	sent := s.sendUntil(ctx, t.Node, wire.TypeTask, t, t.Expires)
	if sent {
		s.meters.tasksSent.Inc()
	} else {
		s.meters.tasksAway.Inc()
	}
	return sent
}
