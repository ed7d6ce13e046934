package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server/auth"
	"github.com/fettle-dev/fettle/server/remedy"
)

// Remedies runs what definitions name when a state has changed; *remedy.Remedies does. Its methods are safe for concurrent use.
type Remedies interface {
	List(ctx context.Context, q remedy.Query) ([]remedy.One, error)            // the newest first
	Get(ctx context.Context, id int64) (remedy.One, error)                     // ErrNotFound
	Of(ctx context.Context, transitions []int64) (map[int64]remedy.One, error) // those of them that called for one
	Pause(ctx context.Context, p remedy.Pause) (remedy.Pause, error)           // ErrConflict: it is paused already; ErrInvalid: without a reason
	Resume(ctx context.Context, check, by string) (remedy.Pause, error)        // ErrConflict: it is not paused
	Pauses() []remedy.Pause                                                    // that of all remedies first
}

// RemedyInfo is what became of a change of a state that called for a remedy.
type RemedyInfo struct {
	ID      int64      `json:"id"`
	Check   string     `json:"check"`
	Node    string     `json:"node"`
	At      time.Time  `json:"at" doc:"When the state changed, by the server's clock"`
	From    string     `json:"from" doc:"Empty: there was no state"`
	To      string     `json:"to"`
	Output  string     `json:"output" doc:"What the state said"`
	Action  string     `json:"action"`
	Owner   string     `json:"owner,omitempty" doc:"With whose rights it was run"`
	Phase   string     `json:"phase" enum:"waiting,running,watching,mended,unmended,failed,skipped" doc:"watching: the run went well, and it is not known yet whether the state becomes ok"`
	Reason  string     `json:"reason,omitempty" doc:"Of why, in one word, such as silenced or cooldown"`
	Why     string     `json:"why,omitempty" doc:"What it waits for, or why it was left out or did not mend"`
	Run     string     `json:"run,omitempty"`
	Started *time.Time `json:"started,omitempty"`
	Ended   *time.Time `json:"ended,omitempty"`
}

// RemedyPause keeps remedies from being started.
type RemedyPause struct {
	Check   string    `json:"check,omitempty" doc:"Left out: all remedies"`
	By      string    `json:"by"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
	Stopped bool      `json:"stopped,omitempty" doc:"It was not a person: too many in a row did not mend"`
}

// RemedyList is a page of remedies, the newest first.
type RemedyList struct {
	Remedies []RemedyInfo  `json:"remedies"`
	Paused   []RemedyPause `json:"paused" doc:"What keeps remedies from being started now"`
	Next     string        `json:"next" doc:"The cursor of the next page; empty: this is the last"`
}

type listRemediesIn struct {
	Check  string `query:"check" maxLength:"100"`
	Node   string `query:"node" maxLength:"253"`
	Phase  string `query:"phase" enum:"waiting,running,watching,mended,unmended,failed,skipped"`
	Since  string `query:"since" doc:"Of states that changed after this moment" example:"2026-11-14T09:00:00Z"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" maxLength:"20"`
}

// OneRemedy is the path of one remedy.
type OneRemedy struct {
	ID int64 `path:"id" minimum:"1" example:"17"`
}

