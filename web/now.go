package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// Bounds of the page for the night.
const (
	nowShown   = 30  // verdicts that are not ok
	nowOpen    = 3   // of them, that are unfolded: the others are one tap away
	nowWide    = 160 // characters of names
	namedQuiet = 100 // nodes that a silence names one by one: what becomes bad on others is told all the same
)

// nowPage is what is wrong right now, the worst first, and what can be done about it: for a phone, at night, without scripts.
type nowPage struct {
	base
	Items    []nowItem
	Left     int // that are not ok, and not shown
	Well     int // verdicts that are ok
	Fleet    []liveCount
	Quiet    int    // silences that hold
	Silenced string // the id of the silence that was just added; empty: none was
	Until    moment // its end
	What     string // what it silences
	Morning  string
	Same     []command
}

// nowItem is one verdict that is not ok.
type nowItem struct {
	verdictRow
	Open    bool
	Says    string // what most of the worst nodes say
	Runbook string
	Remedy  *remedyShown
	Count   int // nodes, or members, that are not ok
	Silence bool
}

func (s *site) now(c *gin.Context) error {
	ctx := c.Request.Context()
	verdicts, err := s.fleet.Verdicts(ctx)
	if err != nil {
		return err
	}
	abouts, err := s.abouts(ctx)
	if err != nil {
		return err
	}
	p := nowPage{base: s.base(c, "Now", "now"), Morning: fmt.Sprintf("%02d:00 %s", morningHour, s.cfg.Now().Format("MST"))}
	p.Same = []command{{"CLI", "fettle checks list"}, {"REST", curl(c.Request, "/api/v1/verdicts", nil)}}
	ill := slices.DeleteFunc(verdicts, func(v fettle.Verdict) bool { return v.Status == fettle.CheckOK })
	p.Well = len(verdicts) - len(ill)
	slices.SortFunc(ill, func(a, b fettle.Verdict) int {
		return cmp.Or(cmp.Compare(severity(b.Status), severity(a.Status)), cmp.Compare(kindOf(&b), kindOf(&a)), cmp.Compare(ailing(&b), ailing(&a)), natural(a.Check, b.Check))
	})
	p.Left = max(0, len(ill)-nowShown)
	for i := range ill[:min(len(ill), nowShown)] {
		v := &ill[i]
		item := s.nowItem(v, abouts[v.Check])
		item.Open = i < nowOpen
		if err := s.fillRemedy(ctx, item.Name, item.Remedy); err != nil {
			return err
		}
		p.Items = append(p.Items, item)
	}
	s.fillNow(c, &p)
	return s.draw(c, http.StatusOK, "now.html", "bare", p)
}

func (s *site) nowItem(v *fettle.Verdict, a about) nowItem {
	shown := shownAbout(v.Check, a)
	item := nowItem{verdictRow: verdictRow{
		Name: v.Check, URL: checkURL(v.Check), ID: "n-" + v.Check, Kind: kindOf(v), Status: v.Status, Since: s.moment(v.Since), Bar: checkBar(v.Tally),
		Worst: worst(v, nowWide), Reason: v.Reason, bad: ailing(v),
	}, Runbook: shown.Runbook, Remedy: shown.Remedy}
	item.Count, item.Silence = item.bad, item.Kind == fettle.KindCheck && item.bad > 0
	if said, _ := choirs(v); len(said) > 0 {
		item.Says = cut(said[0].text, widestValue)
	}
	return item
}

// fillNow adds what stands around the verdicts.
func (s *site) fillNow(c *gin.Context, p *nowPage) {
	counts := s.fleet.Counts()
	for _, l := range []fettle.Liveness{fettle.Alive, fettle.Late, fettle.Silent} {
		if n := counts[l]; n > 0 {
			p.Fleet = append(p.Fleet, liveCount{Liveness: l, Count: n, URL: question{Columns: defaultColumns(), Where: "liveness == " + quoteCEL(string(l))}.URL()})
		}
	}
	id := c.Query("silenced")
	for _, v := range s.fleet.Silences(c.Request.Context(), false) {
		if v.Phase != server.SilenceHolds {
			continue
		}
		p.Quiet++
		if v.ID == id {
			p.Silenced, p.Until, p.What = id, s.moment(v.Until), strings.Join(v.Checks, ", ")
		}
	}
}

// quiet silences a check on the nodes that are bad now, from the page for the night.
func (s *site) quiet(c *gin.Context) error {
	ctx, check := c.Request.Context(), c.PostForm("check")
	if _, err := s.aboutOf(ctx, check); err != nil {
		return err
	}
	v, err := s.fleet.Verdict(ctx, server.VerdictQuery{Check: check})
	if err != nil {
		return err
	}
	now := s.cfg.Now()
	f := silenceForm{Checks: check, For: c.PostForm("for"), Reason: cmp.Or(strings.TrimSpace(c.PostForm("reason")), "being looked at, since "+now.UTC().Format("15:04 UTC"))}
	one, err := f.silence(badNodes(v), now)
	if err != nil {
		return err
	}
	id, err := s.keepSilence(c, one)
	if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/now?silenced="+url.QueryEscape(id))
	return nil
}

// badNodes gives a filter of the nodes that are not ok in a verdict: one by one where they are few, so that what becomes bad elsewhere is not
// hidden with them.
func badNodes(v fettle.Verdict) fettle.Filter {
	var names []string
	for _, ids := range v.Nodes {
		if len(names)+len(ids) > namedQuiet {
			return everyNode
		}
		for _, id := range ids {
			names = append(names, quoteCEL(string(id)))
		}
	}
	if len(names) == 0 {
		return everyNode
	}
	slices.Sort(names)
	return fettle.Filter("identity in [" + strings.Join(names, ", ") + "]")
}
