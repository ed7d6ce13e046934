package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// checkPage is one check, or one group: what is wrong, since when, how many, where, and what is to be done.
type checkPage struct {
	base
	Name     string
	Verdict  fettle.Verdict
	Since    moment
	Bar      tallyBar
	About    aboutShown
	Answers  []answers // what the nodes say that are not ok, gathered
	Left     int       // nodes that are not ok, and of which the answer is not shown
	Members  []memberRow
	By       byFact
	Nodes    []link // to the nodes by status, in the explorer
	Edit     string // link to its definition
	History  string // link to what changed
	Silence  string // link to the form that silences it; empty: it is a group that one silence cannot hush
	Silences []silencedBy
	Silenced folded
	Shadowed folded
	Asked    bool // the nodes have just been asked, instead of the board
	Same     []command
}

// silencedBy is a silence that leaves nodes out of the verdict.
type silencedBy struct {
	Author, Reason string
	Count          int
	Until          moment
}

// Path gives the address of the check, and Self that of what is shown of it.
func (p checkPage) Path() string { return checkURL(p.Name) }

// Self gives the link to what is shown.
func (p checkPage) Self() string {
	if p.By.Path == "" || p.By.Path == p.Verdict.ByFact && p.About.By != "" {
		return p.Path()
	}
	return p.Path() + "?" + url.Values{"by": {p.By.Path}}.Encode()
}

// checkURL gives the address of a check, or of a group.
func checkURL(name string) string { return "/checks/" + url.PathEscape(name) }

// aboutShown is what a definition says, as a page shows it.
type aboutShown struct {
	Owner   string
	Labels  []string
	Notes   string
	Runbook string // of http or https; empty: none
	Filter  fettle.Filter
	Where   string // link to the nodes that have it
	Depends []link
	By      string // the fact by which a group is judged, too
	Remedy  *remedyShown
}

// remedyShown is what can be run where it is not well.
type remedyShown struct {
	Action string
	Run    string      // link to the form that runs it
	Last   *remedyLast // nil: it has never been called for
	Paused string      // why it is not run by itself; empty: it is
}

// memberRow is one member of a group.
type memberRow struct {
	Name   string
	URL    string
	Status fettle.CheckStatus
	Bar    tallyBar
	Since  moment
	Reason string
	// Links to what there is of the member; empty: there is none.
	History, Map, Silence string
}

// check draws a check; for htmx what changes of it.
func (s *site) check(c *gin.Context) error {
	p, err := s.checkPage(c, false)
	if err != nil {
		return err
	}
	if partly(c) {
		return s.draw(c, http.StatusOK, "check.html", "live", p)
	}
	return s.draw(c, http.StatusOK, "check.html", "layout", p)
}

// askTimeout is how long nodes may take that a page asks.
const askTimeout = 15 * time.Second

// ask asks the nodes now, and draws the page of what they answer.
func (s *site) ask(c *gin.Context) error {
	p, err := s.checkPage(c, true)
	if err != nil {
		return err
	}
	p.Live = false // what was answered stays to be read
	return s.draw(c, http.StatusOK, "check.html", "layout", p)
}

