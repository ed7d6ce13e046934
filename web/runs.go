package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
)

// runsShown is how many runs a page lists.
const runsShown = 50

// runsPage lists runs, the latest first, and those that come again and again.
type runsPage struct {
	base
	Rows     []runRow
	More     string // link to the next page; empty: this is the last
	Newest   string // link to the first page; empty: this is it
	Standing []standingRow
	Self     string
	Same     []command
}

// runRow is one run of the list.
type runRow struct {
	ID      fettle.RunID
	URL     string
	Action  string
	What    string // the filter, or that it is everybody
	Caller  string
	State   fettle.RunState
	Began   moment
	Took    string
	Bar     tallyBar
	Phase   string // what it does, and what it waits for
	Stopped string
}

// standingRow is one standing run.
type standingRow struct {
	Name, Action, What, When, Owner string
	Paused                          string // who has paused it; empty: nobody
	Next                            moment
	Rounds                          int
	Last                            string // link to its latest round; empty: there was none
	Skipped                         string
	URL                             string // under which its forms are
}

// runs draws the list.
func (s *site) runs(c *gin.Context) error {
	cursor := c.Query("cursor")
	list, next, err := s.fleet.Runs(c.Request.Context(), runsShown, cursor)
	if err != nil {
		return err
	}
	p := runsPage{base: s.base(c, "Runs", "runs"), Self: "/runs", Same: commandsOfRuns(c.Request)}
	for _, r := range list {
		p.Rows = append(p.Rows, s.runRow(r))
	}
	if next != "" {
		p.More = "/runs?cursor=" + url.QueryEscape(next)
	}
	if cursor != "" {
		p.Newest = "/runs"
	} else {
		p.Live, p.Follow = true, "/runs/changes"
		p.Standing = s.standingRows(c)
	}
	if partly(c) {
		return s.draw(c, http.StatusOK, "runs.html", "live", p)
	}
	return s.draw(c, http.StatusOK, "runs.html", "layout", p)
}

func (s *site) runRow(r fettle.Run) runRow {
	row := runRow{
		ID: r.ID, URL: "/runs/" + string(r.ID), Action: r.Action, What: whatOf(r.Filter, r.All), Caller: r.Caller, State: r.State, Began: s.moment(r.Created),
		Bar: runBar(r.Tally), Phase: phaseOf(r), Stopped: r.Stopped,
	}
	until := r.Ended
	if until == 0 {
		until = fettle.MillisOf(s.cfg.Now())
	}
	row.Took = spanOf(until.Sub(r.Created))
	return row
}

// Verdict gives how a run went, in the words that checks have.
func (r runRow) Verdict() fettle.CheckStatus {
	switch {
	case len(r.Bar.Parts) == 1 && r.Bar.Parts[0].Class == "ok":
		return fettle.CheckOK
	case len(r.Bar.Parts) > 0 && r.Bar.Parts[0].Class == "critical":
		return fettle.CheckCritical
	}
	return fettle.CheckUnknown
}

// whatOf says of whom something is asked.
func whatOf(filter fettle.Filter, all bool) string {
	switch {
	case filter != "":
		return cut(string(filter), widestValue)
	case all:
		return "every node"
	}
	return "a roster that was looked at"
}

// phaseOf says what a run does just now; empty: it has ended.
func phaseOf(r fettle.Run) string {
	if r.Ended != 0 {
		return ""
	}
	text := string(r.Phase)
	if r.Batches > 0 {
		text += ", batch " + thousands(r.Batch) + " of " + thousands(r.Batches)
	} else if r.Batch > 0 {
		text += ", batch " + thousands(r.Batch)
	}
	if r.WaitingFor != "" {
		text += ": " + r.WaitingFor
	}
	return text
}

// spanOf writes how long something took.
func spanOf(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.FormatInt(max(0, d.Milliseconds()), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	}
	return strings.TrimSuffix(d.Round(time.Second).String(), "0s")
}

func (s *site) standingRows(c *gin.Context) []standingRow {
	var out []standingRow
	for _, st := range s.fleet.StandingRuns(c.Request.Context()) {
		row := standingRow{
			Name: st.Name, Action: st.Action, What: whatOf(st.Filter, st.All), When: whenOf(st), Owner: st.Owner, Paused: st.Paused, Next: s.moment(st.Next),
			Rounds: int(st.Rounds), Skipped: st.Skipped, URL: "/standing/" + url.PathEscape(st.Name),
		}
		if st.Last != "" {
			row.Last = "/runs/" + string(st.Last)
		}
		out = append(out, row)
	}
	return out
}

// whenOf says when a standing run comes.
func whenOf(st fettle.Standing) string {
	span := func(ms int64) string { return (time.Duration(ms) * time.Millisecond).String() }
	switch {
	case st.Loop != 0:
		return "each node " + span(st.Loop) + " after its last end"
	case st.Every != 0:
		return "every " + span(st.Every)
	}
	return st.Cron + " " + st.Zone
}

// standing does what the form of a standing run says.
func (s *site) standing(do string) handler {
	return func(c *gin.Context) error {
		ctx, name := c.Request.Context(), c.Param("name")
		caller, err := auth.From(ctx).Name, error(nil)
		switch do {
		case opPauseStand:
			_, err = s.fleet.PauseStanding(ctx, name, caller)
		case opResumeStand:
			_, err = s.fleet.ResumeStanding(ctx, name, caller)
		case opEndStand:
			err = s.fleet.EndStanding(ctx, name, caller)
		}
		if err != nil {
			return err
		}
		c.Redirect(http.StatusSeeOther, "/runs")
		return nil
	}
}
