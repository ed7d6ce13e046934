package api

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/fettle-dev/fettle/server"
)

// ndjson is the type of a list that comes as a stream, one node a line, to the end of all pages.
const ndjson = "application/x-ndjson"

// Nodes that are held at a time while a list is streamed: fewer where each brings its facts.
const (
	streamPage      = maxPage
	streamFactsPage = 1000
)

// Resolve notes whether the list is wanted as a stream, and whether a limit was given.
func (in *findIn) Resolve(ctx huma.Context) []error {
	for kind := range strings.SplitSeq(ctx.Header("Accept"), ",") {
		if name, _, err := mime.ParseMediaType(kind); err == nil && name == ndjson {
			in.lines = true
		}
	}
	url := ctx.URL()
	in.limited = url.Query().Has("limit")
	return in.Aim.Resolve(ctx)
}

// listOrLines describes an answer that is a list, or a stream of its items.
func listOrLines[L, I any](a *rest) map[string]*huma.Response {
	schemas := a.huma.OpenAPI().Components.Schemas
	schema := func(t reflect.Type) *huma.MediaType {
		return &huma.MediaType{Schema: schemas.Schema(t, true, t.Name())}
	}
	return map[string]*huma.Response{"200": {Description: http.StatusText(http.StatusOK), Content: map[string]*huma.MediaType{
		"application/json": schema(reflect.TypeFor[L]()), ndjson: schema(reflect.TypeFor[I]()),
	}}}
}

// wholeBody answers with v at once.
func wholeBody(v any) *stream {
	return &stream{ContentType: "application/json", Body: func(h huma.Context) {
		h.SetStatus(http.StatusOK)
		enc := json.NewEncoder(h.BodyWriter())
		enc.SetEscapeHTML(false)
		_ = enc.Encode(v) // the reader is gone: nobody is left to tell
	}}
}

// findLines streams what matches, from q.Cursor on. The first page is there before the answer begins, so that a wrong question is told as such.
func (a *rest) findLines(ctx context.Context, q server.FindQuery, limited bool, fields *fieldList) (*stream, error) {
	left, size := 0, streamPage
	if q.Facts {
		size = streamFactsPage
	}
	if limited {
		left = q.Limit
		size = min(size, left)
	}
	q.Limit = size
	first, err := a.find(ctx, q, fields)
	if err != nil {
		return nil, err
	}
	return &stream{ContentType: ndjson, Body: func(h huma.Context) {
		h.SetHeader("Cache-Control", "no-store")
		h.SetHeader("X-Accel-Buffering", "no") // nginx holds a stream back otherwise
		h.SetStatus(http.StatusOK)
		w := humagin.Unwrap(h).Writer
		if err := a.writeLines(ctx, w, first, q, left, fields); err != nil {
			a.log.Warn("stream of nodes cut off", "request", RequestID(ctx), "err", err)
			_ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)) // the end is not written, so the reader knows that it is not all
		}
	}}, nil
}

// writeLines writes page and those after it, as many nodes as left says; zero: all.
func (a *rest) writeLines(ctx context.Context, w http.ResponseWriter, page *NodeList, q server.FindQuery, left int, fields *fieldList) error {
	control := http.NewResponseController(w)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for {
		if err := control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
			a.log.Debug("no write deadline", "err", err)
		}
		for i := range page.Nodes {
			if err := enc.Encode(&page.Nodes[i]); err != nil {
				return err
			}
		}
		if err := control.Flush(); err != nil {
			return err
		}
		if left > 0 {
			if left -= len(page.Nodes); left <= 0 {
				return nil
			}
			q.Limit = min(q.Limit, left)
		}
		if page.Next == "" {
			return nil
		}
		var err error
		q.Cursor = page.Next
		if page, err = a.find(ctx, q, fields); err != nil {
			return err
		}
	}
}
