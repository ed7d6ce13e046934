package server

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// Enroller knows the keys of the nodes. Its methods are called from many goroutines; none but Enrol waits for a disk.
type Enroller interface {
	wire.Verifier
	// OpenEnrol reads an Enrol message and says whether it is worth an answer: ErrDenied or ErrInvalid if it is not.
	OpenEnrol(m wire.Message) (wire.Envelope, wire.Enrol, error)
	// Enrol answers those that OpenEnrol let through. Who is let in is on disk when it returns nil; otherwise nothing was done.
	Enrol(ctx context.Context, from []fettle.NodeID, asked []wire.Enrol) ([]wire.Enrolled, error)
	// Place gives what a node has of its join token. false: it is not enrolled.
	Place(id fettle.NodeID) (pool string, labels map[string]string, enrolled bool)
	// SealKey gives the X25519 public key with which inputs are sealed for a node. ErrNotFound: it has none.
	SealKey(id fettle.NodeID) ([]byte, error)
	// RotationDue tells whether a node is to make itself a new key.
	RotationDue(id fettle.NodeID) bool
	// Contest notes that several agents use the key of one node.
	Contest(id fettle.NodeID, reason string)
	// Contested tells why nothing is to be asked of a node; empty: it may be.
	Contested(id fettle.NodeID) string
}

// opened is a message that was read and verified, and not yet worked on.
type opened struct {
	Incoming
	env    wire.Envelope
	ask    wire.Enrol // of an Enrol that is worth an answer
	asks   bool       // there is one
	err    error      // why it becomes a dead letter
	reason string     // of err, in one word for a counter
}

// Why a message became a dead letter, as counted.
const (
	refusedUnsigned  = "signature" // not signed, by an unknown key, or wrongly
	refusedSender    = "sender"    // in the name of another
	refusedEnrolment = "enrolment"
	refusedContent   = "content"    // nothing that can be read here
	refusedStore     = "unstorable" // the store takes it by no means
	refusedPanic     = "panic"      // the server tripped over it
)

// reasons are all of them.
var reasons = [...]string{refusedUnsigned, refusedSender, refusedEnrolment, refusedContent, refusedStore, refusedPanic}

// openTogether is the number of messages whose signatures are verified together.
const openTogether = 64

// open reads and verifies messages, on all cores: a signature costs more than anything else that is done with a message.
func (s *Server) open(taken []Incoming) []opened {
	out := make([]opened, len(taken))
	share := max(1, min(openTogether, (len(taken)+1)/runtime.GOMAXPROCS(0)))
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), (len(taken)+share-1)/share) {
		wg.Go(func() {
			for i := int(next.Add(int64(share))) - share; i < len(taken); i = int(next.Add(int64(share))) - share {
				s.openSome(taken[i:min(i+share, len(taken))], out[i:])
			}
		})
	}
	wg.Wait()
	return out
}

// openSome reads messages into out.
func (s *Server) openSome(taken []Incoming, out []opened) {
	proofs := s.prove(taken)
	for i, in := range taken {
		out[i] = s.openOne(in, proofs[i])
	}
}

// prove has the signatures of messages verified, those of enrolments apart: they are by keys that nobody knows yet. No proofs at all mean that
// they are to be looked at one by one.
func (s *Server) prove(taken []Incoming) (proofs []*wire.Proof) {
	proofs = make([]*wire.Proof, len(taken))
	defer func() {
		if recover() != nil { // it happens again for the one message that is the reason, which is refused then
			clear(proofs)
		}
	}()
	if s.Verifier == nil {
		return proofs
	}
	var of []int
	var messages []wire.Message
	for i, in := range taken {
		if !s.isEnrolment(in) {
			of, messages = append(of, i), append(messages, in.Message)
		}
	}
	for k, proof := range wire.Prove(messages, s.Verifier) {
		proofs[of[k]] = &proof
	}
	return proofs
}

func (s *Server) isEnrolment(in Incoming) bool {
	return s.Enroller != nil && in.Destination == s.dest.Enrol()
}

