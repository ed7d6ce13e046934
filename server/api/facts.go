package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// PathList is every path that the facts of the chosen nodes have.
type PathList struct {
	Paths []server.PathInfo `json:"paths"`
}

// ValueList is the values of one fact, the most frequent first.
type ValueList struct {
	Path    string       `json:"path"`
	By      string       `json:"by,omitempty" doc:"The second fact, where one was asked for"`
	Missing int          `json:"missing" doc:"Chosen nodes that do not have it"`
	Values  []ValueCount `json:"values"`
	More    int          `json:"more,omitempty" doc:"Values that limit left off"`
	Numbers *Numbers     `json:"numbers,omitempty" doc:"Of the values that are numbers, over the nodes; left out: there are none"`
}

// ValueCount is one value and how many nodes have it.
type ValueCount struct {
	Value Value     `json:"value"`
	Count int       `json:"count"`
	By    []ByCount `json:"by,omitempty" doc:"The values of the second fact on these nodes, the most frequent first"`
}

// ByCount is one value of a second fact and how many nodes have it.
type ByCount struct {
	Value Value `json:"value" doc:"null: they do not have it"`
	Count int   `json:"count"`
}

// Numbers sums up values that are numbers.
type Numbers struct {
	Count int     `json:"count" doc:"Nodes whose value is a number"`
	Min   float64 `json:"min"`
	P50   float64 `json:"p50" doc:"The smallest value that at least half of them do not exceed"`
	P95   float64 `json:"p95"`
	Max   float64 `json:"max"`
	Sum   float64 `json:"sum"`
	Mean  float64 `json:"mean"`
}

type valuesIn struct {
	Path string `path:"path" maxLength:"4096" doc:"The fact; a key with odd characters stands in double quotes" example:"os.release.major"`
	Aim
	By      string `query:"by" maxLength:"4096" doc:"A second fact: for each value, its values, counted" example:"environment"`
	Limit   int    `query:"limit" minimum:"0" default:"0" doc:"Values to list; zero: all"`
	Summary bool   `query:"summary" doc:"List no values, only count and sum up"`
}

func (a *rest) factRoutes() {
	handle(a, route{
		id: "list-facts", method: http.MethodGet, path: "/facts", tag: "facts", need: auth.Viewer,
		summary: "List facts", text: "Every path that the chosen nodes have, with its type, how many have it and how many values there are.",
	}, a.listFacts)
	handle(a, route{
		id: "count-values", method: http.MethodGet, path: "/facts/{path}", tag: "facts", need: auth.Viewer,
		summary: "Count the values of a fact", text: "Over the chosen nodes, the most frequent value first, by a second fact where that is asked; numbers are summed up.",
	}, a.countValues)
}

func (a *rest) listFacts(ctx context.Context, in *struct{ Aim }) (*output[PathList], error) {
	sel, err := in.selection()
	if err != nil {
		return nil, err
	}
	paths, err := a.fleet.FactPaths(ctx, sel)
	if err != nil {
		return nil, err
	}
	return &output[PathList]{PathList{orNone(paths)}}, nil
}

func (a *rest) countValues(ctx context.Context, in *valuesIn) (*output[ValueList], error) {
	sel, err := in.selection()
	if err != nil {
		return nil, err
	}
	path, err := fettle.ParsePath(in.Path)
	if err != nil {
		return nil, err
	}
	var by fettle.Path
	if in.By != "" {
		if by, err = factPath(in.By); err != nil {
			return nil, fmt.Errorf("by: %w", err)
		}
	}
	found, err := a.values(ctx, path, by, sel)
	if err != nil {
		return nil, err
	}
	shown := len(found.Values)
	if in.Limit > 0 {
		shown = min(shown, in.Limit)
	}
	if in.Summary {
		shown = 0
	}
	list := ValueList{Path: found.Path, By: by.String(), Missing: found.Missing, Values: make([]ValueCount, 0, shown), More: found.More + len(found.Values) - shown}
	for _, v := range found.Values[:shown] {
		one, err := valueCount(v)
		if err != nil {
			return nil, fmt.Errorf("value of %s: %w", path, err)
		}
		list.Values = append(list.Values, one)
	}
	if n := found.Numbers; n != nil {
		list.Numbers = &Numbers{Count: n.Count, Min: n.Min, P50: n.P50, P95: n.P95, Max: n.Max, Sum: n.Sum, Mean: n.Sum / float64(n.Count)}
	}
	return &output[ValueList]{list}, nil
}

// values counts the values of one fact, or of one by a second.
func (a *rest) values(ctx context.Context, path, by fettle.Path, sel server.Selection) (server.ValuesAnswer, error) {
	if by == nil {
		return a.fleet.FactValues(ctx, path, sel)
	}
	return a.fleet.FactValuesBy(ctx, path, by, sel)
}

func valueCount(v server.ValueCount) (ValueCount, error) {
	text, err := json.Marshal(v.Value)
	out := ValueCount{Value: text, Count: v.Count}
	for _, second := range v.By {
		text, fault := json.Marshal(second.Value)
		if err == nil {
			err = fault
		}
		out.By = append(out.By, ByCount{Value: text, Count: second.Count})
	}
	return out, err
}
