package server

import (
	"context"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// BrokerLost says that a broker which is not ours cannot be reached. Until BrokerBack nobody's silence counts: it is not the nodes that are away.
func (s *Server) BrokerLost() { s.deafen(brokerAway) }

// BrokerBack says that the broker can be reached, also for the first time. The nodes may have kept their connections to it, and say no hello: they are
// asked to, and are told the time then, and whatever nobody knows to have arrived.
func (s *Server) BrokerBack() {
	s.listen(brokerAway)
	select {
	case s.back <- struct{}{}:
	default:
	}
}

// catchUp has the nodes say hello whenever the broker is back, until ctx ends. Those that are silent say it by themselves when they come.
func (s *Server) catchUp(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.back:
		}
		for _, id := range s.presence.identities() {
			if s.presence.liveness(id) != fettle.Silent {
				s.send(ctx, id, wire.TypeAsk, wire.Ask{Hello: true})
			}
		}
	}
}
