package agent

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// How long a node waits before it asks again.
const (
	askFirst    = 2 * time.Second // it doubles
	askPending  = time.Minute     // at most, while an operator has to approve it, or nobody answers
	askRefused  = 5 * time.Minute // after a refusal
	joinAgain   = time.Minute     // a node that was enrolled, and is not let in, asks for no longer than this and then tries its own login again
	maxRefusals = 3               // logins that are refused before a node asks to be enrolled again
)

// stay keeps the node linked until ctx ends. It enrols first where that is to be done, and again where the broker does not let it in any more.
func (a *Agent) stay(ctx context.Context) error {
	for ctx.Err() == nil {
		file := a.self.get()
		if !file.Enrolled || a.rejoin.Swap(false) {
			if err := a.join(ctx, file); err != nil {
				return err
			}
			if !a.self.get().Enrolled {
				continue // ctx has ended
			}
		}
		run, stop := context.WithCancel(ctx)
		a.setStop(stop)
		err := a.link.Run(run)
		stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// setStop gives refused what it ends a link with.
func (a *Agent) setStop(stop context.CancelFunc) {
	a.refusals.Store(0)
	a.stopLink.Store(&stop)
}

// refused is called when the broker does not let the node in. After a few times it asks to be enrolled again, if it has something to ask with:
// the server may have lost its login key, or an operator has released the identity.
func (a *Agent) refused(error) {
	if a.refusals.Add(1) < maxRefusals || a.cfg.Join.None() {
		return
	}
	if stop := a.stopLink.Load(); stop != nil {
		a.rejoin.Store(true)
		(*stop)()
	}
}

// identify is who logs in on the node's own connection.
func (a *Agent) identify() wire.LinkIdentity {
	file := a.self.get()
	who := wire.LinkIdentity{Login: string(a.cfg.Identity), Passcode: file.Passcode, ClientID: string(a.cfg.Identity), TLS: a.cfg.believes(file.CA)}
	if a.cfg.Login != "" { // a broker that knows logins of its own
		who.Login, who.Passcode = a.cfg.Login, a.cfg.Passcode
	}
	return who
}

// joiner is the connection on which a node asks to be enrolled.
type joiner struct {
	agent   *Agent
	link    *wire.Link
	keys    trust.NodeKeys
	wake    chan struct{}       // holds a token when there is a new connection
	answers chan *wire.Enrolled // the newest answer
}

// join asks until the node is enrolled or ctx ends. A node that was enrolled before gives up sooner, and tries its own login again.
func (a *Agent) join(ctx context.Context, file trust.NodeFile) error {
	if !file.Enrolled {
		if err := a.self.change(func(*trust.NodeFile) {}); err != nil { // before anybody else has seen the keys
			return err
		}
	} else {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, joinAgain)
		defer cancel()
	}
	j := &joiner{agent: a, keys: file.Keys, wake: make(chan struct{}, 1), answers: make(chan *wire.Enrolled, 1)}
	cfg, err := a.cfg.joining(file.Keys.ID())
	if err != nil {
		return err
	}
	j.link = wire.NewLink(cfg, j, a.log)
	ctx, hangUp := context.WithCancel(ctx)
	var linked sync.WaitGroup
	defer linked.Wait()
	defer hangUp()
	linked.Go(func() { _ = j.link.Run(ctx) }) // it ends with ctx, and without an error
	return j.run(ctx)
}

// run asks and waits for answers.
func (j *joiner) run(ctx context.Context) error {
	wait, said := askFirst, ""
	again := time.NewTimer(askPending)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-j.wake:
			j.ask()
			again.Reset(wait)
		case <-again.C:
			j.ask()
			wait = min(2*wait, askPending)
			again.Reset(wait)
		case e := <-j.answers:
			if e.Status == wire.EnrolledYes {
				return j.agent.enrolled(e, false)
			}
			if text := e.Status + e.Reason; text != said { // the same answer is one line, however often it comes
				said = text
				j.agent.log.Warn("this node is not enrolled yet", "node", string(j.agent.cfg.Identity), "key", j.keys.ID(), "status", e.Status, "err", e.Reason)
			}
			if e.Status == wire.EnrolledRefused {
				again.Reset(askRefused)
			}
		}
	}
}

