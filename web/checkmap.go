package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// mapPage is a check over the values of two facts.
type mapPage struct {
	base
	Name    string
	X, Y    string // paths; empty: not chosen yet
	Paths   []string
	Columns []string
	Rows    []mapRow
	MoreX   int // values that stand together
	MoreY   int
	Total   int
	Bad     int
	Fault   string
	Same    []command
}

// mapRow is one value of Y.
type mapRow struct {
	Value string
	Cells []mapCell
}

// mapCell is the nodes that have two values.
type mapCell struct {
	server.MapCell
	Status fettle.CheckStatus
	Bad    int
	Said   string
	URL    string // to the nodes; empty: there is no filter for them, or there are none
}

// Self gives the page's own link.
func (p mapPage) Self() string { return mapURL(p.Name, p.X, p.Y) }

// Turned gives the link to the same with its sides changed.
func (p mapPage) Turned() string { return mapURL(p.Name, p.Y, p.X) }

func mapURL(name, x, y string) string {
	return checkURL(name) + "/map?" + url.Values{"x": {x}, "y": {y}}.Encode()
}

// checkMap draws the map.
func (s *site) checkMap(c *gin.Context) error {
	ctx, name := c.Request.Context(), c.Param("name")
	if _, err := s.aboutOf(ctx, name); err != nil {
		return err
	}
	p := mapPage{base: s.base(c, name+" by two facts", "checks"), Name: name}
	var err error
	if p.X, err = spelled("x", strings.TrimSpace(c.Query("x"))); err != nil {
		return err
	}
	if p.Y, err = spelled("y", strings.TrimSpace(c.Query("y"))); err != nil {
		return err
	}
	paths, err := s.paths.get(ctx, s)
	if err != nil {
		return err
	}
	for _, info := range paths[:min(len(paths), maxOffered)] {
		p.Paths = append(p.Paths, info.Path)
	}
	p.Same = commandsOfMap(c.Request, name, p.X, p.Y)
	if p.X == "" || p.Y == "" {
		return s.draw(c, http.StatusOK, "map.html", "layout", p)
	}
	p.Live = true
	if err := s.fillMap(ctx, &p); err != nil {
		return err
	}
	if partly(c) {
		return s.draw(c, http.StatusOK, "map.html", "live", p)
	}
	return s.draw(c, http.StatusOK, "map.html", "layout", p)
}

func (s *site) fillMap(ctx context.Context, p *mapPage) error {
	m, err := s.fleet.VerdictMap(ctx, server.MapQuery{Check: p.Name, X: p.X, Y: p.Y})
	if err != nil {
		return err
	}
	p.Columns, p.MoreX, p.MoreY, p.Total, p.Bad = m.Columns, m.MoreX, m.MoreY, m.Total, m.Bad
	for i, row := range m.Cells {
		out := mapRow{Value: m.Rows[i]}
		for k, cell := range row {
			out.Cells = append(out.Cells, mapCellOf(p.Name, m, cell, m.Columns[k], m.Rows[i]))
		}
		p.Rows = append(p.Rows, out)
	}
	return nil
}

func mapCellOf(check string, m server.VerdictMap, cell server.MapCell, x, y string) mapCell {
	out := mapCell{MapCell: cell, Status: cell.Status(), Bad: cell.Critical + cell.Unknown + cell.Warning}
	bar := checkBar(fettle.CheckTally{
		Total: cell.Total, OK: cell.OK, Warning: cell.Warning, Critical: cell.Critical, Unknown: cell.Unknown, Silenced: cell.Silenced, Shadowed: cell.Shadowed,
	})
	out.Said = x + ", " + y + ": " + bar.Said()
	xs, okX := factIs(m.X, x)
	ys, okY := factIs(m.Y, y)
	if cell.Total == 0 || !okX || !okY {
		return out
	}
	where := bracketed(xs) + " && " + bracketed(ys)
	if out.Bad > 0 {
		where += " && " + notWell(check)
	}
	out.URL = question{Columns: defaultColumns(), Where: where}.URL()
	return out
}

// notWell gives the filter of the nodes on which a check is not ok.
func notWell(check string) string { return "checks[" + quoteCEL(check) + `].status != "ok"` }

// noValue stands for nodes that lack a fact, as the server has it.
const noValue = "(none)"

// factIs gives the filter of the nodes whose fact has a value as the server writes it: the text, or JSON of what is no text. False: there is none.
func factIs(path fettle.Path, value string) (string, bool) {
	switch {
	case value == server.OtherValues || strings.HasSuffix(value, "…") || value == "(more)":
		return "", false
	case value == noValue:
		return clauseWithout(path).Text, true
	case value == `""`:
		return server.FactCEL(path) + ` == ""`, true
	}
	text := server.FactCEL(path) + " == " + quoteCEL(value)
	if literal, ok := literal(parse([]byte(value))); ok && literal != "null" && !strings.HasPrefix(value, `"`) {
		text = server.FactCEL(path) + " == " + literal + " || " + text // a number, or the text of one
	}
	return text, true
}
