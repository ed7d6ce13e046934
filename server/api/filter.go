package api

import (
	"context"
	"net/http"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// ExplainOrder asks what a filter does. It is a body, because a filter may be longer than a URL.
type ExplainOrder struct {
	Where string `json:"where,omitempty" doc:"The filter in CEL"`
	Short string `json:"short,omitempty" doc:"Instead: the filter in the short form"`
	Node  string `json:"node,omitempty" maxLength:"253" doc:"Say for this node which clause keeps it out"`
}

type explainIn struct {
	Aim
	Node string `query:"node" maxLength:"253" doc:"Say for this node which clause keeps it out"`
}

// SpenderList is the filters that have cost the most time.
type SpenderList struct {
	Spenders []server.Spender `json:"spenders" doc:"The costliest first: how often each was asked, how many of these were refused because they were over their budget, how long all took together, and how many nodes were evaluated one by one for it"`
}

func (a *rest) filterRoutes() {
	text := "The filter in CEL and clause by clause: for how many nodes each is true, false and undefined, and what is missing."
	handle(a, route{
		id: "explain-filter", method: http.MethodGet, path: "/filter/explain", tag: "filters", need: auth.Viewer, summary: "Explain a filter", text: text,
	}, func(ctx context.Context, in *explainIn) (*output[server.Explanation], error) {
		return a.explain(ctx, ExplainOrder{Where: in.Where, Short: in.Short, Node: in.Node})
	})
	handle(a, route{
		id: "explain-long-filter", method: http.MethodPost, path: "/filter/explain", tag: "filters", need: auth.Viewer, reads: true, summary: "Explain a long filter", text: text,
	}, func(ctx context.Context, in *struct{ Body ExplainOrder }) (*output[server.Explanation], error) {
		return a.explain(ctx, in.Body)
	})
	handle(a, route{
		id: "list-spenders", method: http.MethodGet, path: "/filter/spenders", tag: "filters", need: auth.Viewer, summary: "List what costs most",
		text: "The filters that have cost the server the most time, of the thousand or so that were asked last. A server that is started again begins anew.",
	}, func(ctx context.Context, _ *struct{}) (*output[SpenderList], error) {
		return &output[SpenderList]{SpenderList{append([]server.Spender{}, a.fleet.Spenders(ctx)...)}}, nil
	})
}

func (a *rest) explain(ctx context.Context, in ExplainOrder) (*output[server.Explanation], error) {
	where, err := filterOf(in.Where, in.Short)
	if err != nil {
		return nil, err
	}
	var node fettle.NodeID
	if in.Node != "" {
		if node, err = fettle.ParseNodeID(in.Node); err != nil {
			return nil, err
		}
	}
	found, err := a.fleet.Explain(ctx, where, node)
	if err != nil {
		return nil, err
	}
	return &output[server.Explanation]{found}, nil
}
