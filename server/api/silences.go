package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// SilenceOrder asks for bad states to be left out of verdicts for a time.
type SilenceOrder struct {
	Where    string     `json:"where,omitempty" doc:"Which nodes, a filter in CEL; where it is undefined nothing is silenced. \"true\" means all"`
	Short    string     `json:"short,omitempty" doc:"Instead: the filter in the short form"`
	Checks   []string   `json:"checks,omitempty" maxItems:"100" doc:"Names, or patterns such as disk_*; left out: all checks"`
	Statuses []string   `json:"statuses,omitempty" enum:"warning,critical,unknown" doc:"Left out: all that are not ok"`
	Reason   string     `json:"reason" maxLength:"1000" doc:"Why, for whoever finds it at night"`
	Starts   *time.Time `json:"starts,omitempty" doc:"Left out: now"`
	Expires  *time.Time `json:"expires,omitempty" doc:"When it ends: this or for"`
	For      string     `json:"for,omitempty" doc:"How long from its start" example:"2h"`
	Cron     string     `json:"cron,omitempty" maxLength:"100" doc:"Makes it a maintenance window that comes again until it ends: minute hour day month weekday" example:"0 2 * * 6"`
	Duration string     `json:"duration,omitempty" doc:"How long each window lasts" example:"2h"`
	Zone     string     `json:"zone,omitempty" maxLength:"100" doc:"Whose clocks cron is about; left out: UTC" example:"Europe/Berlin"`
}

// SilenceInfo is a silence, and where it stands.
type SilenceInfo struct {
	ID         string               `json:"id"`
	Phase      string               `json:"phase" enum:"holds,waits,over"`
	Filter     fettle.Filter        `json:"filter" doc:"In CEL"`
	Checks     []string             `json:"checks" doc:"None: all"`
	Statuses   []fettle.CheckStatus `json:"statuses" doc:"None: all that are not ok"`
	Reason     string               `json:"reason"`
	Author     string               `json:"author"`
	Created    time.Time            `json:"created"`
	Starts     time.Time            `json:"starts"`
	Expires    time.Time            `json:"expires"`
	Until      *time.Time           `json:"until,omitempty" doc:"While it holds: the end of this window"`
	Next       *time.Time           `json:"next,omitempty" doc:"While it waits: when it begins"`
	Nodes      int                  `json:"nodes" doc:"While it holds: for how many nodes"`
	Ended      *time.Time           `json:"ended,omitempty" doc:"Before its time"`
	EndedBy    string               `json:"ended_by,omitempty"`
	Cron       string               `json:"cron,omitempty"`
	DurationMS int64                `json:"duration_ms,omitempty"`
	Zone       string               `json:"zone,omitempty"`
}

// SilenceList is silences, the latest first.
type SilenceList struct {
	Silences []SilenceInfo `json:"silences"`
}

// SilencePreview says what a silence would do.
type SilencePreview struct {
	Nodes     int          `json:"nodes" doc:"For how many its filter is true"`
	Undefined int          `json:"undefined" doc:"For how many it is undefined: they are not silenced"`
	Now       HiddenNow    `json:"now"`
	LastWeek  HiddenBefore `json:"last_week"`
}

// HiddenNow is what a silence would hide if it held now.
type HiddenNow struct {
	Count   int            `json:"count"`
	ByCheck map[string]int `json:"by_check"`
	States  []HiddenState  `json:"states" doc:"The worst first; at most 100"`
}

// HiddenState is a bad state that a silence hides.
type HiddenState struct {
	Check  string             `json:"check"`
	Node   fettle.NodeID      `json:"node"`
	Status fettle.CheckStatus `json:"status"`
	Since  *time.Time         `json:"since,omitempty"`
	Output string             `json:"output"`
}

// HiddenBefore is what a silence would have hidden in the last seven days: changes to a state that it is about, while it would have held.
type HiddenBefore struct {
	Since   time.Time      `json:"since"`
	Count   int            `json:"count"`
	ByCheck map[string]int `json:"by_check"`
	States  []HiddenState  `json:"states" doc:"The newest first; at most 100"`
	Present int            `json:"by_present_facts" doc:"How many of them were judged by the facts of today, because those of their moment cannot be told"`
	More    bool           `json:"more,omitempty" doc:"There are older changes than were looked at"`
}

// OneSilence is the path of one silence.
type OneSilence struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *rest) silenceRoutes() {
	handle(a, route{id: "list-silences", method: http.MethodGet, path: "/silences", tag: "silences", need: auth.Viewer, summary: "List silences", text: "Those that hold or wait, and with over all that are kept: they are for 30 days."}, a.listSilences)
	handle(a, route{id: "show-silence", method: http.MethodGet, path: "/silences/{id}", tag: "silences", need: auth.Viewer, summary: "Show a silence", text: "And where it stands."}, a.showSilence)
	handle(a, route{
		id: "add-silence", method: http.MethodPost, path: "/silences", tag: "silences", need: auth.Operator, status: http.StatusCreated, summary: "Add a silence",
		text: "Bad states that it is about stand beside the counts of verdicts, and have no say in their status, until it ends: it always does.",
	}, a.addSilence)
	handle(a, route{id: "end-silence", method: http.MethodDelete, path: "/silences/{id}", tag: "silences", need: auth.Operator, summary: "End a silence", text: "Before its time. A conflict if it is over."}, a.endSilence)
	handle(a, route{
		id: "preview-silence", method: http.MethodPost, path: "/silences/preview", tag: "silences", need: auth.Viewer, reads: true,
		summary: "Preview a silence", text: "What it would hide now, and what it would have hidden in the last seven days. Nothing is changed.",
	}, a.previewSilence)
}

