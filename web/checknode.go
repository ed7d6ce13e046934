package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// checkNodePage is one check on one node.
type checkNodePage struct {
	base
	Check    string
	Node     fettle.NodeID
	State    *fettle.CheckState // nil: it has given no result yet
	Status   fettle.CheckStatus // as the verdict counts it
	Liveness fettle.Liveness
	Seen     moment
	Since    moment
	At       moment
	Text     string // of the verdict, where it says more than the output
	Perfdata []perfRow
	Verdict  fettle.Verdict
	Asked    bool
	Silence  string
	Same     []command
}

// perfRow is one value that a plugin measured.
type perfRow struct {
	Label, Value, Warn, Crit, Range string
}

// Path gives the page's own address.
func (p checkNodePage) Path() string {
	return checkURL(p.Check) + "/nodes/" + url.PathEscape(string(p.Node))
}

// CheckPath gives the address of the check.
func (p checkNodePage) CheckPath() string { return checkURL(p.Check) }

// NodePath gives the address of the node.
func (p checkNodePage) NodePath() string { return "/nodes/" + url.PathEscape(string(p.Node)) }

// HistoryPath gives the address of what changed here.
func (p checkNodePage) HistoryPath() string { return historyURL(p.Check, p.Node, spans()[1], 0) }

// Soft gives the status of the last result, where it does not count yet; empty: it does.
func (p checkNodePage) Soft() fettle.CheckStatus {
	if p.State == nil || p.State.Soft == p.State.Status {
		return ""
	}
	return p.State.Soft
}

func (s *site) checkNode(c *gin.Context) error {
	p, err := s.checkNodePage(c, false)
	if err != nil {
		return err
	}
	if partly(c) {
		return s.draw(c, http.StatusOK, "checknode.html", "live", p)
	}
	return s.draw(c, http.StatusOK, "checknode.html", "layout", p)
}

// askNode asks one node now.
func (s *site) askNode(c *gin.Context) error {
	p, err := s.checkNodePage(c, true)
	if err != nil {
		return err
	}
	p.Live = false
	return s.draw(c, http.StatusOK, "checknode.html", "layout", p)
}

func (s *site) checkNodePage(c *gin.Context, live bool) (checkNodePage, error) {
	ctx, name := c.Request.Context(), c.Param("name")
	id, err := fettle.ParseNodeID(c.Param("identity"))
	if err != nil {
		return checkNodePage{}, fmt.Errorf("no node is called %q: %w", cut(c.Param("identity"), maxCell), fettle.ErrNotFound)
	}
	if _, err := s.aboutOf(ctx, name); err != nil {
		return checkNodePage{}, err
	}
	n, err := s.fleet.Node(ctx, id)
	if err != nil {
		return checkNodePage{}, err
	}
	where := "identity == " + quoteCEL(string(id))
	q := server.VerdictQuery{Check: name, Selection: server.Selection{Where: fettle.Filter(where)}, Live: live, Caller: auth.From(ctx).Name, User: asker(ctx)}
	if live {
		q.Timeout = askTimeout
	}
	v, err := s.fleet.Verdict(ctx, q)
	if err != nil {
		return checkNodePage{}, err
	}
	p := checkNodePage{
		base: s.base(c, name+" on "+string(id), "checks"), Check: name, Node: id, Verdict: v, Status: v.Status, Liveness: n.Liveness, Seen: s.moment(n.Seen), Asked: live,
		Silence: silenceForm{Checks: name, Where: where, For: "4h"}.URL(), Text: clean(v.Output[id]),
	}
	p.Live = true
	if state, has := n.Checks[name]; has {
		state.Output = clean(state.Output)
		p.State, p.Since, p.At = &state, s.moment(state.Since), s.moment(state.At)
		p.Perfdata = perfRows(state.Perfdata)
	}
	p.Same = []command{{"CLI", "fettle check " + shellQuote(name) + " -I " + string(id)}, {"CLI", "fettle show " + string(id)}, {"REST", curl(c.Request, "/api/v1/verdicts/"+name, []string{"where=" + where})}}
	if live {
		p.Same[0].Text += " --live"
	}
	return p, nil
}

func perfRows(list []fettle.Perf) (out []perfRow) {
	number := func(f *float64) string {
		if f == nil {
			return ""
		}
		return strconv.FormatFloat(*f, 'g', -1, 64)
	}
	for _, p := range list {
		row := perfRow{Label: clean(p.Label), Value: number(p.Value), Warn: p.Warn, Crit: p.Crit, Range: strings.Trim(number(p.Min)+" … "+number(p.Max), " …")}
		if p.Value == nil {
			row.Value = "not measured"
		} else if p.Unit != "" {
			row.Value += " " + p.Unit
		}
		out = append(out, row)
	}
	return out
}
