package web

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// Bounds of the history of a check.
const (
	changesRead  = 500 // changes of states that are read for a page
	changesShown = 100 // rows that they are gathered to
	nodesShown   = 30  // nodes, those that were well for the shortest time
	together     = time.Minute
	stripMost    = 400 // pieces of a node's strip
)

// spans are those that a page offers, in their order.
func spans() []string { return []string{"24h", "7d", "30d", "90d"} }

// checkHistoryPage is how a check was over a span: how long it had which status, and what changed when.
type checkHistoryPage struct {
	base
	Group       bool          // it is one, and what is shown is of the checks in it
	Members     []memberShare // of a group, those first that were well for the shortest time
	MoreMembers int
	Name        string
	Node        fettle.NodeID // empty: all
	Span        string
	Spans       []chip
	From        moment
	Bar         []heldPart
	Nodes       []nodeShare
	MoreNodes   int       // that were not, and are not shown
	WellNodes   int       // that were well all the time
	Strip       []stretch // of one node
	Changes     []changed
	Older       string // link to the changes before these; empty: these are the first
	Fault       string // why the time cannot be reckoned; empty: it is
	Same        []command
}

// heldPart is how long a status held, of the time in which there was one.
type heldPart struct {
	Status  fettle.CheckStatus
	Percent string
	Lasted  string
	X, W    string
}

// nodeShare is how one node was.
type nodeShare struct {
	Node fettle.NodeID
	URL  string
	OK   string // percent
	Bar  []heldPart
	well float64
}

// stretch is a time in which a node's state had one status.
type stretch struct {
	Status  fettle.CheckStatus
	X, W    string
	Said    string
	Unknown bool // there was no state
}

// changed is one change that happened to some nodes together.
type changed struct {
	Check    string
	URL      string // of the check
	At       moment
	From, To fettle.CheckStatus
	Output   string
	Flap     string       // that it began to flap, or ceased to
	Remedies []remedyLast // what it called for, the first few
	Names    folded
	last     fettle.Millis
	ids      []fettle.NodeID
	seqs     []int64
}

// Up gives the way back.
func (p checkHistoryPage) Up() string {
	if p.Node != "" {
		return checkNodePage{Check: p.Name, Node: p.Node}.Path()
	}
	return checkURL(p.Name)
}

func historyURL(name string, node fettle.NodeID, span string, before int64) string {
	v := url.Values{"span": {span}}
	if node != "" {
		v.Set("node", string(node))
	}
	if before != 0 {
		v.Set("before", strconv.FormatInt(before, 10))
	}
	return checkURL(name) + "/history?" + v.Encode()
}

// checkHistory draws the history of a check.
func (s *site) checkHistory(c *gin.Context) error {
	ctx, name := c.Request.Context(), c.Param("name")
	p := checkHistoryPage{base: s.base(c, name+": history", "checks"), Name: name, Span: cmp.Or(c.Query("span"), spans()[0])}
	if text := c.Query("node"); text != "" {
		id, err := fettle.ParseNodeID(text)
		if err != nil {
			return err
		}
		p.Node = id
	}
	span, err := spanIn("span", p.Span)
	if err != nil {
		return err
	}
	until := fettle.MillisOf(s.cfg.Now())
	from := until.Add(-span)
	p.From = s.moment(from)
	for _, one := range spans() {
		p.Spans = append(p.Spans, chip{Word: one, URL: historyURL(name, p.Node, one, 0), Chosen: one == p.Span})
	}
	if leaves := leavesOf(s.fleet.Groups(ctx), name); len(leaves) > 0 && p.Node == "" {
		if err := s.groupHistory(ctx, &p, checksOf(leaves), from, until); err != nil {
			return err
		}
		p.Same = commandsOfCheck(c.Request, name, false)
		return s.draw(c, http.StatusOK, "checkhistory.html", "layout", p)
	}
	before, _ := strconv.ParseInt(c.Query("before"), 10, 64) // what is no number is from the newest
	list, err := s.fleet.CheckHistory(ctx, server.TransitionQuery{Check: name, Node: p.Node, Since: from, Hard: true, Before: before, Limit: changesRead})
	if err != nil {
		return err
	}
	if len(list) == 0 && before == 0 {
		if _, err := s.aboutOf(ctx, name); err != nil {
			return err // one that is gone has its history, and one that never was has none
		}
	}
	var last int64
	p.Changes, last = gatherChanges(s, list)
	if err := s.addRemedies(ctx, p.Changes); err != nil {
		return err
	}
	if len(list) == changesRead || last != 0 && last != list[len(list)-1].Seq {
		p.Older = historyURL(name, p.Node, p.Span, last)
	}
	if err := s.fillSpent(ctx, &p, from, until); err != nil {
		return err
	}
	if p.Node != "" && before == 0 {
		n, err := s.fleet.Node(ctx, p.Node)
		if err != nil && !isNotFound(err) {
			return err
		}
		p.Strip = strip(n.Checks[name], list, from, until)
	}
	p.Same = commandsOfHistory(c.Request, name, p.Node, p.Span, p.From)
	return s.draw(c, http.StatusOK, "checkhistory.html", "layout", p)
}

