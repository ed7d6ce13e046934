package agent

import (
	"context"
	"maps"
	"runtime"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// greet says hello, once on every connection, as soon as there is something to say.
func (a *Agent) greet() {
	if !a.connected || !a.greeted.IsZero() || a.facts.current.None() && !a.facts.overdue {
		return
	}
	id := wire.NewID()
	a.greeted, a.said = time.Now(), append(a.said[max(0, len(a.said)+1-maxSaid):], id)
	a.facts.listed = true // hello carries the names
	a.plugins = a.actions.Plugins()
	a.sendAs(id, wire.TypeHello, a.dest.Facts(), wire.Hello{
		Session: a.session, Seq: a.facts.seq, FactsHash: a.facts.hello(), ChecksHash: a.checks.hash(),
		Agent: a.info(), Classes: a.facts.classes, Commands: a.facts.commands,
	})
}

func (a *Agent) info() fettle.AgentInfo {
	info := fettle.AgentInfo{Version: a.cfg.Version, OS: runtime.GOOS, Arch: runtime.GOARCH, Plugins: map[string]string{}, Collective: a.cfg.Collective}
	for _, m := range a.actions.Manifests() {
		plugin, _, _ := strings.Cut(m.Name, ".")
		info.Plugins[plugin] = a.cfg.Version
	}
	maps.Copy(info.Plugins, a.actions.Plugins())
	return info
}

// maxSaid is how many hellos may wait for their answer: a server that is behind answers an early one.
const maxSaid = 8

// helloAgain is how often a hello is said that is not answered, in the end: the server may be behind, and each hello costs it an answer.
const helloAgain = time.Minute

// beat says that the node is there; a hello that was not answered is said again instead.
func (a *Agent) beat(ctx context.Context) {
	if err := a.ledger.forget(a.clock.orOwn()); err != nil {
		a.log.Debug("the ledger cannot be tidied", "err", err)
	}
	a.settle(ctx)
	a.replays.Expire(a.clock.now())
	if a.welcomed {
		a.rotateWhenDue()
	}
	switch {
	case !a.connected:
	case a.welcomed:
		a.send(wire.TypeBeat, a.dest.Facts(), wire.Beat{
			Session: a.session, FactsHash: a.facts.told(), ChecksHash: a.checks.hash(),
			Slots: a.cfg.RunSlots + a.cfg.CheckSlots, Busy: a.tasks.busy() + int(a.checks.running.Load()),
			Running: a.running(),
		})
	case time.Since(a.greeted) >= min(a.beatEvery<<min(a.hellos, 6), max(a.beatEvery, helloAgain)):
		a.hellos++
		a.greeted = time.Time{}
	}
}

// send sends what needs no receipt: if it is lost, so is the connection, and hello comes again.
func (a *Agent) send(t wire.Type, dest string, body any) { a.sendAs("", t, dest, body) }

// sendAs is send, with the message's id.
func (a *Agent) sendAs(id string, t wire.Type, dest string, body any) {
	m, err := a.sealAs(id, t, body)
	if err == nil {
		err = a.link.Send(dest, m)
	}
	if err != nil {
		a.log.Debug("not sent", "type", string(t), "err", err)
	}
}

func (a *Agent) seal(t wire.Type, body any) (wire.Message, error) { return a.sealAs("", t, body) }

func (a *Agent) sealAs(id string, t wire.Type, body any) (wire.Message, error) {
	env := a.envelope(t, a.clock.orOwn())
	env.ID = id
	m, err := wire.Seal(env, body, a.self)
	if err != nil {
		return m, err
	}
	m.Life, m.At = life(t), a.clock.now()
	a.meters.sent.Inc()
	return m, nil
}

// life is for how long a broker that is not embedded may keep a message for a server that is away; zero: until it comes. What says how things
// stand is said again, and what was lost of facts is asked for again.
func life(t wire.Type) time.Duration {
	switch t {
	case wire.TypeFetch:
		return time.Minute
	case wire.TypeHello, wire.TypeBeat, wire.TypeAnswer:
		return 5 * time.Minute
	case wire.TypeFacts:
		return 10 * time.Minute
	}
	return 0
}

func (a *Agent) envelope(t wire.Type, at fettle.Millis) wire.Envelope {
	return wire.Envelope{Type: t, From: string(a.cfg.Identity), To: wire.Server, At: at, Collective: a.cfg.Collective}
}
