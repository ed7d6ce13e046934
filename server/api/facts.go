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
	Missing int          `json:"missing" doc:"Chosen nodes that do not have it"`
	Values  []ValueCount `json:"values"`
	More    int          `json:"more,omitempty" doc:"Values that limit left off"`
}

// ValueCount is one value and how many nodes have it.
type ValueCount struct {
	Value Value `json:"value"`
	Count int   `json:"count"`
}

type valuesIn struct {
	Path string `path:"path" maxLength:"4096" doc:"The fact; a key with odd characters stands in double quotes" example:"os.release.major"`
	Aim
	Limit int `query:"limit" minimum:"0" default:"0" doc:"Values to list; zero: all"`
}

func (a *rest) factRoutes() {
	handle(a, route{
		id: "list-facts", method: http.MethodGet, path: "/facts", tag: "facts", need: auth.Viewer,
		summary: "List facts", text: "Every path that the chosen nodes have, with its type, how many have it and how many values there are.",
	}, a.listFacts)
	handle(a, route{
		id: "count-values", method: http.MethodGet, path: "/facts/{path}", tag: "facts", need: auth.Viewer,
		summary: "Count the values of a fact", text: "Over the chosen nodes, the most frequent value first.",
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
	found, err := a.fleet.FactValues(ctx, path, sel)
	if err != nil {
		return nil, err
	}
	shown := len(found.Values)
	if in.Limit > 0 {
		shown = min(shown, in.Limit)
	}
	list := ValueList{Path: found.Path, Missing: found.Missing, Values: make([]ValueCount, 0, shown), More: found.More + len(found.Values) - shown}
	for _, v := range found.Values[:shown] {
		text, err := json.Marshal(v.Value)
		if err != nil {
			return nil, fmt.Errorf("value of %s: %w", path, err)
		}
		list.Values = append(list.Values, ValueCount{Value: text, Count: v.Count})
	}
	return &output[ValueList]{list}, nil
}
