package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// DeadLetterInfo is a message that was taken and could not be used.
type DeadLetterInfo struct {
	Seq         int64     `json:"seq"`
	At          time.Time `json:"at"`
	Sender      string    `json:"sender" doc:"As the broker knew it; empty: it did not say"`
	Destination string    `json:"destination"`
	Size        int64     `json:"size" doc:"Of the message, in bytes"`
	Kind        string    `json:"kind" doc:"signature, sender, enrolment, content, unstorable or panic; empty: of an earlier version"`
	Reason      string    `json:"reason"`
	Whole       bool      `json:"whole" doc:"All of it was kept, so that it can be replayed"`
}

// DeadLetterDetail is a dead letter with what is in it.
type DeadLetterDetail struct {
	DeadLetterInfo
	Header   map[string]string `json:"header" doc:"What it was sent with"`
	Envelope *LetterEnvelope   `json:"envelope,omitempty" doc:"As it says itself; nothing of it was verified. Left out: it cannot be read"`
	Fault    string            `json:"fault,omitempty" doc:"Why the envelope cannot be read"`
	Text     string            `json:"text,omitempty" doc:"The body, where it is text and no envelope"`
	Body     []byte            `json:"body,omitempty" doc:"The body, where it is neither"`
}

// LetterEnvelope is the envelope in a dead letter.
type LetterEnvelope struct {
	Type    string     `json:"type"`
	ID      string     `json:"id"`
	From    string     `json:"from"`
	To      string     `json:"to,omitempty"`
	At      time.Time  `json:"at"`
	Expires *time.Time `json:"expires,omitempty"`
	Body    Object     `json:"body"`
}

// DeadLetterList is a page of dead letters, the newest first.
type DeadLetterList struct {
	Letters []DeadLetterInfo `json:"letters"`
	Next    string           `json:"next"`
}

// LetterMatch says which dead letters are meant. What is left out means all.
type LetterMatch struct {
	Sender string `query:"sender" json:"sender,omitempty" doc:"As the broker knew it" example:"web1.acme.net"`
	Kind   string `query:"kind" json:"kind,omitempty" doc:"signature, sender, enrolment, content, unstorable, panic"`
	Reason string `query:"reason" json:"reason,omitempty" doc:"Text that stands in the reason"`
	Since  string `query:"since" json:"since,omitempty" doc:"RFC 3339, or a span of time until now" example:"2h"`
}

// LetterChoice names dead letters: by their numbers, or all that match.
type LetterChoice struct {
	Seqs  []int64      `json:"seqs,omitempty" maxItems:"10000"`
	Match *LetterMatch `json:"match,omitempty" doc:"Instead of seqs; {} is every dead letter"`
}

// LetterRefusal is a dead letter that was not taken.
type LetterRefusal struct {
	Seq    int64  `json:"seq"`
	Reason string `json:"reason"`
}

// ReplayAnswer tells what became of dead letters that were played again.
type ReplayAnswer struct {
	Taken   int             `json:"taken" doc:"They are deleted"`
	Refused []LetterRefusal `json:"refused" doc:"They stay"`
}

// DeletedLetters tells how many were deleted.
type DeletedLetters struct {
	Deleted int64 `json:"deleted"`
}

type oneLetter struct {
	Seq int64 `path:"seq" minimum:"1"`
}

func (a *rest) letterRoutes() {
	handle(a, route{
		id: "list-dead-letters", method: http.MethodGet, path: "/dead-letters", tag: "broker", need: auth.Operator,
		summary: "List dead letters", text: "Messages that were taken and could not be used, the newest first.",
	}, a.listLetters)
	handle(a, route{
		id: "show-dead-letter", method: http.MethodGet, path: "/dead-letters/{seq}", tag: "broker", need: auth.Operator,
		summary: "Show a dead letter", text: "With its envelope, where it can be read.",
	}, a.showLetter)
	handle(a, route{
		id: "replay-dead-letters", method: http.MethodPost, path: "/dead-letters/replay", tag: "broker", need: auth.Admin, status: http.StatusOK, wait: noLimit,
		summary: "Replay dead letters", text: "They are handed in again as if they came now, verified like everything else, and deleted when they are taken.",
	}, a.replayLetters)
	handle(a, route{
		id: "delete-dead-letters", method: http.MethodPost, path: "/dead-letters/delete", tag: "broker", need: auth.Admin, status: http.StatusOK,
		summary: "Delete dead letters", text: "They are gone.",
	}, a.deleteLetters)
}

// letterKinds are why a message became a dead letter.
var letterKinds = [...]string{"signature", "sender", "enrolment", "content", "unstorable", "panic"}

