package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// fakeStanding keeps standing runs in memory.
type fakeStanding struct {
	kept []fettle.Standing // one goroutine at a time
}

func (f *fakeFleet) RetryRun(ctx context.Context, id fettle.RunID, caller string, _ server.Asker) (fettle.Run, error) {
	run, err := f.RunByID(ctx, id)
	run.ID, run.RetryOf, run.Caller = "retry", id, caller
	return run, err
}

func (f *fakeStanding) Stand(_ context.Context, o server.StandingOrder) (fettle.Standing, error) {
	st := fettle.Standing{
		Name: o.Name, Action: o.Action, Inputs: o.Inputs, Filter: o.Where, All: o.All, Timeout: o.Timeout.Milliseconds(), Pace: o.Pace, Loop: o.Loop.Milliseconds(),
		Every: o.Every.Milliseconds(), Cron: o.Cron, Zone: o.Zone, Owner: o.Caller, Created: fettle.MillisOf(now), Rev: 1,
	}
	f.kept = append(f.kept, st)
	return st, nil
}

func (f *fakeStanding) StandingRuns(context.Context) []fettle.Standing {
	return f.kept
}

func (f *fakeStanding) StandingRun(ctx context.Context, name string) (fettle.Standing, error) {
	for _, st := range f.StandingRuns(ctx) {
		if st.Name == name {
			return st, nil
		}
	}
	return fettle.Standing{}, fmt.Errorf("there is no standing run %s: %w", name, fettle.ErrNotFound)
}

func (f *fakeStanding) PauseStanding(ctx context.Context, name, caller string) (fettle.Standing, error) {
	st, err := f.StandingRun(ctx, name)
	st.Paused = caller
	return st, err
}

func (f *fakeStanding) ResumeStanding(ctx context.Context, name, _ string) (fettle.Standing, error) {
	return f.StandingRun(ctx, name)
}

func (f *fakeStanding) EndStanding(ctx context.Context, name, _ string) error {
	_, err := f.StandingRun(ctx, name)
	return err
}

func TestStanding(t *testing.T) {
	b := newBench(t, Config{})
	answer := b.ask(auth.Operator, http.MethodPost, "/api/v1/standing", `{"name":"puppet","action":"agent.ping","all":true,"timeout":"20m","loop":"30m","pace":{"concurrency":4,"locks":{"puppet":4}}}`).body
	var got StandingInfo
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	want := StandingInfo{
		Name: "puppet", Action: "agent.ping", Inputs: map[string]any{}, All: true, TimeoutMS: (20 * time.Minute).Milliseconds(), LoopMS: (30 * time.Minute).Milliseconds(),
		Pace: &Pace{Concurrency: 4, Locks: map[string]int{"puppet": 4}}, Owner: "operator", Created: now.UTC(), Rev: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if answer := b.ask(auth.Operator, http.MethodPost, "/api/v1/standing/puppet/pause", "").body; !strings.Contains(answer, `"paused":"operator"`) {
		t.Error(answer)
	}
	for _, one := range []struct {
		body string
		want int
	}{
		{`{"name":"x","action":"agent.ping","all":true,"loop":"soon"}`, http.StatusUnprocessableEntity},
		{`{"name":"x","action":"agent.ping","loop":"30m"}`, http.StatusUnprocessableEntity},
		{`{"action":"agent.ping","all":true,"loop":"30m"}`, http.StatusUnprocessableEntity},
		{`{"name":"x","action":"agent.ping","all":true,"loop":"30m","pace":{"batch_sleep_ms":-1}}`, http.StatusUnprocessableEntity},
	} {
		if got := b.ask(auth.Operator, http.MethodPost, "/api/v1/standing", one.body).status; got != one.want {
			t.Errorf("%s: %d, want %d", one.body, got, one.want)
		}
	}
}
