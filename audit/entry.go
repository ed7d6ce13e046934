package audit

import (
	"context"
	"encoding/json"

	fettle "github.com/fettle-dev/fettle"
)

// Entry tells what somebody did.
type Entry struct {
	Seq     int64           `json:"seq,omitempty"` // by the store; zero: it has none yet
	At      fettle.Millis   `json:"at"`
	Caller  string          `json:"caller"`            // who; empty: nobody who is known
	Action  string          `json:"action"`            // what: login, token.create, run.start
	Subject string          `json:"subject,omitempty"` // to what: the name of a user, the id of a run
	Details json.RawMessage `json:"details,omitempty"` // a JSON object; nil: nothing to add
}

// Details are what else there is to say of an entry. Secrets do not belong here.
type Details map[string]any

// Origin is where a request came from. It stands in the details of every entry that is made of the request.
type Origin struct {
	Address string // of the caller's machine
	Request string // its id, by which the server's log knows it
}

type originKey struct{}

// With gives a context that carries o.
func With(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// originOf gives the origin that ctx carries; the zero Origin where there is none.
func originOf(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}

// Address gives the address from which the request of ctx came; empty where it is not known.
func Address(ctx context.Context) string { return originOf(ctx).Address }

// Bounds of an entry, in bytes; what is longer is cut.
const (
	maxWord    = 500
	maxDetails = 16 << 10
)

// newEntry makes an entry of what was said, within its bounds.
func newEntry(o Origin, at fettle.Millis, caller, action, subject string, d Details) Entry {
	e := Entry{At: at, Caller: cut(caller, maxWord), Action: cut(action, maxWord), Subject: cut(subject, maxWord)}
	all := Details{}
	for name, v := range d {
		all[name] = v
	}
	if o.Address != "" {
		all["address"] = o.Address
	}
	if o.Request != "" {
		all["request"] = o.Request
	}
	if len(all) == 0 {
		return e
	}
	text, err := json.Marshal(all)
	if err != nil || len(text) > maxDetails {
		left, _ := json.Marshal(Details{"cut": len(text), "address": o.Address, "request": o.Request}) // strings and a number
		text = left
	}
	e.Details = text
	return e
}

// cut gives at most limit bytes of s, whole characters of them, and all of it fit for a line.
func cut(s string, limit int) string {
	out := make([]rune, 0, min(len(s), limit))
	size := 0
	for _, r := range s { // what is not UTF-8 becomes U+FFFD
		if r < ' ' || r == 0x7f {
			r = ' '
		}
		if size += len(string(r)); size > limit {
			return string(out) + "…"
		}
		out = append(out, r)
	}
	return string(out)
}
