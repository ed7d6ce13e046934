package server

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/wire"
)

// Bounds of questions that nodes answer themselves.
const (
	defaultLiveTimeout = 10 * time.Second
	maxLiveTimeout     = 5 * time.Minute
	maxLiveQuestions   = 16 // at a time: each has every node collect its facts
	maxLiveReasons     = 100
)

// LiveQuery asks the nodes themselves which of them match.
type LiveQuery struct {
	Where   fettle.Filter // over what a node knows of itself; @names of saved filters within
	Timeout time.Duration // for the last answer; zero: 10 s
	Caller  string
}

// LiveAnswer is what the nodes said. A node that did not answer is in Unanswered, and in none of the others.
type LiveAnswer struct {
	Asked       int             // all nodes there are
	Nodes       []fettle.NodeID // for which the filter is true, sorted
	Undefined   int
	UndefinedBy map[string]int  // why; may add up to more than Undefined
	Unanswered  []fettle.NodeID // sorted
	StoredOnly  []fettle.NodeID // what is stored said yes, and the node did not
	LiveOnly    []fettle.NodeID // the node said yes, and what is stored did not
	Took        time.Duration
}

// liveQuestion is a question that goes on.
type liveQuestion struct {
	roster map[fettle.NodeID]bool // true: it is alive, and its answer is waited for
	done   chan struct{}          // closed when nobody is waited for any more

	mu      sync.Mutex
	answers map[fettle.NodeID]wire.Answer // guarded by mu
	waiting int                           // guarded by mu; nodes that are waited for
}

// liveBook holds the questions that go on.
type liveBook struct {
	mu    sync.Mutex
	going map[string]*liveQuestion // guarded by mu; by the id of the message that asked
}

// FindLive asks every node whether a filter is true for it now. It returns when all that are alive have answered, or when the time is over. The
// nodes collect their facts for it, and publish them where they have changed. ErrInvalid: the filter, also where it reads what only the server knows.
// ErrUnavailable: too many such questions go on.
func (s *Server) FindLive(ctx context.Context, q LiveQuery) (LiveAnswer, error) {
	timeout := orDefault(q.Timeout, defaultLiveTimeout)
	if timeout < 0 || timeout > maxLiveTimeout {
		return LiveAnswer{}, fmt.Errorf("timeout %s is not between 0 and %s: %w", timeout, maxLiveTimeout, fettle.ErrInvalid)
	}
	text, err := s.ExpandFilter(ctx, q.Where)
	if err != nil {
		return LiveAnswer{}, err
	}
	program, err := filter.Compile(filter.OnNode, text)
	if err != nil {
		return LiveAnswer{}, err
	}
	if program.Reads().Uses("checks") {
		return LiveAnswer{}, fmt.Errorf("checks are judged by the server, and nodes cannot be asked for them: %w", fettle.ErrInvalid)
	}
	stored, err := s.roster(ctx, Selection{Where: text})
	if err != nil {
		return LiveAnswer{}, err
	}
	began := time.Now()
	id := wire.NewID()
	question, err := s.live.open(id, s.presence.alive())
	if err != nil {
		return LiveAnswer{}, err
	}
	defer s.live.close(id)
	s.Log.Info("nodes are asked a filter", "filter", text, "user", q.Caller)
	if err := s.Audit.Record(ctx, q.Caller, "nodes.ask", "", audit.Details{"filter": text, "nodes": len(question.roster)}); err != nil {
		return LiveAnswer{}, err
	}
	heard, err := s.broadcast(ctx, id, wire.TypeAsk, wire.Ask{Filter: text}, timeout)
	if err != nil {
		return LiveAnswer{}, err
	}
	if heard {
		if err := question.wait(ctx, timeout); err != nil {
			return LiveAnswer{}, err
		}
	}
	answer := question.sum(stored.Nodes)
	answer.Took = time.Since(began)
	return answer, nil
}

