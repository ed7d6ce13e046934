package broker

import (
	"strconv"

	"github.com/fettle-dev/fettle/wire"
)

// encoded is a message in the form in which it is sent: all of a MESSAGE frame but its first lines, which differ between subscribers.
type encoded struct {
	id       uint64
	v12, v11 []byte // the same bytes, unless a header holds a carriage return
}

func (e *encoded) tail(v wire.STOMP) []byte {
	if v == wire.STOMP11 {
		return e.v11
	}
	return e.v12
}

// size is what e costs in memory, near enough.
func (e *encoded) size() int { return len(e.v12) + itemOverhead }

// encodeMessage encodes a message to dest once, for however many will receive it. prefix makes its id unlike those of other brokers.
func encodeMessage(prefix string, id uint64, dest string, header []wire.Field, body []byte) *encoded {
	e := &encoded{id: id}
	e.v12 = encodeTail(prefix, id, dest, header, body, wire.STOMP12)
	e.v11 = e.v12
	for _, h := range header {
		if hasCR(h.Name) || hasCR(h.Value) {
			e.v11 = encodeTail(prefix, id, dest, header, body, wire.STOMP11)
			break
		}
	}
	return e
}

func encodeTail(prefix string, id uint64, dest string, header []wire.Field, body []byte, v wire.STOMP) []byte {
	n := len(dest) + len(prefix) + len(body) + 96
	for _, h := range header {
		n += len(h.Name) + len(h.Value) + 4
	}
	b := wire.AppendHeader(make([]byte, 0, n), "destination", dest, v)
	b = append(b, "message-id:"...)
	b = appendMessageID(b, prefix, id)
	b = append(b, '\n')
	for _, h := range header {
		b = wire.AppendHeader(b, h.Name, h.Value, v)
	}
	return wire.AppendBody(b, body)
}

func appendMessageID(b []byte, prefix string, id uint64) []byte {
	b = append(append(b, prefix...), '-')
	return strconv.AppendUint(b, id, 10)
}

func hasCR(s string) bool {
	for i := range len(s) {
		if s[i] == '\r' {
			return true
		}
	}
	return false
}

// messageHeader gives the headers of a message as they are sent on: the first of each name, without those that concern the transport or
// that the broker writes itself.
func messageHeader(header []wire.Field, sender string) []wire.Field {
	out := make([]wire.Field, 0, len(header)+1)
next:
	for _, h := range header {
		switch h.Name {
		case "destination", "content-length", "receipt", "transaction", "message-id", "subscription", "ack",
			"redelivered", "delivery-count", SenderHeader:
			continue
		}
		for _, o := range out {
			if o.Name == h.Name {
				continue next
			}
		}
		out = append(out, h)
	}
	if sender != "" {
		out = append(out, wire.Field{Name: SenderHeader, Value: sender})
	}
	return out
}