func (s *site) checkPage(c *gin.Context, live bool) (checkPage, error) {
	ctx, name := c.Request.Context(), c.Param("name")
	path, err := spelled("by", strings.TrimSpace(c.Query("by")))
	if err != nil {
		return checkPage{}, err
	}
	q := server.VerdictQuery{Check: name, Live: live, By: path, Caller: auth.From(ctx).Name, User: asker(ctx)}
	if live {
		q.Timeout = askTimeout
	}
	about, err := s.aboutOf(ctx, name)
	if err != nil {
		return checkPage{}, err
	}
	v, err := s.fleet.Verdict(ctx, q)
	if err != nil {
		return checkPage{}, err
	}
	if path != "" && !live { // split by a fact, a verdict does not say since when
		whole, err := s.fleet.Verdict(ctx, server.VerdictQuery{Check: name})
		if err != nil {
			return checkPage{}, err
		}
		v.Since = whole.Since
	}
	p := checkPage{base: s.base(c, name, "checks"), Name: name, Verdict: v, Since: s.moment(v.Since), Bar: checkBar(v.Tally), Asked: live}
	p.Live = true
	p.About = shownAbout(name, about)
	if err := s.fillRemedy(ctx, name, p.About.Remedy); err != nil {
		return checkPage{}, err
	}
	p.Answers, p.Left = gather(&v)
	p.Members, p.History = s.memberRows(v.Members), historyURL(name, "", spans()[0], 0)
	if p.By, err = s.byFact(ctx, name, v, cmp.Or(path, v.ByFact)); err != nil {
		return checkPage{}, err
	}
	if v.Kind != fettle.KindGroup {
		p.Nodes = nodesByStatus(name, v.Tally)
		p.Edit = p.Path() + "/edit"
		p.Silence = silenceForm{Checks: name, Where: everyNode, For: "4h", Back: p.Path()}.URL()
	} else {
		groups := s.fleet.Groups(ctx)
		p.Silence = silenceOf(leavesOf(groups, name), p.Path())
		if i := slices.IndexFunc(groups, func(g fettle.Group) bool { return g.Name == name }); i >= 0 {
			waysOf(groups[i].Members, p.Members, p.Path())
		}
	}
	p.Silenced, p.Shadowed = fold(v.Silenced, 2*foldedWide), fold(v.Shadowed, 2*foldedWide)
	for _, by := range v.SilencedBy {
		p.Silences = append(p.Silences, silencedBy{Author: by.Author, Reason: by.Reason, Count: by.Nodes, Until: s.moment(by.Until)})
	}
	p.Same = commandsOfCheck(c.Request, name, live)
	return p, nil
}

// aboutOf gives what the definition of a check says. ErrNotFound: nobody has defined it, and it is asked live or not at all, which a page that
// follows the server does not do.
func (s *site) aboutOf(ctx context.Context, name string) (about, error) {
	all, err := s.abouts(ctx)
	if err != nil {
		return about{}, err
	}
	if a, ok := all[name]; ok {
		return a, nil
	}
	return about{}, fmt.Errorf("no check and no group is called %q: %w", cut(name, maxCell), fettle.ErrNotFound)
}

func shownAbout(name string, a about) aboutShown {
	out := aboutShown{Owner: a.Owner, Labels: labelTexts(a.Labels), Notes: a.Notes, Filter: a.Filter, By: a.By}
	if u, err := url.Parse(a.Runbook); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
		out.Runbook = a.Runbook
	}
	if a.Filter != "" {
		out.Where = question{Columns: defaultColumns(), Where: string(a.Filter)}.URL()
	}
	for _, on := range a.DependsOn {
		out.Depends = append(out.Depends, link{Label: on, URL: checkURL(on)})
	}
	if a.Remedy != nil && a.Remedy.Action != "" {
		out.Remedy = &remedyShown{Action: a.Remedy.Action, Run: runForm{Action: a.Remedy.Action, Where: remedyWhere(name, a.Remedy.When), Inputs: plainInputs(a.Remedy.Inputs), For: name}.URL()}
	}
	return out
}

// remedyWhere gives the filter of the nodes on which a check has a status that calls for its remedy.
func remedyWhere(check string, statuses []fettle.CheckStatus) string {
	if len(statuses) == 0 {
		return badWhere(check, fettle.CheckCritical)
	}
	var parts []string
	for _, status := range statuses {
		parts = append(parts, badWhere(check, status))
	}
	return strings.Join(parts, " || ")
}

// badWhere gives the filter of the nodes on which a check has a status.
func badWhere(check string, status fettle.CheckStatus) string {
	return "checks[" + quoteCEL(check) + "].status == " + quoteCEL(string(status))
}

