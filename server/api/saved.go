package api

import (
	"context"
	"net/http"
	"time"

	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// SavedFilter is a filter that is kept under a name, to be used as @name.
type SavedFilter struct {
	Name        string    `json:"name"`
	Filter      string    `json:"filter" doc:"As it was saved, in CEL"`
	Expanded    string    `json:"expanded,omitempty" doc:"With the texts of the saved filters that it stands on; in the answer of one filter only"`
	Description string    `json:"description"`
	Owner       string    `json:"owner" doc:"Who made it; he and administrators may change it"`
	Updated     time.Time `json:"updated"`
	Rev         int64     `json:"rev" doc:"Counts its changes"`
}

// SavedFilterList is every saved filter.
type SavedFilterList struct {
	Filters []SavedFilter `json:"filters"`
}

// FilterOrder asks for a filter to be kept.
type FilterOrder struct {
	Where       string `json:"where,omitempty" doc:"The filter in CEL; it may stand on other saved filters"`
	Short       string `json:"short,omitempty" doc:"Instead: the filter in the short form"`
	Description string `json:"description,omitempty" maxLength:"1000"`
	Rev         int64  `json:"rev,omitempty" doc:"Of the one that was looked at: a conflict if it has changed since. Left out: whatever is there is replaced"`
}

// OneFilter is the path of one saved filter.
type OneFilter struct {
	Name string `path:"name" maxLength:"64" doc:"Letters, digits, and _ - . within" example:"web-prod"`
}

func (a *rest) savedRoutes() {
	handle(a, route{
		id: "list-filters", method: http.MethodGet, path: "/filters", tag: "filters", need: auth.Viewer, summary: "List saved filters", text: "By name.",
	}, a.listFilters)
	handle(a, route{
		id: "show-filter", method: http.MethodGet, path: "/filters/{name}", tag: "filters", need: auth.Viewer, summary: "Show a saved filter",
		text: "Also with the texts of the filters that it stands on.",
	}, a.showFilter)
	handle(a, route{
		id: "save-filter", method: http.MethodPut, path: "/filters/{name}", tag: "filters", need: auth.Operator, summary: "Save a filter",
		text: "It can then be used as @name wherever a filter is. Only its owner and administrators change one that is there; checks that stand on it follow.",
	}, a.saveFilter)
	handle(a, route{
		id: "delete-filter", method: http.MethodDelete, path: "/filters/{name}", tag: "filters", need: auth.Operator, status: http.StatusNoContent,
		summary: "Delete a saved filter", text: "A conflict if a check or another filter stands on it.",
	}, a.deleteFilter)
}

func savedFilter(f server.SavedFilter) SavedFilter {
	return SavedFilter{Name: f.Name, Filter: string(f.Filter), Description: f.Description, Owner: f.Owner, Updated: f.Updated.Time(), Rev: f.Rev}
}

func (a *rest) listFilters(ctx context.Context, _ *struct{}) (*output[SavedFilterList], error) {
	found, err := a.fleet.SavedFilters(ctx)
	if err != nil {
		return nil, err
	}
	list := SavedFilterList{Filters: make([]SavedFilter, len(found))}
	for i, f := range found {
		list.Filters[i] = savedFilter(f)
	}
	return &output[SavedFilterList]{list}, nil
}

func (a *rest) showFilter(ctx context.Context, in *OneFilter) (*output[SavedFilter], error) {
	f, err := a.fleet.SavedFilter(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return a.expanded(ctx, f)
}

// expanded answers with a saved filter and the texts that it stands on.
func (a *rest) expanded(ctx context.Context, f server.SavedFilter) (*output[SavedFilter], error) {
	text, err := a.fleet.ExpandFilter(ctx, f.Filter)
	if err != nil {
		return nil, err
	}
	out := savedFilter(f)
	out.Expanded = string(text)
	return &output[SavedFilter]{out}, nil
}

func (a *rest) saveFilter(ctx context.Context, in *struct {
	OneFilter
	Body FilterOrder
},
) (*output[SavedFilter], error) {
	where, err := filterOf(in.Body.Where, in.Body.Short)
	if err != nil {
		return nil, err
	}
	person := auth.From(ctx)
	f, err := a.fleet.SaveFilter(ctx, server.FilterChange{
		Name: in.Name, Filter: where, Description: in.Body.Description, Rev: in.Body.Rev, Caller: person.Name, Admin: person.Role == auth.Admin,
	})
	if err != nil {
		return nil, err
	}
	return a.expanded(ctx, f)
}

func (a *rest) deleteFilter(ctx context.Context, in *OneFilter) (*struct{}, error) {
	person := auth.From(ctx)
	return nil, a.fleet.DeleteFilter(ctx, in.Name, person.Name, person.Role == auth.Admin)
}