func (a *rest) letterQuery(m LetterMatch) (server.LetterQuery, error) {
	q := server.LetterQuery{Sender: m.Sender, Kind: m.Kind, Text: m.Reason}
	if m.Kind != "" && !slices.Contains(letterKinds[:], m.Kind) {
		return q, fmt.Errorf("kind %q is none of %s: %w", m.Kind, strings.Join(letterKinds[:], ", "), fettle.ErrInvalid)
	}
	if m.Since == "" {
		return q, nil
	}
	at, err := time.Parse(time.RFC3339, m.Since)
	if err != nil {
		span, err := parseSpan("since", m.Since)
		if err != nil {
			return q, err
		}
		at = a.cfg.Now().Add(-span)
	}
	q.Since = fettle.MillisOf(at)
	return q, nil
}

func letterInfo(l server.DeadLetter) DeadLetterInfo {
	return DeadLetterInfo{
		Seq: l.Seq, At: l.At.Time(), Sender: l.Sender, Destination: l.Destination, Size: max(l.Size, int64(len(l.Body))), Kind: l.Kind, Reason: l.Reason, Whole: l.Whole(),
	}
}

func (a *rest) listLetters(ctx context.Context, in *struct {
	LetterMatch
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" doc:"next of the page before"`
},
) (*output[DeadLetterList], error) {
	q, err := a.letterQuery(in.LetterMatch)
	if err != nil {
		return nil, err
	}
	if in.Cursor != "" {
		if q.Before, err = strconv.ParseInt(in.Cursor, 10, 64); err != nil || q.Before < 1 {
			return nil, fmt.Errorf("cursor: %q is none: %w", in.Cursor, fettle.ErrInvalid)
		}
	}
	q.Limit = in.Limit
	found, err := a.fleet.DeadLetters(ctx, q)
	if err != nil {
		return nil, err
	}
	list := DeadLetterList{Letters: make([]DeadLetterInfo, 0, len(found))}
	for _, l := range found {
		list.Letters = append(list.Letters, letterInfo(l))
	}
	if len(found) == in.Limit {
		list.Next = strconv.FormatInt(found[len(found)-1].Seq, 10)
	}
	return &output[DeadLetterList]{list}, nil
}

func (a *rest) showLetter(ctx context.Context, in *oneLetter) (*output[DeadLetterDetail], error) {
	l, env, err := a.fleet.DeadLetter(ctx, in.Seq)
	if err != nil {
		return nil, err
	}
	d := DeadLetterDetail{DeadLetterInfo: letterInfo(l), Header: orEmpty(l.Header), Fault: env.Fault}
	switch {
	case env.Fault == "":
		d.Envelope = &LetterEnvelope{Type: env.Type, ID: env.ID, From: env.From, To: env.To, At: env.At.Time(), Expires: moment(env.Expires), Body: objectOf(env.Body)}
	case utf8.Valid(l.Body):
		d.Text = string(l.Body)
	default:
		d.Body = l.Body
	}
	return &output[DeadLetterDetail]{d}, nil
}

// objectOf gives an object as it was written, and {} for what is none.
func objectOf(raw json.RawMessage) Object {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return Object("{}")
	}
	return Object(raw)
}

func (a *rest) letterPick(c LetterChoice) (server.LetterPick, error) {
	p := server.LetterPick{Seqs: c.Seqs}
	if (len(c.Seqs) > 0) == (c.Match != nil) {
		return p, fmt.Errorf("say either seqs or match: %w", fettle.ErrInvalid)
	}
	if c.Match != nil {
		q, err := a.letterQuery(*c.Match)
		if err != nil {
			return p, err
		}
		p.Match = &q
	}
	return p, nil
}

func (a *rest) replayLetters(ctx context.Context, in *struct{ Body LetterChoice }) (*output[ReplayAnswer], error) {
	pick, err := a.letterPick(in.Body)
	if err != nil {
		return nil, err
	}
	sum, err := a.fleet.ReplayDeadLetters(ctx, pick, auth.From(ctx).Name)
	if err != nil {
		return nil, err
	}
	tell(ctx, "", audit.Details{"which": in.Body, "taken": sum.Taken, "refused": len(sum.Refused)})
	out := ReplayAnswer{Taken: sum.Taken, Refused: []LetterRefusal{}}
	for _, r := range sum.Refused {
		out.Refused = append(out.Refused, LetterRefusal{Seq: r.Seq, Reason: r.Reason})
	}
	return &output[ReplayAnswer]{out}, nil
}

func (a *rest) deleteLetters(ctx context.Context, in *struct{ Body LetterChoice }) (*output[DeletedLetters], error) {
	pick, err := a.letterPick(in.Body)
	if err != nil {
		return nil, err
	}
	n, err := a.fleet.DeleteDeadLetters(ctx, pick, auth.From(ctx).Name)
	if err != nil {
		return nil, err
	}
	tell(ctx, "", audit.Details{"which": in.Body, "deleted": n})
	return &output[DeletedLetters]{DeletedLetters{Deleted: n}}, nil
}