func nodesByStatus(check string, t fettle.CheckTally) (out []link) {
	for _, one := range []struct {
		status fettle.CheckStatus
		n      int
	}{{fettle.CheckCritical, t.Critical}, {fettle.CheckWarning, t.Warning}, {fettle.CheckUnknown, t.Unknown - t.Stale - t.Silent}, {fettle.CheckStale, t.Stale}} {
		if one.n > 0 {
			out = append(out, link{Label: string(one.status), URL: question{Columns: defaultColumns(), Where: badWhere(check, one.status)}.URL()})
		}
	}
	return out
}

func (s *site) memberRows(members []fettle.VerdictMember) []memberRow {
	out := make([]memberRow, 0, len(members))
	for _, m := range members {
		row := memberRow{Name: m.Name, Status: m.Status, Bar: checkBar(m.Tally), Since: s.moment(m.Since), Reason: m.Reason}
		if name, _, _ := strings.Cut(m.Name, " where "); !strings.ContainsAny(name, " ") {
			row.URL = checkURL(name)
		}
		out = append(out, row)
	}
	slices.SortStableFunc(out, func(a, b memberRow) int { return cmp.Compare(severity(b.Status), severity(a.Status)) })
	return out
}

// Bounds of answers on a page.
const (
	maxAnswers   = 40  // that differ
	namedAnswers = 60  // nodes of one answer that are links
	namedInAll   = 300 // nodes of all answers that are
	widestAnswer = 400 // characters of a line
)

// answers is one thing that nodes say, and which nodes those are.
type answers struct {
	Status fettle.CheckStatus
	Text   string
	Count  int
	Names  folded
	Nodes  []link // the first of them
}

// choir is the nodes that say the same.
type choir struct {
	status fettle.CheckStatus
	text   string
	nodes  []fettle.NodeID // in no order
}

// choirs puts together the nodes that say the same, the worst first, and gives how many bad nodes say nothing.
func choirs(v *fettle.Verdict) (out []choir, mute int) {
	type key struct {
		status fettle.CheckStatus
		text   string
	}
	by := map[key][]fettle.NodeID{}
	lines := map[string]string{} // what is shown of a line: thousands say the same
	for status, ids := range v.Nodes {
		for _, id := range ids {
			text, told := v.Output[id]
			if !told {
				mute++
				continue
			}
			if len(text) > 2*widestAnswer { // what differs beyond what is shown is the same to who reads
				text = strings.ToValidUTF8(text[:2*widestAnswer], "")
			}
			line, known := lines[text]
			if !known {
				line = cut(clean(text), widestAnswer)
				lines[text] = line
			}
			k := key{status, line}
			by[k] = append(by[k], id)
		}
	}
	for k, ids := range by {
		out = append(out, choir{k.status, k.text, ids})
	}
	slices.SortFunc(out, func(a, b choir) int {
		return cmp.Or(cmp.Compare(severity(b.status), severity(a.status)), cmp.Compare(len(b.nodes), len(a.nodes)), cmp.Compare(a.text, b.text))
	})
	return out, mute
}

// gather gives what the nodes say, with their names, and how many bad nodes it leaves out.
func gather(v *fettle.Verdict) (out []answers, left int) {
	all, left := choirs(v)
	for _, c := range all[min(len(all), maxAnswers):] {
		left += len(c.nodes)
	}
	links := namedInAll
	for _, c := range all[:min(len(all), maxAnswers)] {
		slices.Sort(c.nodes)
		a := answers{Status: c.status, Text: c.text, Count: len(c.nodes), Names: fold(c.nodes, 4*foldedWide)}
		for _, id := range c.nodes[:min(len(c.nodes), namedAnswers, links)] {
			a.Nodes = append(a.Nodes, link{Label: string(id), URL: checkNodePage{Check: v.Check, Node: id}.Path()})
		}
		links -= len(a.Nodes)
		out = append(out, a)
	}
	return out, left
}
