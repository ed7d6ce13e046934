package api

import (
	"context"
	"net/http"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// LiveList is what the nodes themselves said to a filter.
type LiveList struct {
	Asked       int             `json:"asked" doc:"All nodes there are"`
	Matched     int             `json:"matched" doc:"Nodes for which the filter is true"`
	Undefined   int             `json:"undefined" doc:"Nodes for which the filter is neither true nor false"`
	UndefinedBy map[string]int  `json:"undefined_by" doc:"Why; a node may count under several reasons"`
	Nodes       []fettle.NodeID `json:"nodes" doc:"Those that matched"`
	Unanswered  []fettle.NodeID `json:"unanswered" doc:"Nodes that did not answer; of them nothing is said"`
	StoredOnly  []fettle.NodeID `json:"stored_only" doc:"What was stored said yes, and the node did not"`
	LiveOnly    []fettle.NodeID `json:"live_only" doc:"The node said yes, and what was stored did not"`
	TookMS      int64           `json:"took_ms"`
}

type liveIn struct {
	Where   string `query:"where" doc:"A filter in CEL over what a node knows of itself" example:"facts.os.family == \"Debian\""`
	Short   string `query:"short" doc:"Instead of where: a filter in the short form" example:"os.family=Debian cores>=8"`
	Timeout string `query:"timeout" doc:"How long the last node may take; left out: 10s" example:"10s"`
}

func (a *rest) liveRoutes() {
	handle(a, route{
		id: "ask-nodes", method: http.MethodGet, path: "/live", tag: "nodes", need: auth.Viewer, asks: true, wait: noLimit,
		summary: "Ask the nodes themselves",
		text: "Each node collects its facts and says whether the filter is true for it. Ends when all that are alive have answered, or when the time is over. " +
			"Says too where what was stored gives another answer.",
	}, a.askNodes)
}

func (a *rest) askNodes(ctx context.Context, in *liveIn) (*output[LiveList], error) {
	where, err := filterOf(in.Where, in.Short)
	if err != nil {
		return nil, err
	}
	timeout, err := parseSpan("timeout", in.Timeout)
	if err != nil {
		return nil, err
	}
	found, err := a.fleet.FindLive(ctx, server.LiveQuery{Where: where, Timeout: timeout, Caller: auth.From(ctx).Name})
	if err != nil {
		return nil, err
	}
	return &output[LiveList]{LiveList{
		Asked: found.Asked, Matched: len(found.Nodes), Undefined: found.Undefined, UndefinedBy: orEmpty(found.UndefinedBy), Nodes: orNone(found.Nodes),
		Unanswered: orNone(found.Unanswered), StoredOnly: orNone(found.StoredOnly), LiveOnly: orNone(found.LiveOnly), TookMS: found.Took.Milliseconds(),
	}}, nil
}
