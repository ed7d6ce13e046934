package web

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// runPage is one run, as it goes on.
type runPage struct {
	base
	runRow
	Pace       []property
	Inputs     []property
	Ended      moment
	Undefined  int
	Refused    []refusedRow
	RetryOf    string // link to the run that this one does again
	Remedy     link   // to the check whose remedy it is
	Standing   string // the standing run of which it is a round
	Failed     []failure
	MoreFailed int
	Answers    []gatheredRow
	Sums       []sumRow
	Left       int // results whose answer is not shown
	Unanswered folded
	Going      bool
	MayRetry   bool
	Self       string
	JSON, CSV  string // links to the results
	Same       []command
}

// refusedRow is a reason for which nodes were not asked.
type refusedRow struct {
	Reason string
	folded
}

// run draws one run; for htmx what changes of it.
func (s *site) run(c *gin.Context) error {
	ctx, id := c.Request.Context(), fettle.RunID(c.Param("id"))
	r, err := s.fleet.RunByID(ctx, id)
	if err != nil {
		return err
	}
	p := runPage{base: s.base(c, r.Action, "runs"), runRow: s.runRow(r), Ended: s.moment(r.Ended), Undefined: r.Undefined, Standing: r.Standing}
	if r.Remedy != "" {
		p.Remedy = link{Label: r.Remedy, URL: checkURL(r.Remedy)}
	}
	p.Going = r.Ended == 0
	p.Self = p.URL
	p.Live, p.Follow = p.Going, p.URL+"/changes"
	p.MayRetry = !p.Going && r.Tally.OK < r.Tally.Roster
	p.JSON, p.CSV = "/api/v1/runs/"+string(id)+"/results", p.URL+"/results.csv"
	if r.RetryOf != "" {
		p.RetryOf = "/runs/" + string(r.RetryOf)
	}
	for name, text := range inputTexts(r.Inputs) {
		p.Inputs = append(p.Inputs, property{name, cut(text, widestValue)})
	}
	p.Pace = paceRows(r.Pace)
	slices.SortFunc(p.Inputs, func(a, b property) int { return natural(a.Name, b.Name) })
	for _, one := range r.Refused {
		f := fold(one.Nodes, 2*foldedWide)
		f.Count, f.More = one.Count, max(f.More, one.Count-len(one.Nodes))
		p.Refused = append(p.Refused, refusedRow{one.Reason, f})
	}
	action := s.actionOf(c, r.Action)
	if err := s.digests.get(id).follow(ctx, s.fleet, id, action, func(d *digest) {
		p.Failed = slices.Clone(fitting(d.failed))
		p.Answers, p.Left = d.gathered()
		p.Sums = d.summaries()
	}); err != nil {
		return err
	}
	p.MoreFailed = max(0, r.Tally.Failed-len(p.Failed))
	if n := r.Tally.Silent + r.Tally.Never; n > 0 || !p.Going {
		if err := s.fillUnanswered(c, &p, id, n); err != nil {
			return err
		}
	}
	p.Same = commandsOfRun(c.Request, id)
	if partly(c) {
		return s.draw(c, http.StatusOK, "run.html", "live", p)
	}
	return s.draw(c, http.StatusOK, "run.html", "layout", p)
}

// failedBytes is how much text of failures a page has, beside the markup: as many as fit are shown in full, and the first in any case.
const failedBytes = 96 << 10

// fitting gives the first failures whose texts fit on a page.
func fitting(list []failure) []failure {
	size := 0
	for i, f := range list {
		size += len(f.Node) + len(f.Message) + len(f.Output)
		for _, row := range f.Rows {
			size += len(row.Name) + len(row.Text)
		}
		if size > failedBytes && i > 0 {
			return list[:i]
		}
	}
	return list
}

func (s *site) fillUnanswered(c *gin.Context, p *runPage, id fettle.RunID, n int) error {
	if n == 0 {
		return nil
	}
	nodes, err := s.fleet.RunSilent(c.Request.Context(), id)
	if err != nil {
		return err
	}
	p.Unanswered = fold(nodes, 6*foldedWide)
	return nil
}

// actionOf gives the manifest of an action; nil: it is not known any more.
func (s *site) actionOf(c *gin.Context, name string) *server.Action {
	list := s.fleet.Actions(c.Request.Context())
	if i := slices.IndexFunc(list, func(a server.Action) bool { return a.Name == name }); i >= 0 {
		return &list[i]
	}
	return nil
}

func (s *site) cancelRun(c *gin.Context) error {
	id := fettle.RunID(c.Param("id"))
	if _, err := s.fleet.CancelRun(c.Request.Context(), id, auth.From(c.Request.Context()).Name); err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/runs/"+string(id))
	return nil
}

func (s *site) retryRun(c *gin.Context) error {
	ctx := c.Request.Context()
	again, err := s.fleet.RetryRun(ctx, fettle.RunID(c.Param("id")), auth.From(ctx).Name, asker(ctx))
	if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/runs/"+string(again.ID))
	return nil
}
