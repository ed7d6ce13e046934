package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// Limits of a stream.
const (
	streamBeat  = 15 * time.Second // a comment goes out when nothing else did, below the idle limits of proxies
	streamWrite = 30 * time.Second // who takes nothing for so long is cut off
)

func (a *rest) eventRoutes() {
	handle(a, route{
		id: "watch-run", method: http.MethodGet, path: "/runs/{id}/events", tag: "runs", need: auth.Viewer, wait: noLimit,
		summary: "Watch a run",
		text: "Server-sent events: `result` for each result, those that have come already first, and `run` when the tally changes; with output=true also " +
			"`output` for what tasks print from now on. The stream ends after the `run` that has `ended`. Data is JSON, as in /runs/{id}.",
	}, a.watchRun)
}

// stream is an answer that is written bit by bit.
type stream struct {
	ContentType string `header:"Content-Type"`
	Body        func(huma.Context)
}

type watchIn struct {
	OneRun
	Output bool `query:"output" doc:"Also what tasks print while they run"`
}

func (a *rest) watchRun(ctx context.Context, in *watchIn) (*stream, error) {
	var printed <-chan server.Printed // nil: nothing ever comes
	if in.Output {
		var err error
		if printed, err = a.fleet.FollowOutput(ctx, fettle.RunID(in.ID)); err != nil {
			return nil, err
		}
	}
	updates, err := a.fleet.WatchRun(ctx, fettle.RunID(in.ID))
	if err != nil {
		return nil, err
	}
	return &stream{ContentType: "text/event-stream", Body: func(h huma.Context) {
		h.SetHeader("Cache-Control", "no-store")
		h.SetHeader("X-Accel-Buffering", "no") // nginx holds a stream back otherwise
		h.SetStatus(http.StatusOK)
		a.follow(ctx, humagin.Unwrap(h).Writer, updates, printed)
	}}, nil
}

// follow writes updates until they end or the reader is gone. The channel's owner closes it when ctx ends, which is when this request does.
func (a *rest) follow(ctx context.Context, w http.ResponseWriter, updates <-chan server.RunUpdate, printed <-chan server.Printed) {
	control := http.NewResponseController(w)
	send := func(text []byte) bool {
		if err := control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
			a.log.Debug("no write deadline", "err", err)
		}
		if _, err := w.Write(text); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for send([]byte(":\n\n")) {
		for more := true; more; {
			select {
			case p := <-printed:
				if !send(a.piece(p)) {
					return
				}
			case u, ok := <-updates:
				for n := len(printed); n > 0; n-- { // what was printed before the result stands before it
					if !send(a.piece(<-printed)) {
						return
					}
				}
				if !ok || !send(a.event(u)) {
					return
				}
			case <-beat.C:
				more = false
			case <-ctx.Done():
				return
			}
		}
	}
}

// piece writes what a node printed as a server-sent event.
func (a *rest) piece(p server.Printed) []byte {
	data, err := json.Marshal(outputPiece(p))
	if err != nil { // it is text
		a.log.Error("event of a run", "err", err)
		return nil
	}
	return fmt.Appendf(nil, "event: output\ndata: %s\n\n", data)
}

// event writes one update as a server-sent event.
func (a *rest) event(u server.RunUpdate) []byte {
	var out []byte
	add := func(name string, body any) {
		data, err := json.Marshal(body)
		if err != nil { // both came from JSON
			a.log.Error("event of a run", "err", err)
			return
		}
		out = fmt.Appendf(out, "event: %s\ndata: %s\n\n", name, data)
	}
	if u.Result != nil {
		add("result", resultItem(*u.Result))
	}
	if u.Run != nil {
		add("run", a.summary(*u.Run))
	}
	return out
}
