package remedy

import (
	"errors"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

func TestARemedyMends(t *testing.T) {
	w := newWard(t, fettle.Remedy{}, "n1")
	w.result("n1", fettle.CodeCritical)
	w.look()
	one := w.last("n1", fettle.RemedyRunning, "")
	w.asked("n1", 1)
	if task := w.mail.of("n1")[0]; task.Action != "service.restart" || task.Inputs["name"] != "web" || task.Caller != "ann" || task.Run != one.Run {
		t.Errorf("the node was asked %+v", task)
	}
	if run, err := w.RunByID(t.Context(), one.Run); err != nil || run.Remedy != one.Check {
		t.Errorf("the run says %q, %v", run.Remedy, err)
	}
	w.look()
	w.answer("n1", fettle.StatusOK)
	w.last("n1", fettle.RemedyWatching, "")
	w.result("n1", fettle.CodeOK)
	w.look()
	if one = w.last("n1", fettle.RemedyMended, ""); one.Ended == 0 || one.Output != "said critical" || one.From != fettle.CheckOK {
		t.Errorf("%+v", one)
	}
	w.look()
	w.asked("n1", 1)
}

func TestWhatIsLeftOut(t *testing.T) {
	w := newWard(t, fettle.Remedy{}, "n1")
	silence, err := w.AddSilence(t.Context(), fettle.Silence{Filter: "true", Expires: fettle.MillisOf(w.clock().Add(time.Hour)), Reason: "works"}, "bob")
	if err != nil {
		t.Fatal(err)
	}
	w.result("n1", fettle.CodeCritical)
	w.look()
	if one := w.last("n1", fettle.RemedySkipped, kindSilenced); !strings.Contains(one.Why, "bob: works") || one.Run != "" {
		t.Errorf("%+v", one)
	}
	t.Run("stays left out when the silence ends", func(t *testing.T) {
		if _, err := w.EndSilence(t.Context(), silence.ID, "bob"); err != nil {
			t.Fatal(err)
		}
		w.look()
		w.asked("n1", 0)
	})
	t.Run("while all remedies are paused", func(t *testing.T) {
		if _, err := w.cure.Pause(t.Context(), Pause{By: "bob"}); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("paused without a reason: %v", err)
		}
		if _, err := w.cure.Pause(t.Context(), Pause{By: "bob", Reason: "migration"}); err != nil {
			t.Fatal(err)
		}
		w.again() // it holds across a restart
		w.pass(2 * time.Minute)
		w.hello()
		w.result("n1", fettle.CodeOK)
		w.result("n1", fettle.CodeCritical)
		w.look()
		w.last("n1", fettle.RemedySkipped, kindPaused)
		if _, err := w.cure.Resume(t.Context(), "", "bob"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.cure.Resume(t.Context(), "", "bob"); !errors.Is(err, fettle.ErrConflict) {
			t.Errorf("resumed twice: %v", err)
		}
	})
	t.Run("for a status that is not named", func(t *testing.T) {
		before := w.count("n1")
		w.result("n1", fettle.CodeWarning)
		w.result("n1", fettle.CodeUnknown)
		w.look()
		if n := w.count("n1"); n != before {
			t.Errorf("%d were judged", n-before)
		}
	})
	t.Run("because the owner is no user any more", func(t *testing.T) {
		if err := w.db.DeleteUser(t.Context(), "ann"); err != nil {
			t.Fatal(err)
		}
		w.result("n1", fettle.CodeOK)
		w.result("n1", fettle.CodeCritical)
		w.look()
		if one := w.last("n1", fettle.RemedySkipped, kindRefused); !strings.Contains(one.Why, "there is no such user") {
			t.Errorf("%+v", one)
		}
		if err := w.people(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("because a policy denies it to the owner", func(t *testing.T) {
		p := server.Policy{Name: "calm", Effect: server.Deny, Actions: []string{"service.*"}, When: `user.name == "ann" && facts.env == "prod"`}
		if _, err := w.SavePolicy(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		w.result("n1", fettle.CodeOK)
		w.result("n1", fettle.CodeCritical)
		w.look()
		if one := w.last("n1", fettle.RemedySkipped, kindRefused); !strings.Contains(one.Why, "policy calm denies it") {
			t.Errorf("%+v", one)
		}
	})
	w.asked("n1", 0)
}

func TestLimits(t *testing.T) {
	w := newWard(t, fettle.Remedy{PerHour: 2, NodesPerHour: "2", Cooldown: fettle.Span(time.Minute)}, "n1", "n2", "n3")
	mend := func(node fettle.NodeID) {
		t.Helper()
		w.answer(node, fettle.StatusOK)
		w.result(node, fettle.CodeOK)
		w.look()
		w.last(node, fettle.RemedyMended, "")
	}
	for _, node := range w.nodes {
		w.result(node, fettle.CodeCritical)
	}
	w.look()
	w.last("n1", fettle.RemedyRunning, "")
	w.last("n2", fettle.RemedyWaiting, kindAtOnce)
	t.Run("the next node waits until the first is mended", func(t *testing.T) {
		w.answer("n1", fettle.StatusOK)
		w.asked("n2", 0)
		w.result("n1", fettle.CodeOK)
		w.look()
		w.look()
		w.last("n2", fettle.RemedyRunning, "")
	})
	t.Run("no more nodes are touched than may be", func(t *testing.T) {
		mend("n2")
		w.last("n3", fettle.RemedySkipped, kindNodes)
	})
	t.Run("a node has to cool down", func(t *testing.T) {
		w.result("n1", fettle.CodeCritical)
		w.look()
		w.last("n1", fettle.RemedyWaiting, kindCooldown)
		w.pass(time.Minute)
		w.hello()
		w.look()
		w.last("n1", fettle.RemedyRunning, "")
		mend("n1")
	})
	t.Run("and has its share in an hour, across a restart", func(t *testing.T) {
		w.again()
		w.pass(2 * time.Minute)
		w.hello()
		w.result("n1", fettle.CodeOK)
		w.result("n1", fettle.CodeCritical)
		w.look()
		w.last("n1", fettle.RemedySkipped, kindPerHour)
	})
}

func TestItStopsWhenItDoesNotMend(t *testing.T) {
	w := newWard(t, fettle.Remedy{GiveUp: 2}, "n1", "n2", "n3")
	for _, node := range w.nodes {
		w.result(node, fettle.CodeCritical)
	}
	w.look()
	w.answer("n1", fettle.StatusFailed)
	if one := w.last("n1", fettle.RemedyFailed, kindRun); one.Why != "failed: it said so" {
		t.Errorf("%+v", one)
	}
	w.look()
	w.answer("n2", fettle.StatusOK)
	w.last("n2", fettle.RemedyWatching, "")
	w.pass(3 * time.Minute)
	w.hello()
	for _, node := range w.nodes {
		w.result(node, fettle.CodeCritical)
	}
	w.look()
	w.last("n2", fettle.RemedyUnmended, kindTime)
	w.look()
	w.last("n3", fettle.RemedySkipped, kindStopped)
	w.asked("n3", 0)
	if held := w.cure.Pauses(); len(held) != 1 || held[0].Check != "web" || !held[0].Stopped {
		t.Fatalf("%+v", held)
	}
	if _, err := w.cure.Resume(t.Context(), "web", "bob"); err != nil {
		t.Fatal(err)
	}
	w.result("n3", fettle.CodeOK)
	w.result("n3", fettle.CodeCritical)
	w.look()
	w.last("n3", fettle.RemedyRunning, "")
}

func TestInputsAreFilledIn(t *testing.T) {
	w := newWard(t, fettle.Remedy{
		Action: "shell.run", Inputs: map[string]any{"command": "logger \"$WHY\"", "env": []any{"WHY={{state.output}} on {{identity}}, was {{state.from}}"}},
	}, "n1")
	w.result("n1", fettle.CodeCritical)
	w.look()
	w.asked("n1", 1)
	if env, _ := w.mail.of("n1")[0].Inputs["env"].([]any); len(env) != 1 || env[0] != "WHY=said critical on n1, was ok" {
		t.Errorf("the node was asked with %v", w.mail.of("n1")[0].Inputs)
	}
	for what, r := range map[string]fettle.Remedy{
		"a shell would read what is filled in": {Action: "shell.run", Inputs: map[string]any{"command": "echo {{state.output}}"}},
		"on_change.inputs":                     {Action: "service.restart", Inputs: map[string]any{"nme": "web"}},
		"on_change.action":                     {Action: "service.restrat"},
		"on_change.inputs.name":                {Action: "service.restart", Inputs: map[string]any{"name": "{{state.}}"}},
		"compositions cannot be run yet":       {Composition: "heal"},
	} {
		def := w.def
		def.OnChange = &r
		_, err := w.SaveCheck(t.Context(), server.CheckChange{Definition: def, Caller: server.Asker{Name: "ann"}, DryRun: true})
		if !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), what) {
			t.Errorf("%+v: %v; want %s", r, err, what)
		}
	}
}
