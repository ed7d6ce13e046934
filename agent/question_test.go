package agent_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// question asks a filter of every node, and gives the question's id.
func (w *world) question(text fettle.Filter) string {
	id := wire.NewID()
	w.sendAs(wire.Envelope{Type: wire.TypeAsk, ID: id, From: wire.Server, Expires: w.now().Add(10 * time.Second)}, wire.Ask{Filter: text})
	synctest.Wait()
	return id
}

func TestAFilterIsAnsweredByTheFactsAsTheyAre(t *testing.T) {
	run(t, func(w *world) {
		w.question(`facts.os.family == "Debian" && "base" in classes && identity == "` + fettle.Filter(identity) + `" && agent.version == "1.2.3"`)
		w.set("role", "db")
		w.set("load", 9.5)
		w.forget()
		var asked []string
		for _, text := range []fettle.Filter{`facts.role == "db" && facts.load > 9.0`, `facts.role == "web"`, `facts.env == "prod"`, `liveness == "alive"`, `facts.`} {
			asked = append(asked, w.question(text))
		}
		got := all[wire.Answer](w.server, wire.TypeAnswer)
		if len(got) != 5 {
			t.Fatalf("answers: %+v", got)
		}
		for i, truth := range []string{"true", "false", "undefined", "undefined", "undefined"} {
			if a := got[i]; a.Question != asked[i] || a.Truth != truth || (len(a.Missing) > 0) != (truth == "undefined") {
				t.Errorf("answer %d: %+v, want %s", i, a, truth)
			}
		}
		if !slices.Equal(got[2].Missing, []string{"facts.env"}) || !strings.Contains(got[3].Missing[0], "liveness") {
			t.Errorf("reasons: %q, %q", got[2].Missing, got[3].Missing)
		}
		if sent := all[wire.Facts](w.server, wire.TypeFacts); len(sent) == 0 || sent[0].Patch == nil || len(sent[0].Patch.Set) != 2 {
			t.Errorf("the server was not told what was found: %+v", sent)
		}
	})
}

func TestAQuestionThatNobodyWaitsForIsNotAnswered(t *testing.T) {
	run(t, func(w *world) {
		w.pass(time.Second)
		w.hang = true
		w.forget()
		for range 30 {
			w.question("true")
		}
		w.pass(time.Minute)
		if got := all[wire.Answer](w.server, wire.TypeAnswer); len(got) != 0 {
			t.Errorf("answers: %+v", got)
		}
	})
}