// broadcast sends a message to every node, and tells whether there is anybody to hear it.
func (s *Server) broadcast(ctx context.Context, id string, kind wire.Type, body any, worth time.Duration) (bool, error) {
	now := fettle.MillisOf(s.Now())
	env := wire.Envelope{Type: kind, ID: id, From: identity, At: now, Expires: now.Add(worth), Collective: s.cfg.Collective}
	m, err := wire.Seal(env, body, s.Signer)
	if err != nil {
		return false, err
	}
	delivered, err := s.Send.Send(ctx, s.dest.All(), m)
	if err != nil {
		return false, fmt.Errorf("ask all nodes: %w: %w", err, fettle.ErrUnavailable)
	}
	return delivered != 0, nil
}

// alive gives every node there is, and which of them are alive.
func (p *presence) alive() map[fettle.NodeID]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[fettle.NodeID]bool, len(p.last))
	for id, s := range p.last {
		out[id] = s.liveness == fettle.Alive
	}
	return out
}

func (b *liveBook) open(id string, roster map[fettle.NodeID]bool) (*liveQuestion, error) {
	q := &liveQuestion{roster: roster, done: make(chan struct{}), answers: map[fettle.NodeID]wire.Answer{}}
	for _, alive := range roster {
		if alive {
			q.waiting++
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.going) >= maxLiveQuestions {
		return nil, fmt.Errorf("%d such questions go on already: %w", len(b.going), fettle.ErrUnavailable)
	}
	if b.going == nil {
		b.going = map[string]*liveQuestion{}
	}
	b.going[id] = q
	if q.waiting == 0 {
		close(q.done)
	}
	return q, nil
}

func (b *liveBook) close(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.going, id)
}

// take notes what a node said. An answer to a question that has ended, or a second one, is dropped.
func (b *liveBook) take(from fettle.NodeID, a wire.Answer) {
	b.mu.Lock()
	q := b.going[a.Question]
	b.mu.Unlock()
	if q != nil {
		q.take(from, a)
	}
}

func (q *liveQuestion) take(from fettle.NodeID, a wire.Answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waited, known := q.roster[from]
	if _, again := q.answers[from]; again || !known {
		return
	}
	q.answers[from] = a
	if !waited {
		return
	}
	if q.waiting--; q.waiting == 0 {
		close(q.done)
	}
}

// wait returns when everybody who is alive has answered, or the time is over.
func (q *liveQuestion) wait(ctx context.Context, timeout time.Duration) error {
	over := time.NewTimer(timeout)
	defer over.Stop()
	select {
	case <-q.done:
	case <-over.C:
	case <-ctx.Done():
		return fmt.Errorf("ask the nodes: %w", ctx.Err())
	}
	return nil
}

// sum says what came, beside what is stored.
func (q *liveQuestion) sum(stored []fettle.NodeID) LiveAnswer {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := LiveAnswer{Asked: len(q.roster), UndefinedBy: map[string]int{}}
	was := make(map[fettle.NodeID]bool, len(stored))
	for _, id := range stored {
		was[id] = true
	}
	for id := range q.roster {
		a, answered := q.answers[id]
		truth := answered && a.Truth == filter.True.String()
		switch {
		case !answered:
			out.Unanswered = append(out.Unanswered, id)
			continue
		case truth:
			out.Nodes = append(out.Nodes, id)
		case a.Truth != filter.False.String():
			out.Undefined++
			out.count(a.Missing)
		}
		if truth && !was[id] {
			out.LiveOnly = append(out.LiveOnly, id)
		}
		if !truth && was[id] {
			out.StoredOnly = append(out.StoredOnly, id)
		}
	}
	for _, list := range [][]fettle.NodeID{out.Nodes, out.Unanswered, out.StoredOnly, out.LiveOnly} {
		slices.SortFunc(list, cmp.Compare)
	}
	return out
}

// count adds why a filter is undefined for one node. What nodes say is bounded.
func (a *LiveAnswer) count(missing []string) {
	for _, reason := range missing {
		if _, known := a.UndefinedBy[reason]; !known && len(a.UndefinedBy) >= maxLiveReasons {
			reason = "other reasons"
		}
		a.UndefinedBy[reason]++
	}
}
