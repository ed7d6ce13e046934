package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// fakeLetters has three dead letters, and takes those whose number is odd.
type fakeLetters struct{}

func letters() []server.DeadLetter {
	return []server.DeadLetter{
		{Seq: 3, At: fettle.MillisOf(now), Sender: "web1", Destination: "/queue/fettle.facts", Kind: "denied", Reason: "no signature", Body: []byte("{}"), Header: map[string]string{"a": "b"}},
		{Seq: 2, At: fettle.MillisOf(now), Sender: "web2", Destination: "/queue/fettle.facts", Kind: "invalid", Reason: "no JSON", Body: []byte("text"), Size: 9},
		{Seq: 1, At: fettle.MillisOf(now), Sender: "web2", Destination: "/queue/fettle.facts", Kind: "invalid", Reason: "no JSON", Body: []byte{0, 255}},
	}
}

func (fakeLetters) DeadLetters(_ context.Context, q server.LetterQuery) (out []server.DeadLetter, err error) {
	for _, l := range letters() {
		if (q.Sender == "" || q.Sender == l.Sender) && (q.Before == 0 || l.Seq < q.Before) && len(out) < q.Limit && l.At >= q.Since {
			out = append(out, l)
		}
	}
	return out, nil
}

func (fakeLetters) DeadLetter(_ context.Context, seq int64) (server.DeadLetter, server.LetterEnvelope, error) {
	for _, l := range letters() {
		if l.Seq == seq && seq == 3 {
			return l, server.LetterEnvelope{Type: "hello", ID: "x", From: "web1", At: l.At, Body: json.RawMessage(`{"n":9007199254740993}`)}, nil
		} else if l.Seq == seq {
			return l, server.LetterEnvelope{Fault: "no JSON"}, nil
		}
	}
	return server.DeadLetter{}, server.LetterEnvelope{}, fmt.Errorf("there is no dead letter %d: %w", seq, fettle.ErrNotFound)
}

func (fakeLetters) ReplayDeadLetters(_ context.Context, p server.LetterPick, _ string) (r server.Replayed, _ error) {
	if p.Match != nil {
		p.Seqs = []int64{1, 2, 3}
	}
	for _, seq := range p.Seqs {
		if seq%2 == 0 {
			r.Refused = append(r.Refused, server.LetterRefused{Seq: seq, Reason: "it is even"})
		} else {
			r.Taken++
		}
	}
	return r, nil
}

func (fakeLetters) DeleteDeadLetters(_ context.Context, p server.LetterPick, _ string) (int64, error) {
	return int64(len(p.Seqs)), nil
}

func TestDeadLetters(t *testing.T) {
	b := newBench(t, Config{})
	get := func(path string) string {
		t.Helper()
		a := b.ask(auth.Operator, "GET", path, "")
		if a.status != 200 {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
		return a.body
	}
	sameJSON(t, get("/api/v1/dead-letters?limit=1&sender=web2"), `{"letters":[{"seq":2,"at":"2026-11-21T03:00:00Z","sender":"web2","destination":"/queue/fettle.facts",
		"size":9,"kind":"invalid","reason":"no JSON","whole":false}],"next":"2"}`)
	if got := get("/api/v1/dead-letters?cursor=2"); !strings.Contains(got, `"seq":1`) || strings.Contains(got, `"seq":2`) {
		t.Error(got)
	}
	if got := get("/api/v1/dead-letters?since=1h"); !strings.Contains(got, `"seq":3`) {
		t.Error(got)
	}
	if got := get("/api/v1/dead-letters/3"); !strings.Contains(got, `"n":9007199254740993`) || !strings.Contains(got, `"from":"web1"`) {
		t.Error(got)
	}
	if got := get("/api/v1/dead-letters/2"); !strings.Contains(got, `"text":"text"`) || !strings.Contains(got, `"fault":"no JSON"`) {
		t.Error(got)
	}
	if got := get("/api/v1/dead-letters/1"); !strings.Contains(got, `"body":"AP8="`) {
		t.Error(got)
	}
	for _, row := range []struct {
		role               auth.Role
		method, path, body string
		status             int
		want               string
	}{
		{auth.Viewer, "GET", "/dead-letters", "", 403, ""},
		{auth.Operator, "GET", "/dead-letters/9", "", 404, "no dead letter 9"},
		{auth.Operator, "GET", "/dead-letters?cursor=x", "", 422, "cursor"},
		{auth.Operator, "GET", "/dead-letters?since=x", "", 422, "since"},
		{auth.Operator, "POST", "/dead-letters/replay", `{"match":{}}`, 403, ""},
		{auth.Admin, "POST", "/dead-letters/replay", `{"match":{}}`, 200, `{"taken":2,"refused":[{"seq":2,"reason":"it is even"}]}`},
		{auth.Admin, "POST", "/dead-letters/replay", `{"seqs":[1]}`, 200, `{"taken":1,"refused":[]}`},
		{auth.Admin, "POST", "/dead-letters/replay", `{}`, 422, "either"},
		{auth.Admin, "POST", "/dead-letters/delete", `{"seqs":[1,2]}`, 200, `{"deleted":2}`},
		{auth.Operator, "POST", "/dead-letters/delete", `{"seqs":[1,2]}`, 403, ""},
	} {
		if a := b.ask(row.role, row.method, "/api/v1"+row.path, row.body); a.status != row.status || !strings.Contains(a.body, row.want) {
			t.Errorf("%s %s %s %s: %d %s", row.role, row.method, row.path, row.body, a.status, a.body)
		}
	}
}
