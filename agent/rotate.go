package agent

import (
	"context"
	"time"

	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// rotate makes new keys, if none are on their way, and asks the server to take them. The old ones hold until it has said that it did: whatever
// is killed meanwhile, the key file has keys that the server takes.
func (a *Agent) rotate() {
	file := a.self.get()
	if file.Next.None() {
		next, err := trust.NewNodeKeys()
		if err == nil {
			err = a.self.change(func(f *trust.NodeFile) { f.Next = next })
		}
		if err != nil {
			a.log.Warn("new keys cannot be made", "err", err)
			return
		}
		file.Next = next
	}
	m, err := a.seal(wire.TypeEnrol, wire.Enrol{
		Sign: file.Next.SignPublic(), Seal: file.Next.SealPublic(), KeyProof: trust.KeyProof(file.Next, a.cfg.Identity),
		Machine: a.cfg.Machine.Digest(), Agent: a.info(),
	})
	if err == nil {
		err = a.link.Post(a.dest.Enrol(), m, func(error) {}) // no answer: it is asked again on the next connection
	}
	if err != nil {
		a.log.Debug("not asked to change keys", "err", err)
	}
}

// rotateWhenDue changes keys that are too old, and asks again for those on their way.
func (a *Agent) rotateWhenDue() {
	file := a.self.get()
	old := a.cfg.KeyMaxAge > 0 && time.Duration(a.clock.now().Sub(file.Made)) > a.cfg.KeyMaxAge
	if !file.Next.None() || old {
		a.rotate()
	}
}

// onEnrolled takes the server's answer to rotate. From here on the new keys sign.
func (a *Agent) onEnrolled(_ context.Context, e wire.Enrolled) {
	file := a.self.get()
	if file.Next.None() || e.Key != file.Next.ID() {
		return // an answer that came twice
	}
	if e.Status != wire.EnrolledYes {
		a.log.Warn("the server does not take the new keys", "status", e.Status, "err", e.Reason)
		if e.Status == wire.EnrolledRefused {
			if err := a.self.change(func(f *trust.NodeFile) { f.Next = trust.NodeKeys{} }); err != nil {
				a.log.Warn("the key file cannot be written", "err", err)
			}
		}
		return
	}
	if err := a.enrolled(&e, true); err != nil {
		a.log.Error("the key file cannot be written", "err", err)
	}
}
