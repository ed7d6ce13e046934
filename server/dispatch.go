package server

import (
	"context"
	"errors"
	"log/slog"
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
	return s.sendTo(ctx, s.dest.Node(to), to, kind, body, expires)
}

// sendTo sends a message to a node that reads another destination than its own queue.
func (s *Server) sendTo(ctx context.Context, dest string, to fettle.NodeID, kind wire.Type, body any, expires fettle.Millis) bool {
	env := wire.Envelope{Type: kind, ID: wire.NewID(), From: identity, To: string(to), At: fettle.MillisOf(s.Now()), Expires: expires, Collective: s.cfg.Collective}
	m, err := wire.Seal(env, body, s.Signer)
	if err != nil {
		s.Log.Error("seal a message", "node", to, "type", kind, "err", err)
		return false
	}
	delivered, err := s.Send.Send(ctx, dest, m)
	if err != nil {
		level := slog.LevelWarn
		if s.Away != nil && errors.Is(err, fettle.ErrUnavailable) {
			level = slog.LevelDebug // that the broker is away is said once, and not for each node
		}
		s.Log.Log(ctx, level, "send", "node", to, "type", kind, "err", err)
		return false
	}
	return delivered != 0
}

// welcome answers a hello: the time, whether the facts are wanted, and then what waits for the node.
func (s *Server) welcome(ctx context.Context, n fettle.Node, h wire.Hello) {
	s.send(ctx, n.Identity, wire.TypeWelcome, wire.Welcome{
		Hello: h.ID, Time: fettle.MillisOf(s.Now()), BeatMS: s.cfg.Beat.Milliseconds(), NeedFacts: n.Hash == "" || n.Hash != h.FactsHash,
	})
	if s.Enroller != nil && s.Enroller.RotationDue(n.Identity) {
		s.RotateKey(ctx, n.Identity)
	}
	s.sendOwed(ctx, n.Identity)
	s.defs.greet(n.Identity, h.ChecksHash)
}

// sendOwed sends what waits for a node; a contested one is asked nothing, and only told what it is not to do.
func (s *Server) sendOwed(ctx context.Context, id fettle.NodeID) {
	contested := s.contested(id) != ""
	for _, r := range s.runs.all() { // every task belongs to one of them; a store need not be asked
		t, cancelled, owed := r.owed(id, s.Now())
		switch {
		case !owed:
		case cancelled:
			s.sendUntil(ctx, id, wire.TypeCancel, wire.Cancel{Tasks: []fettle.TaskID{t.ID}}, t.Expires)
		case contested:
		case s.sendTask(ctx, t):
			s.runs.sent(r, t)
		}
	}
}

// sendTasks sends the tasks of a run, but for those that were cancelled meanwhile. They are stored as sent, because nearly all of them will be:
// a restart has to tell silence from absence. A store that does not learn of the others takes these for silent.
func (s *Server) sendTasks(ctx context.Context, r *liveRun, tasks []fettle.Task) {
	var unsent []fettle.TaskID
	for _, t := range tasks {
		if r.wanted(t.Node) && s.sendTask(ctx, t) {
			r.sent(t)
		} else {
			unsent = append(unsent, t.ID)
		}
	}
	if len(unsent) == 0 {
		return
	}
	if err := s.Store.MarkUnsent(ctx, unsent); err != nil {
		s.Log.Warn("mark tasks as not sent", "run", r.run.ID, "err", err)
	}
}

// sendTask sends a task, at least once in all; the node drops what it has seen. One whose time is over is not sent: it would not be begun.
func (s *Server) sendTask(ctx context.Context, t fettle.Task) bool {
	sent := t.Expires > fettle.MillisOf(s.Now()) && s.sendUntil(ctx, t.Node, wire.TypeTask, s.withArchive(t), t.Expires)
	if sent {
		s.meters.tasksSent.Inc()
	} else {
		s.meters.tasksAway.Inc()
	}
	return sent
}
