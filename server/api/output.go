package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// OutputPiece is a piece of what a task printed.
type OutputPiece struct {
	Node   fettle.NodeID `json:"node"`
	Stream string        `json:"stream" enum:"stdout,stderr"`
	Seq    int64         `json:"seq" doc:"Within the node and the stream, from 1"`
	At     time.Time     `json:"at" doc:"When it came, by the server's clock"`
	Text   string        `json:"text"`
}

// OutputList is a page of what a task printed.
type OutputList struct {
	Output []OutputPiece `json:"output"`
	Next   string        `json:"next"`
}

type outputIn struct {
	OneRun
	Node   string `path:"node" maxLength:"253" doc:"The node's identity"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"Pieces a page"`
	Cursor string `query:"cursor" maxLength:"64" doc:"next of the page before"`
}

func (a *rest) outputRoutes() {
	handle(a, route{
		id: "list-output", method: http.MethodGet, path: "/runs/{id}/output/{node}", tag: "runs", need: auth.Viewer,
		summary: "List what a node printed", text: "While its task ran, by stream. What ends within a second, and what is longer than 256 KiB, stands in the result only.",
	}, a.listOutput)
}

func (a *rest) listOutput(ctx context.Context, in *outputIn) (*output[OutputList], error) {
	after, err := outputCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	pieces, err := a.fleet.RunOutput(ctx, fettle.RunID(in.ID), fettle.NodeID(in.Node), after, in.Limit)
	if err != nil {
		return nil, err
	}
	list := OutputList{Output: make([]OutputPiece, 0, len(pieces))}
	for _, p := range pieces {
		list.Output = append(list.Output, outputPiece(p))
	}
	if len(pieces) == in.Limit {
		last := pieces[len(pieces)-1]
		list.Next = last.Stream + "." + strconv.FormatInt(last.Seq, 10)
	}
	return &output[OutputList]{list}, nil
}

// outputCursor reads the cursor that listOutput gave.
func outputCursor(text string) (server.Printed, error) {
	if text == "" {
		return server.Printed{}, nil
	}
	stream, seq, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(seq, 10, 64)
	if err != nil || stream == "" {
		return server.Printed{}, strayCursor(text)
	}
	return server.Printed{Stream: stream, Seq: n}, nil
}

func outputPiece(p server.Printed) OutputPiece {
	return OutputPiece{Node: p.Node, Stream: p.Stream, Seq: p.Seq, At: p.At.Time(), Text: p.Text}
}
