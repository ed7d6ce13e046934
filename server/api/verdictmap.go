package api

import (
	"context"
	"net/http"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// VerdictMap is a check's states over the values of two facts.
type VerdictMap struct {
	Check   string      `json:"check"`
	X       string      `json:"x"`
	Y       string      `json:"y"`
	Columns []string    `json:"columns" doc:"Values of x; (none): nodes without it; (others): those beyond the bound, where least is wrong"`
	Rows    []string    `json:"rows" doc:"Values of y, likewise"`
	Cells   [][]MapCell `json:"cells" doc:"By row, then column"`
	MoreX   int         `json:"more_x" doc:"Values within (others)"`
	MoreY   int         `json:"more_y"`
	Total   int         `json:"total" doc:"Nodes"`
	Bad     int         `json:"bad" doc:"Those of them that are not ok, and have a say"`
}

// MapCell is the nodes that have two values.
type MapCell struct {
	Status   fettle.CheckStatus `json:"status" doc:"The worst of those that have a say; empty: there are no nodes"`
	Total    int                `json:"total"`
	OK       int                `json:"ok"`
	Warning  int                `json:"warning"`
	Critical int                `json:"critical"`
	Unknown  int                `json:"unknown"`
	Silenced int                `json:"silenced"`
	Shadowed int                `json:"shadowed"`
}

type mapIn struct {
	Check   string `path:"check" maxLength:"200" doc:"A defined check"`
	X       string `query:"x" required:"true" maxLength:"1000" doc:"Path of a fact" example:"facts.rack"`
	Y       string `query:"y" required:"true" maxLength:"1000" doc:"Path of another" example:"facts.role"`
	Columns int    `query:"columns" minimum:"1" maximum:"100" default:"24" doc:"Values of x that stand apart: those where most is wrong"`
	Rows    int    `query:"rows" minimum:"1" maximum:"100" default:"24" doc:"Values of y, likewise"`
}

func (a *rest) mapRoutes() {
	handle(a, route{
		id: "map-verdict", method: http.MethodGet, path: "/verdicts/{check}/map", tag: "checks", need: auth.Viewer,
		summary: "Spread a check over two facts", text: "How many of its nodes are how, for each pair of values. From the states that are kept.",
	}, a.mapVerdict)
}

func (a *rest) mapVerdict(ctx context.Context, in *mapIn) (*output[VerdictMap], error) {
	m, err := a.fleet.VerdictMap(ctx, server.MapQuery{Check: in.Check, X: in.X, Y: in.Y, Columns: in.Columns, Rows: in.Rows})
	if err != nil {
		return nil, err
	}
	out := VerdictMap{
		Check: m.Check, X: m.X.String(), Y: m.Y.String(), Columns: orNone(m.Columns), Rows: orNone(m.Rows), Cells: make([][]MapCell, 0, len(m.Cells)),
		MoreX: m.MoreX, MoreY: m.MoreY, Total: m.Total, Bad: m.Bad,
	}
	for _, row := range m.Cells {
		cells := make([]MapCell, 0, len(row))
		for _, c := range row {
			cells = append(cells, MapCell{c.Status(), c.Total, c.OK, c.Warning, c.Critical, c.Unknown, c.Silenced, c.Shadowed})
		}
		out.Cells = append(out.Cells, cells)
	}
	return &output[VerdictMap]{out}, nil
}