// silence reads an order.
func (o SilenceOrder) silence(now time.Time) (fettle.Silence, error) {
	where, err := filterOf(o.Where, o.Short)
	if err != nil {
		return fettle.Silence{}, err
	}
	one := fettle.Silence{
		Filter: where, Checks: o.Checks, Reason: strings.TrimSpace(o.Reason), Cron: strings.TrimSpace(o.Cron), Zone: o.Zone, Starts: fettle.MillisOf(now),
	}
	for _, s := range o.Statuses {
		one.Statuses = append(one.Statuses, fettle.CheckStatus(s))
	}
	if o.Starts != nil {
		one.Starts = fettle.MillisOf(*o.Starts)
	}
	span, err := parseSpan("for", o.For)
	if err != nil {
		return one, err
	}
	if (span != 0) == (o.Expires != nil) {
		return one, fmt.Errorf("a silence has an end: say when with expires, or how long with for: %w", fettle.ErrInvalid)
	}
	if one.Expires = one.Starts.Add(span); o.Expires != nil {
		one.Expires = fettle.MillisOf(*o.Expires)
	}
	lasts, err := parseSpan("duration", o.Duration)
	one.Duration = lasts.Milliseconds()
	return one, err
}

func silenceInfo(v server.SilenceView) SilenceInfo {
	return SilenceInfo{
		ID: v.ID, Phase: string(v.Phase), Filter: v.Filter, Checks: orNone(v.Checks), Statuses: orNone(v.Statuses), Reason: v.Reason, Author: v.Author,
		Created: v.Created.Time(), Starts: v.Starts.Time(), Expires: v.Expires.Time(), Until: timeOrNone(v.Until), Next: timeOrNone(v.Next), Nodes: v.Nodes,
		Ended: timeOrNone(v.Ended), EndedBy: v.EndedBy, Cron: v.Cron, DurationMS: v.Duration, Zone: v.Zone,
	}
}

func timeOrNone(m fettle.Millis) *time.Time {
	if m == 0 {
		return nil
	}
	return new(m.Time())
}

func (a *rest) listSilences(ctx context.Context, in *struct {
	Over bool `query:"over" doc:"Also those that are over"`
},
) (*output[SilenceList], error) {
	list := SilenceList{Silences: []SilenceInfo{}}
	for _, v := range a.fleet.Silences(ctx, in.Over) {
		list.Silences = append(list.Silences, silenceInfo(v))
	}
	return &output[SilenceList]{list}, nil
}

func (a *rest) showSilence(ctx context.Context, in *OneSilence) (*output[SilenceInfo], error) {
	v, err := a.fleet.Silence(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &output[SilenceInfo]{silenceInfo(v)}, nil
}

func (a *rest) addSilence(ctx context.Context, in *struct{ Body SilenceOrder }) (*output[SilenceInfo], error) {
	tell(ctx, "", audit.Details{"where": in.Body.Where + in.Body.Short, "checks": in.Body.Checks, "statuses": in.Body.Statuses, "reason": in.Body.Reason, "for": in.Body.For, "cron": in.Body.Cron})
	one, err := in.Body.silence(time.Now())
	if err != nil {
		return nil, err
	}
	v, err := a.fleet.AddSilence(ctx, one, auth.From(ctx).Name)
	if err != nil {
		return nil, err
	}
	tell(ctx, v.ID, audit.Details{"where": v.Filter, "checks": v.Checks, "statuses": v.Statuses, "reason": v.Reason, "expires": v.Expires.Time(), "cron": v.Cron})
	return &output[SilenceInfo]{silenceInfo(v)}, nil
}

func (a *rest) endSilence(ctx context.Context, in *OneSilence) (*output[SilenceInfo], error) {
	v, err := a.fleet.EndSilence(ctx, in.ID, auth.From(ctx).Name)
	if err != nil {
		return nil, err
	}
	return &output[SilenceInfo]{silenceInfo(v)}, nil
}

func (a *rest) previewSilence(ctx context.Context, in *struct{ Body SilenceOrder }) (*output[SilencePreview], error) {
	if in.Body.Reason == "" {
		in.Body.Reason = "preview"
	}
	one, err := in.Body.silence(time.Now())
	if err != nil {
		return nil, err
	}
	p, err := a.fleet.PreviewSilence(ctx, one, auth.From(ctx).Name)
	if err != nil {
		return nil, err
	}
	out := SilencePreview{
		Nodes: p.Nodes, Undefined: p.Undefined,
		Now:      HiddenNow{Count: p.Now.Count, ByCheck: p.Now.ByCheck, States: []HiddenState{}},
		LastWeek: HiddenBefore{Since: p.Before.Since.Time(), Count: p.Before.Count, ByCheck: p.Before.ByCheck, States: []HiddenState{}, Present: p.Before.Present, More: p.Before.More},
	}
	for _, s := range p.Now.States {
		out.Now.States = append(out.Now.States, HiddenState{s.Check, s.Node, s.Status, timeOrNone(s.Since), s.Output})
	}
	for _, t := range p.Before.Transitions {
		out.LastWeek.States = append(out.LastWeek.States, HiddenState{t.Check, t.Node, t.To, timeOrNone(t.At), t.Output})
	}
	return &output[SilencePreview]{out}, nil
}
