package server

import (
	"context"
	"fmt"
	"slices"
	"sync"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

// Printed is a piece of what a task printed while it ran.
type Printed struct {
	Node   fettle.NodeID
	Stream string // stdout or stderr
	Seq    int64  // within the node and stream, from 1
	At     fettle.Millis
	Text   string
}

// printing knows who follows what the nodes of a run print.
type printing struct {
	mu        sync.Mutex
	followers map[fettle.RunID][]chan Printed // guarded by mu
}

// followerRoom is how many pieces wait for one follower. A follower who is slower than that misses some: the store has them all.
const followerRoom = 256

// FollowOutput gives what the nodes of a run print from now on, as it comes and until ctx ends; what was printed before is RunOutput's. Of a run that
// has ended nothing comes. The channel is never closed. ErrNotFound: there is no such run.
func (s *Server) FollowOutput(ctx context.Context, id fettle.RunID) (<-chan Printed, error) {
	if _, err := s.RunByID(ctx, id); err != nil {
		return nil, err
	}
	follower := make(chan Printed, followerRoom)
	s.printing.add(id, follower)
	context.AfterFunc(ctx, func() { s.printing.remove(id, follower) })
	return follower, nil
}

func (p *printing) add(id fettle.RunID, follower chan Printed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.followers == nil {
		p.followers = map[fettle.RunID][]chan Printed{}
	}
	p.followers[id] = append(p.followers[id], follower)
}

func (p *printing) remove(id fettle.RunID, follower chan Printed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.followers[id] = slices.DeleteFunc(p.followers[id], func(one chan Printed) bool { return one == follower })
	if len(p.followers[id]) == 0 {
		delete(p.followers, id)
	}
}

// runs gives the runs that somebody follows.
func (p *printing) runs() []fettle.RunID {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []fettle.RunID
	for id := range p.followers {
		out = append(out, id)
	}
	return out
}

func (p *printing) tell(id fettle.RunID, piece Printed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, follower := range p.followers[id] {
		select {
		case follower <- piece:
		default:
		}
	}
}

// tellPrinted hands what is stored now to those who follow it. by are the nodes that sent the chunks: what a node says of another one's task is not
// shown.
func (s *Server) tellPrinted(chunks []store.OutputChunk, by []fettle.NodeID) {
	if len(chunks) == 0 {
		return
	}
	for _, id := range s.printing.runs() {
		r := s.runs.get(id)
		if r == nil {
			continue
		}
		for i, c := range chunks {
			if r.taskOf(by[i]) == c.Task {
				s.printing.tell(id, Printed{Node: by[i], Stream: c.Stream, Seq: c.Seq, At: c.Received, Text: c.Body})
			}
		}
	}
}

// taskOf gives the task of a node; empty: it has none.
func (r *liveRun) taskOf(node fettle.NodeID) fettle.TaskID {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.parts[node]; p != nil {
		return p.task
	}
	return ""
}

// RunOutput lists what a node of a run printed while its task ran, by stream and Seq, behind the piece after: the zero Printed for the beginning.
// What ends within a second, and what is longer than a node sends, stands in its result only. ErrNotFound: no such run, or the node was not asked.
func (s *Server) RunOutput(ctx context.Context, id fettle.RunID, node fettle.NodeID, after Printed, limit int) ([]Printed, error) {
	if _, err := s.RunByID(ctx, id); err != nil {
		return nil, err
	}
	tasks, err := s.Store.Tasks(ctx, store.TaskQuery{Node: node, Run: id, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(tasks) == 0 {
		return nil, fmt.Errorf("node %s was not asked in run %s: %w", node, id, fettle.ErrNotFound)
	}
	chunks, err := s.Store.Output(ctx, tasks[0].ID, store.OutputChunk{Stream: after.Stream, Seq: after.Seq}, limit)
	if err != nil {
		return nil, err
	}
	out := make([]Printed, len(chunks))
	for i, c := range chunks {
		out[i] = Printed{Node: node, Stream: c.Stream, Seq: c.Seq, At: c.Received, Text: c.Body}
	}
	return out, nil
}