// openOne reads a message. A node that was away for long has things to say all the same, so its expiry is not judged here. A message on which
// the server trips is refused like any other: it would come again, and trip the server that was started again.
func (s *Server) openOne(in Incoming, proof *wire.Proof) (o opened) {
	o = opened{Incoming: in}
	defer func() {
		if p := recover(); p != nil {
			o.refuse(refusedPanic, s.panicked(in, p))
		}
	}()
	if s.isEnrolment(in) {
		if o.env, o.ask, o.err = s.Enroller.OpenEnrol(in.Message); o.err != nil {
			o.refuse(refusedEnrolment, o.err)
		} else if in.Sender != "" && string(in.Sender) != o.env.From {
			o.refuse(refusedSender, wrongSender(in.Sender, o.env.From))
		}
		o.asks = o.err == nil
		return o
	}
	var err error
	if proof == nil {
		o.env, err = wire.Open(in.Message, s.Verifier, 0)
	} else {
		o.env, err = proof.Open(in.Message, 0)
	}
	if err != nil {
		reason := refusedContent
		if errors.Is(err, fettle.ErrDenied) {
			reason = refusedUnsigned
		}
		o.refuse(reason, err)
		return o
	}
	if in.Sender != "" && string(in.Sender) != o.env.From {
		o.refuse(refusedSender, wrongSender(in.Sender, o.env.From))
	}
	return o
}

func (o *opened) refuse(reason string, err error) { o.reason, o.err = reason, err }

func wrongSender(sender fettle.NodeID, from string) error {
	return fmt.Errorf("%s sent a message in the name of %s: %w", sender, from, fettle.ErrDenied)
}

// enrol answers the enrolments among messages, and tries again for as long as the store is away. The error is that ctx has ended.
func (s *Server) enrol(ctx context.Context, list []opened) error {
	var from []fettle.NodeID
	var asked []wire.Enrol
	for _, o := range list {
		if o.asks {
			from, asked = append(from, fettle.NodeID(o.env.From)), append(asked, o.ask)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	for wait := retryFirst; ; wait = min(2*wait, retryLast) {
		answers, err := s.Enroller.Enrol(ctx, from, asked)
		if err == nil {
			s.tellEnrolled(ctx, from, asked, answers)
			return nil
		}
		if ctx.Err() == nil {
			s.Log.Error("enrol", "err", err, "messages", len(asked), "retry", wait)
		}
		select {
		case <-ctx.Done():
			return errStopping
		case <-time.After(wait):
		}
	}
}

// tellEnrolled sends the answers: to the queue of the new key, or, where a key is replaced, to the node's own.
func (s *Server) tellEnrolled(ctx context.Context, from []fettle.NodeID, asked []wire.Enrol, answers []wire.Enrolled) {
	for i, answer := range answers {
		dest := s.dest.Join(answer.Key)
		if asked[i].Token == "" {
			dest = s.dest.Node(from[i])
		}
		s.meters.enrolled(answer.Status)
		s.sendTo(ctx, dest, from[i], wire.TypeEnrolled, answer, fettle.MillisOf(s.Now()).Add(welcomeExpiry))
	}
}

// place gives a node what its join token says. It is asked at every hello: an identity that was released may come back by another token.
func (b *batch) place(d *draft) {
	if b.s.Enroller == nil {
		return
	}
	pool, labels, enrolled := b.s.Enroller.Place(d.Identity)
	if !enrolled {
		return
	}
	d.Pools, d.Labels = nil, labels
	if pool != "" {
		d.Pools = []string{pool}
	}
}

// contested tells why nothing is asked of a node; empty: it is.
func (s *Server) contested(id fettle.NodeID) string {
	if s.Enroller == nil {
		return ""
	}
	return s.Enroller.Contested(id)
}

// RotateKey asks a node that is there to make itself a new key at once.
func (s *Server) RotateKey(ctx context.Context, id fettle.NodeID) bool {
	return s.send(ctx, id, wire.TypeAsk, wire.Ask{Rotate: true})
}
