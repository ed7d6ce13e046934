package remedy

import (
	"context"
	"errors"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/store"
)

// dying is a fleet whose server is killed when a run is to be started: before it is stored, or after.
type dying struct {
	*server.Server
	after bool
}

var errKilled = errors.New("killed")

func (d dying) StartRun(ctx context.Context, req server.RunRequest) (fettle.Run, error) {
	if d.after {
		if _, err := d.Server.StartRun(ctx, req); err != nil {
			return fettle.Run{}, err
		}
	}
	return fettle.Run{}, errKilled
}

// dead is a store that takes nothing any more, once it was told so.
type dead struct {
	*store.Store
	is bool
}

func (d *dead) UpdateRemedy(ctx context.Context, r store.Remedy, was fettle.RemedyPhase) error {
	if d.is {
		return errKilled
	}
	d.is = true // the note that it runs is the last thing that it takes
	return d.Store.UpdateRemedy(ctx, r, was)
}

// TestKilled: whenever the server is killed, a transition has one run, and no more.
func TestKilled(t *testing.T) {
	for when, after := range map[string]bool{"before the run is stored": false, "after the run is stored": true} {
		t.Run(when, func(t *testing.T) {
			w := newWard(t, fettle.Remedy{}, "n1")
			w.result("n1", fettle.CodeCritical)
			w.cure.Fleet, w.cure.Store = dying{w.Server, after}, &dead{Store: w.db}
			w.cure.Look(t.Context())
			w.again()
			w.pass(2 * time.Minute)
			w.hello()
			w.result("n1", fettle.CodeCritical)
			for range 3 {
				w.look()
			}
			one := w.last("n1", fettle.RemedyRunning, "")
			if n := w.count("n1"); n != 1 {
				t.Errorf("one transition has %d remedies", n)
			}
			runs, _, err := w.Runs(t.Context(), 10, "")
			if err != nil || len(runs) != 1 || runs[0].ID != one.Run {
				t.Errorf("there are the runs %+v, %v", runs, err)
			}
		})
	}
	t.Run("before it was judged", func(t *testing.T) {
		w := newWard(t, fettle.Remedy{}, "n1")
		w.result("n1", fettle.CodeCritical)
		w.again()
		w.pass(2 * time.Minute)
		w.hello()
		w.result("n1", fettle.CodeCritical)
		w.look()
		w.last("n1", fettle.RemedyRunning, "")
		w.asked("n1", 1)
	})
	t.Run("and was away for long: what is old is left alone", func(t *testing.T) {
		w := newWard(t, fettle.Remedy{}, "n1")
		w.result("n1", fettle.CodeCritical)
		w.pass(time.Hour)
		w.again()
		w.pass(2 * time.Minute)
		w.hello()
		w.result("n1", fettle.CodeCritical)
		w.look()
		if n := w.count("n1"); n != 0 {
			t.Errorf("%d were called for", n)
		}
		if n := w.cure.meters.behind.Get(); n != 1 {
			t.Errorf("%d were counted as too old", n)
		}
		w.asked("n1", 0)
	})
	t.Run("and what changes before the server has settled waits", func(t *testing.T) {
		w := newWard(t, fettle.Remedy{}, "n1")
		w.again()
		w.result("n1", fettle.CodeCritical)
		w.look()
		w.last("n1", fettle.RemedyWaiting, kindSettling)
		w.pass(2 * time.Minute)
		w.hello()
		w.look()
		w.last("n1", fettle.RemedyRunning, "")
	})
}

// TestTheCursorThatMovedUnheard: the answer of the store was lost, and the same is judged again.
func TestTheCursorThatMovedUnheard(t *testing.T) {
	w := newWard(t, fettle.Remedy{}, "n1")
	w.result("n1", fettle.CodeCritical)
	w.cure.Store = &deaf{Store: w.db}
	w.cure.Look(t.Context())
	if w.cure.fault == "" {
		t.Fatal("the look went well")
	}
	w.cure.Store = w.db
	w.look()
	w.last("n1", fettle.RemedyRunning, "")
	w.asked("n1", 1)
	if n := w.count("n1"); n != 1 {
		t.Errorf("%d remedies", n)
	}
}

type deaf struct{ *store.Store }

func (d *deaf) JudgeTransitions(ctx context.Context, from, to int64, called []store.Remedy) error {
	if err := d.Store.JudgeTransitions(ctx, from, to, called); err != nil {
		return err
	}
	return fettle.ErrUnavailable
}