// fillSpent reckons how long each status held. What cannot be reckoned is said, and the changes stand all the same.
func (s *site) fillSpent(ctx context.Context, p *checkHistoryPage, from, until fettle.Millis) error {
	a, err := s.fleet.Availability(ctx, server.AvailabilityQuery{Check: p.Name, Node: p.Node, From: from, Until: until})
	if err != nil {
		p.Fault = said(err)
		return nil
	}
	p.Bar = shares(a.All)
	if p.Node != "" {
		return nil
	}
	for _, n := range a.Nodes {
		well := n.Spent.Percent(fettle.CheckOK)
		switch {
		case n.Spent.Determined() <= 0:
		case well >= 100:
			p.WellNodes++
		default:
			p.Nodes = append(p.Nodes, nodeShare{Node: n.Node, URL: historyURL(p.Name, n.Node, p.Span, 0), OK: percentOf(well), Bar: shares(n.Spent), well: well})
		}
	}
	slices.SortStableFunc(p.Nodes, func(a, b nodeShare) int { return cmp.Compare(a.well, b.well) })
	p.MoreNodes = max(0, len(p.Nodes)-nodesShown)
	p.Nodes = p.Nodes[:min(len(p.Nodes), nodesShown)]
	return nil
}

// shares gives the parts of the time in which there was a state, the worst first.
func shares(spent server.Spent) (out []heldPart) {
	at := 0.0
	for _, status := range []fettle.CheckStatus{fettle.CheckCritical, fettle.CheckUnknown, fettle.CheckStale, fettle.CheckWarning, fettle.CheckOK} {
		part := spent.Percent(status)
		if part <= 0 {
			continue
		}
		out = append(out, heldPart{Status: status, Percent: percentOf(part), Lasted: spanOf(spent[status]), X: percent(at), W: percent(part)})
		at += part
	}
	return out
}

// percentOf writes a part so that 100 % is never said of less: 99.99 %.
func percentOf(part float64) string {
	text := strconv.FormatFloat(part, 'f', 2, 64)
	switch {
	case part < 100 && text == "100.00":
		text = "> 99.99"
	case part > 0 && text == "0.00":
		text = "< 0.01"
	}
	return text + " %"
}

// gatherChanges puts together what happened to several nodes within a minute, and gives the seq of the last change that it shows.
func gatherChanges(s *site, list []server.Transition) (out []changed, last int64) {
	for _, tr := range list {
		i := slices.IndexFunc(out, func(g changed) bool {
			return g.Check == tr.Check && g.From == tr.From && g.To == tr.To && g.Output == tr.Output && g.last.Sub(tr.At) < together
		})
		if i < 0 {
			if len(out) == changesShown {
				break
			}
			out = append(out, changed{Check: tr.Check, URL: checkURL(tr.Check), At: s.moment(tr.At), From: tr.From, To: tr.To, Output: tr.Output, Flap: flapWord(tr.Flap), last: tr.At})
			i = len(out) - 1
		}
		out[i].ids, last = append(out[i].ids, tr.Node), tr.Seq
		out[i].seqs = append(out[i].seqs, tr.Seq)
	}
	for i := range out {
		out[i].Names, out[i].Output = fold(out[i].ids, 2*foldedWide), cut(clean(out[i].Output), widestAnswer)
	}
	return out, last
}

// flapWord says what a change has to do with flapping; empty: nothing.
func flapWord(f fettle.FlapChange) string {
	switch f {
	case fettle.FlapBegan:
		return "began to flap"
	case fettle.FlapEnded:
		return "ceased to flap"
	}
	return ""
}

// strip gives the statuses of one node over a span, from its hard transitions, the newest first.
func strip(now fettle.CheckState, list []server.Transition, from, until fettle.Millis) (out []stretch) {
	whole := float64(until - from)
	add := func(status fettle.CheckStatus, a, b fettle.Millis) {
		a = max(a, from)
		if b <= a || whole <= 0 || len(out) >= stripMost {
			return
		}
		p := stretch{Status: status, X: percent(100 * float64(a-from) / whole), W: percent(100 * float64(b-a) / whole), Unknown: status == ""}
		p.Said = cmp.Or(string(status), "nothing known") + " from " + a.Time().Format("2006-01-02 15:04 UTC") + " for " + spanOf(b.Sub(a))
		out = append(out, p)
	}
	end, status := until, now.Status
	for _, tr := range list {
		add(tr.To, tr.At, end)
		end, status = tr.At, tr.From
	}
	if len(list) == 0 && now.Since > from {
		add(now.Status, now.Since, end)
		end, status = now.Since, ""
	}
	add(status, from, end)
	slices.Reverse(out)
	return out
}
