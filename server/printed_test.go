package server

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

func TestWhatNodesPrintIsShown(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	for _, node := range []fettle.NodeID{"n0", "n1", "n2"} {
		f.join(node, `{"i":1}`)
	}
	run, err := f.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{Where: `identity != "n2"`}, Timeout: time.Minute, Caller: "test"})
	if err != nil {
		t.Fatal(err)
	}
	task := f.tasks("n0")[0].ID
	printed, err := f.FollowOutput(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	f.say("n1", wire.TypeOutput, wire.Output{Task: task, Stream: "stdout", Seq: 9, Data: []byte("n0 never said this\n")})
	f.say("n0", wire.TypeOutput, wire.Output{Task: task, Stream: "stdout", Seq: 1, Data: []byte("half ")})
	f.say("n0", wire.TypeOutput, wire.Output{Task: task, Stream: "stdout", Seq: 2, Data: []byte("way\n")})
	at := fettle.MillisOf(f.clock.Now())
	want := []Printed{{"n0", "stdout", 1, at, "half "}, {"n0", "stdout", 2, at, "way\n"}}
	if diff := cmp.Diff(want, []Printed{<-printed, <-printed}); diff != "" {
		t.Errorf("as it came:\n%s", diff)
	}

	t.Run("it is stored, and read page by page", func(t *testing.T) {
		first, err := f.RunOutput(t.Context(), run.ID, "n0", Printed{}, 1)
		if diff := cmp.Diff(want[:1], first); err != nil || diff != "" {
			t.Error(err, diff)
		}
		second, err := f.RunOutput(t.Context(), run.ID, "n0", first[0], 1)
		if diff := cmp.Diff(want[1:], second); err != nil || diff != "" {
			t.Error(err, diff)
		}
	})
	t.Run("who was not asked has printed nothing", func(t *testing.T) {
		if _, err := f.RunOutput(t.Context(), run.ID, "n2", Printed{}, 0); !errors.Is(err, fettle.ErrNotFound) {
			t.Error(err)
		}
		if _, err := f.RunOutput(t.Context(), "none", "n0", Printed{}, 0); !errors.Is(err, fettle.ErrNotFound) {
			t.Error(err)
		}
		if _, err := f.FollowOutput(t.Context(), "none"); !errors.Is(err, fettle.ErrNotFound) {
			t.Error(err)
		}
	})
}
