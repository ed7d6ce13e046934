package server

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// questions gives the ids and the filters that every node was asked so far.
func (f *fleet) questions() (ids []string, filters []fettle.Filter) {
	f.t.Helper()
	f.mail.mu.Lock()
	defer f.mail.mu.Unlock()
	for _, env := range f.mail.sent[f.dest.All()] {
		var body wire.Ask
		if err := env.Decode(&body); err != nil || env.Type != wire.TypeAsk || env.To != "" {
			f.t.Errorf("broadcast %+v, %v", env, err)
		}
		ids, filters = append(ids, env.ID), append(filters, body.Filter)
	}
	return ids, filters
}

// asked waits for the n-th question to every node, from 1, and gives its id.
func (f *fleet) asked(n int) string {
	f.t.Helper()
	f.eventually("the nodes are asked", func() bool { ids, _ := f.questions(); return len(ids) >= n })
	ids, _ := f.questions()
	return ids[n-1]
}

func TestFindLive(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	for _, id := range []fettle.NodeID{"same", "stale", "news"} {
		f.join(id, map[fettle.NodeID]string{"same": `{"v":2}`, "stale": `{"v":2}`, "news": `{"v":1}`}[id])
	}
	f.join("lacks", `{}`)
	f.join("gone", `{"v":2}`)
	f.fallSilent("gone")
	for _, id := range []fettle.NodeID{"same", "stale", "news", "lacks"} {
		f.say(id, wire.TypeHello, wire.Hello{Session: session})
	}
	f.save("two", "facts.v == 2")
	type outcome struct {
		LiveAnswer
		err error
	}
	ask := func(ctx context.Context, q LiveQuery) <-chan outcome {
		out := make(chan outcome, 1)
		go func() { // ends with the question
			a, err := f.FindLive(ctx, q)
			out <- outcome{a, err}
		}()
		return out
	}
	say := func(id fettle.NodeID, question, truth string, missing ...string) {
		f.say(id, wire.TypeAnswer, wire.Answer{Question: question, Truth: truth, Missing: missing})
	}

	t.Run("it ends when all that are alive have answered", func(t *testing.T) {
		going := ask(t.Context(), LiveQuery{Where: "@two", Timeout: time.Minute})
		q := f.asked(1)
		if _, filters := f.questions(); filters[0] != "(facts.v == 2)" {
			t.Errorf("asked %s", filters[0])
		}
		say("same", q, "true")
		say("same", q, "false")
		say("stale", q, "false")
		say("news", q, "true")
		say("stranger", q, "true")
		say("lacks", wire.NewID(), "true")
		say("lacks", q, "undefined", "facts.v")
		got := <-going
		want := LiveAnswer{
			Asked: 5, Nodes: []fettle.NodeID{"news", "same"}, Undefined: 1, UndefinedBy: map[string]int{"facts.v": 1}, Unanswered: []fettle.NodeID{"gone"},
			StoredOnly: []fettle.NodeID{"stale"}, LiveOnly: []fettle.NodeID{"news"},
		}
		if diff := cmp.Diff(want, got.LiveAnswer, cmpopts.IgnoreFields(LiveAnswer{}, "Took")); diff != "" || got.err != nil {
			t.Errorf("%v %s", got.err, diff)
		}
		say("gone", q, "true") // too late
	})
	t.Run("it ends when the time is over", func(t *testing.T) {
		going := ask(t.Context(), LiveQuery{Where: "facts.v == 2", Timeout: 50 * time.Millisecond})
		say("same", f.asked(2), "true")
		if got := <-going; got.err != nil || !slices.Equal(got.Nodes, []fettle.NodeID{"same"}) || len(got.Unanswered) != 4 || len(got.StoredOnly) != 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("it ends when nobody waits any more", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		going := ask(ctx, LiveQuery{Where: "facts.v == 2", Timeout: time.Minute})
		f.asked(3)
		cancel()
		if got := <-going; !errors.Is(got.err, context.Canceled) {
			t.Errorf("%+v", got)
		}
	})
	for about, q := range map[string]LiveQuery{
		"no filter":                   {},
		"what only the server knows":  {Where: `liveness == "alive"`},
		"what only the server judges": {Where: `checks.check_load.status == "ok"`},
		"a time that is too long":     {Where: "true", Timeout: time.Hour},
	} {
		if _, err := f.FindLive(t.Context(), q); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%s: %v", about, err)
		}
	}
	t.Run("no more than so many at a time", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var going []<-chan outcome
		for range maxLiveQuestions {
			going = append(going, ask(ctx, LiveQuery{Where: "true", Timeout: time.Minute}))
		}
		f.asked(3 + maxLiveQuestions)
		if _, err := f.FindLive(ctx, LiveQuery{Where: "true"}); !errors.Is(err, fettle.ErrUnavailable) {
			t.Errorf("one more: %v", err)
		}
		cancel()
		for _, one := range going {
			<-one
		}
	})
	if letters, err := f.Store.DeadLetters(t.Context(), store.LetterQuery{}); err != nil || len(letters) != 0 {
		t.Errorf("dead letters: %+v, %v", letters, err)
	}
}
