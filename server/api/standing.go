package api

import (
	"context"
	"net/http"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// StandingOrder asks for a run that comes again and again: exactly one of loop, every and cron says when.
type StandingOrder struct {
	Name string `json:"name" minLength:"1" maxLength:"64" doc:"Letters, digits, and _ - . within" example:"puppet"`
	RunOrder
	Loop  string `json:"loop,omitempty" doc:"Each node again so long after its last end" example:"30m"`
	Every string `json:"every,omitempty" doc:"A run so often; left out while the last one still goes" example:"24h"`
	Cron  string `json:"cron,omitempty" doc:"A run whenever the five fields say so; left out while the last one still goes" example:"30 4 * * 1-5"`
	Zone  string `json:"zone,omitempty" doc:"Time zone of cron; left out: UTC" example:"Europe/Vienna"`
}

// StandingInfo is a standing run.
type StandingInfo struct {
	Name      string         `json:"name"`
	Action    string         `json:"action"`
	Inputs    map[string]any `json:"inputs"`
	Filter    fettle.Filter  `json:"filter,omitempty" doc:"As it was written: who matches is found anew at each round"`
	All       bool           `json:"all,omitempty"`
	TimeoutMS int64          `json:"timeout_ms"`
	Pace      *Pace          `json:"pace,omitempty"`
	LoopMS    int64          `json:"loop_ms,omitempty"`
	EveryMS   int64          `json:"every_ms,omitempty"`
	Cron      string         `json:"cron,omitempty"`
	Zone      string         `json:"zone,omitempty"`
	Owner     string         `json:"owner" doc:"Whose rights it has, as they are at each round"`
	Created   time.Time      `json:"created"`
	Paused    string         `json:"paused,omitempty" doc:"Who has paused it; left out: nobody"`
	Next      *time.Time     `json:"next,omitempty" doc:"When the next round is due; left out: not known yet, or paused"`
	Rounds    int64          `json:"rounds" doc:"Runs that were started"`
	Last      fettle.RunID   `json:"last,omitempty" doc:"The latest of them"`
	Skipped   string         `json:"skipped,omitempty" doc:"Why a round was left out last"`
	SkippedAt *time.Time     `json:"skipped_at,omitempty"`
	Rev       int64          `json:"rev"`
}

// StandingList is all standing runs, by name.
type StandingList struct {
	Standing []StandingInfo `json:"standing"`
}

// OneStanding is the path of one standing run.
type OneStanding struct {
	Name string `path:"name" maxLength:"64" example:"puppet"`
}

func (a *rest) standingRoutes() {
	handle(a, route{id: "list-standing", method: http.MethodGet, path: "/standing", tag: "runs", need: auth.Viewer, summary: "List standing runs", text: "By name."}, a.listStanding)
	handle(a, route{id: "show-standing", method: http.MethodGet, path: "/standing/{name}", tag: "runs", need: auth.Viewer, summary: "Show a standing run", text: "When it comes, and how it went last."}, a.showStanding)
	handle(a, route{
		id: "start-standing", method: http.MethodPost, path: "/standing", tag: "runs", need: auth.Operator, audited: true, status: http.StatusCreated,
		summary: "Start a standing run", text: "A run that comes again and again, with the rights that its owner has at each round.",
	}, a.startStanding)
	handle(a, route{
		id: "end-standing", method: http.MethodDelete, path: "/standing/{name}", tag: "runs", need: auth.Operator, audited: true, status: http.StatusNoContent,
		summary: "End a standing run", text: "Nobody is asked any more, in a round that goes neither. The rounds that were stay.",
	}, a.endStanding)
	handle(a, route{
		id: "pause-standing", method: http.MethodPost, path: "/standing/{name}/pause", tag: "runs", need: auth.Operator, audited: true,
		summary: "Pause a standing run", text: "Nobody is asked until it is resumed, in a round that goes neither.",
	}, a.pauseStanding)
	handle(a, route{
		id: "resume-standing", method: http.MethodPost, path: "/standing/{name}/resume", tag: "runs", need: auth.Operator, audited: true,
		summary: "Resume a standing run", text: "It goes on; what was due meanwhile is not made up for.",
	}, a.resumeStanding)
}

func standingInfo(st fettle.Standing) StandingInfo {
	return StandingInfo{
		Name: st.Name, Action: st.Action, Inputs: orEmpty(st.Inputs), Filter: st.Filter, All: st.All, TimeoutMS: st.Timeout, Pace: paceInfo(&st.Pace),
		LoopMS: st.Loop, EveryMS: st.Every, Cron: st.Cron, Zone: st.Zone, Owner: st.Owner, Created: st.Created.Time(), Paused: st.Paused, Next: moment(st.Next),
		Rounds: st.Rounds, Last: st.Last, Skipped: st.Skipped, SkippedAt: moment(st.SkippedAt), Rev: st.Rev,
	}
}

func (a *rest) listStanding(ctx context.Context, _ *struct{}) (*output[StandingList], error) {
	list := StandingList{Standing: []StandingInfo{}}
	for _, st := range a.fleet.StandingRuns(ctx) {
		list.Standing = append(list.Standing, standingInfo(st))
	}
	return &output[StandingList]{list}, nil
}

func (a *rest) showStanding(ctx context.Context, in *OneStanding) (*output[StandingInfo], error) {
	return standingOutput(a.fleet.StandingRun(ctx, in.Name))
}

func standingOutput(st fettle.Standing, err error) (*output[StandingInfo], error) {
	if err != nil {
		return nil, err
	}
	return &output[StandingInfo]{standingInfo(st)}, nil
}

func (a *rest) startStanding(ctx context.Context, in *struct{ Body StandingOrder }) (*output[StandingInfo], error) {
	req, err := in.Body.request(ctx)
	if err != nil {
		return nil, err
	}
	o := server.StandingOrder{Name: in.Body.Name, RunRequest: req, Cron: in.Body.Cron, Zone: in.Body.Zone}
	if o.Loop, err = parseSpan("loop", in.Body.Loop); err != nil {
		return nil, err
	}
	if o.Every, err = parseSpan("every", in.Body.Every); err != nil {
		return nil, err
	}
	return standingOutput(a.fleet.Stand(ctx, o))
}

func (a *rest) endStanding(ctx context.Context, in *OneStanding) (*struct{}, error) {
	return nil, a.fleet.EndStanding(ctx, in.Name, auth.From(ctx).Name)
}

func (a *rest) pauseStanding(ctx context.Context, in *OneStanding) (*output[StandingInfo], error) {
	return standingOutput(a.fleet.PauseStanding(ctx, in.Name, auth.From(ctx).Name))
}

func (a *rest) resumeStanding(ctx context.Context, in *OneStanding) (*output[StandingInfo], error) {
	return standingOutput(a.fleet.ResumeStanding(ctx, in.Name, auth.From(ctx).Name))
}