// ask sends an Enrol. What is lost is asked again.
func (j *joiner) ask() {
	a, keys := j.agent, j.keys
	m, err := wire.Seal(a.envelope(wire.TypeEnrol, fettle.MillisOf(time.Now())), wire.Enrol{
		Token: a.cfg.Join.ID, Sign: keys.SignPublic(), Seal: keys.SealPublic(),
		Proof:   trust.EnrolProof(a.cfg.Join.Secret, a.cfg.Identity, keys.SignPublic(), keys.SealPublic()),
		Machine: a.cfg.Machine.Digest(), Agent: a.info(),
	}, keys.Signer())
	if err == nil {
		err = j.link.Send(a.dest.Enrol(), m)
	}
	if err != nil {
		a.log.Debug("not asked to be enrolled", "err", err)
	}
}

// Connected implements wire.Listener.
func (j *joiner) Connected(string) {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// Lost implements wire.Listener.
func (j *joiner) Lost(error) {}

// Received implements wire.Listener.
func (j *joiner) Received(d *wire.Delivery) {
	a := j.agent
	a.meters.received.Inc()
	e, err := a.readEnrolled(d.Message, j.keys.ID())
	if err != nil {
		a.refuse(err)
		return
	}
	select {
	case <-j.answers: // an answer that nobody has looked at yet makes room
	default:
	}
	select {
	case j.answers <- e:
	default:
	}
}

// readEnrolled opens an answer to Enrol. It is signed by a key that the root in it certified, and that root is the one which the node pinned or
// which its join token names; so the body is read before the signature can be judged, and nothing of it is used until it was.
func (a *Agent) readEnrolled(m wire.Message, keyID string) (*wire.Enrolled, error) {
	env, err := wire.Open(m, nil, 0)
	if err == nil && env.Type != wire.TypeEnrolled {
		err = fmt.Errorf("a %s on the way in: %w", env.Type, fettle.ErrDenied)
	}
	var e wire.Enrolled
	if err == nil {
		err = env.Decode(&e)
	}
	if err != nil {
		return nil, err
	}
	file := a.self.get()
	if file.Enrolled && !ed25519.PublicKey(e.Root).Equal(file.Root) {
		return nil, fmt.Errorf("enrolled: the fleet root is not the one that this node pinned: %w", fettle.ErrDenied)
	} else if !file.Enrolled {
		if err := a.cfg.Join.CheckRoot(e.Root); err != nil {
			return nil, err
		}
	}
	pinned := trust.NewPinned(e.Root, file.MinEpoch, func() (fettle.Millis, bool) { return max(file.Seen, env.At), false })
	if env, err = wire.Open(m, pinned, 0); err != nil {
		return nil, err
	}
	if err := a.addressed(env); err != nil {
		return nil, err
	}
	if e.Key != keyID {
		return nil, fmt.Errorf("enrolled: it is about another key: %w", fettle.ErrDenied)
	}
	return &e, nil
}

// enrolled writes down that the server has taken the keys.
func (a *Agent) enrolled(e *wire.Enrolled, next bool) error {
	if e.Passcode == "" && a.cfg.Login == "" {
		return fmt.Errorf("enrolled: the server gives no passcode: %w", fettle.ErrInvalid)
	}
	passcode := ""
	if e.Passcode != "" {
		keys := a.self.get().Keys
		if next {
			keys = a.self.get().Next
		}
		var err error
		if passcode, err = keys.OpenPasscode(e.Passcode); err != nil {
			return fmt.Errorf("enrolled: %w", err)
		}
	}
	err := a.self.change(func(f *trust.NodeFile) {
		if next {
			f.Before, f.Keys, f.Next, f.Made = f.Keys, f.Next, trust.NodeKeys{}, a.clock.orOwn()
		}
		f.Enrolled, f.Root, f.CA, f.Passcode = true, e.Root, e.CA, passcode
	})
	if err != nil {
		return err
	}
	a.log.Info("enrolled", slog.String("node", string(a.cfg.Identity)), slog.String("key", e.Key))
	return nil
}