// PauseOrder says which remedies are to be paused or resumed.
type PauseOrder struct {
	Check  string `json:"check,omitempty" maxLength:"100" doc:"Left out: all remedies"`
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"Why, for whoever resumes it; a pause needs one"`
}

func (a *rest) remedyRoutes() {
	handle(a, route{
		id: "list-remedies", method: http.MethodGet, path: "/remedies", tag: "checks", need: auth.Viewer, summary: "List remedies",
		text: "What was run because a state had changed, what came of it, and what was left out and why. The newest first.",
	}, a.listRemedies)
	handle(a, route{
		id: "show-remedy", method: http.MethodGet, path: "/remedies/{id}", tag: "checks", need: auth.Viewer, summary: "Show a remedy",
		text: "Which change called for it, its run, and what came of it.",
	}, a.showRemedy)
	handle(a, route{
		id: "pause-remedies", method: http.MethodPost, path: "/remedies/pause", tag: "checks", need: auth.Operator, summary: "Pause remedies",
		text: "All of them, or those of one check: nothing is started until somebody resumes them. What runs goes on, and what waits is left out.",
	}, a.pauseRemedies)
	handle(a, route{
		id: "resume-remedies", method: http.MethodPost, path: "/remedies/resume", tag: "checks", need: auth.Operator, summary: "Resume remedies",
		text: "Also those of a check that have stopped by themselves. What was left out meanwhile is not made up for.",
	}, a.resumeRemedies)
}

func remedyInfo(r remedy.One) RemedyInfo {
	return RemedyInfo{
		ID: r.Seq, Check: r.Check, Node: string(r.Node), At: r.At.Time(), From: string(r.From), To: string(r.To), Output: r.Output, Action: r.Action, Owner: r.Caller,
		Phase: string(r.Phase), Reason: r.Kind, Why: r.Why, Run: string(r.Run), Started: when(r.Started), Ended: when(r.Ended),
	}
}

func remedyPause(p remedy.Pause) RemedyPause {
	return RemedyPause{Check: p.Check, By: p.By, Reason: p.Reason, At: p.At.Time(), Stopped: p.Stopped}
}

func (a *rest) listRemedies(ctx context.Context, in *listRemediesIn) (*output[RemedyList], error) {
	list := RemedyList{Remedies: []RemedyInfo{}, Paused: []RemedyPause{}}
	if a.cfg.Remedies == nil {
		return &output[RemedyList]{list}, nil
	}
	q := remedy.Query{Check: in.Check, Limit: in.Limit}
	if in.Phase != "" {
		q.Phases = []fettle.RemedyPhase{fettle.RemedyPhase(in.Phase)}
	}
	var err error
	if q.Node, err = readNode(in.Node); err != nil {
		return nil, err
	}
	if q.Since, err = readMoment("since", in.Since); err != nil {
		return nil, err
	}
	if q.Before, err = readCursor(in.Cursor); err != nil {
		return nil, err
	}
	found, err := a.cfg.Remedies.List(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, r := range found {
		list.Remedies = append(list.Remedies, remedyInfo(r))
	}
	if len(found) == in.Limit {
		list.Next = strconv.FormatInt(found[len(found)-1].Seq, 10)
	}
	for _, p := range a.cfg.Remedies.Pauses() {
		list.Paused = append(list.Paused, remedyPause(p))
	}
	return &output[RemedyList]{list}, nil
}

func (a *rest) showRemedy(ctx context.Context, in *OneRemedy) (*output[RemedyInfo], error) {
	if a.cfg.Remedies == nil {
		return nil, fmt.Errorf("there is no remedy %d: %w", in.ID, fettle.ErrNotFound)
	}
	r, err := a.cfg.Remedies.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &output[RemedyInfo]{remedyInfo(r)}, nil
}

func (a *rest) pauseRemedies(ctx context.Context, in *struct{ Body PauseOrder }) (*output[RemedyPause], error) {
	if a.cfg.Remedies == nil {
		return nil, fmt.Errorf("this server runs no remedies: %w", fettle.ErrUnavailable)
	}
	tell(ctx, in.Body.Check, audit.Details{"reason": in.Body.Reason})
	p, err := a.cfg.Remedies.Pause(ctx, remedy.Pause{Check: in.Body.Check, Reason: in.Body.Reason, By: auth.From(ctx).Name})
	if err != nil {
		return nil, err
	}
	return &output[RemedyPause]{remedyPause(p)}, nil
}

func (a *rest) resumeRemedies(ctx context.Context, in *struct{ Body PauseOrder }) (*output[RemedyPause], error) {
	if a.cfg.Remedies == nil {
		return nil, fmt.Errorf("this server runs no remedies: %w", fettle.ErrUnavailable)
	}
	tell(ctx, in.Body.Check, audit.Details{"reason": in.Body.Reason})
	p, err := a.cfg.Remedies.Resume(ctx, in.Body.Check, auth.From(ctx).Name)
	if err != nil {
		return nil, err
	}
	return &output[RemedyPause]{remedyPause(p)}, nil
}

// addRemedies puts beside changes of states what they called for.
func (a *rest) addRemedies(ctx context.Context, past *CheckPast, seqs []int64) error {
	if a.cfg.Remedies == nil {
		return nil
	}
	found, err := a.cfg.Remedies.Of(ctx, seqs)
	if err != nil {
		return err
	}
	for i, seq := range seqs {
		if r, is := found[seq]; is {
			info := remedyInfo(r)
			past.Changes[i].Remedy = &ChangeRemedy{ID: info.ID, Action: info.Action, Phase: info.Phase, Why: info.Why, Run: info.Run}
		}
	}
	return nil
}
