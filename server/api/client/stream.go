package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"

	"github.com/fettle-dev/fettle"
)

// maxEvent is the length of the longest line of a stream, in bytes: a result with all the output that a node may send.
const maxEvent = 16 << 20

// Update is one thing that happened to a run: a result came, or the tally changed, or a node printed something. All but one are nil.
type Update struct {
	Result *ResultItem
	Run    *RunSummary // the last one of a stream has Ended
	Output *OutputPiece
}

// Watch follows a run: the results that have come, and then each as it comes. The sequence ends after the run has, or with an error: ErrNotFound
// where there is no such run, ErrUnavailable where the stream broke off. Leaving the loop ends the connection.
func (a *API) Watch(ctx context.Context, id fettle.RunID) iter.Seq2[Update, error] {
	return a.watch(ctx, id, false)
}

// Follow is Watch, with what nodes print from now on.
func (a *API) Follow(ctx context.Context, id fettle.RunID) iter.Seq2[Update, error] {
	return a.watch(ctx, id, true)
}

func (a *API) watch(ctx context.Context, id fettle.RunID, output bool) iter.Seq2[Update, error] {
	return func(yield func(Update, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := a.openStream(ctx, id, output)
		if err != nil {
			yield(Update{}, err)
			return
		}
		defer stream.Close()
		ended := false
		for u, err := range readUpdates(stream) {
			if err != nil {
				yield(Update{}, a.unreachable(ctx, fmt.Errorf("watch run %s: %w", id, err)))
				return
			}
			if !yield(u, nil) {
				return
			}
			if ended = u.Run != nil && u.Run.Ended != nil; ended {
				return
			}
		}
		if !ended {
			yield(Update{}, a.unreachable(ctx, fmt.Errorf("watch run %s: %w", id, io.ErrUnexpectedEOF)))
		}
	}
}

func (a *API) openStream(ctx context.Context, id fettle.RunID, output bool) (io.ReadCloser, error) {
	at := a.base + "/api/v1/runs/" + url.PathEscape(string(id)) + "/events"
	if output {
		at += "?output=true"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, fmt.Errorf("watch run %q: %w: %w", id, err, fettle.ErrInvalid)
	}
	r.Header.Set("Accept", "text/event-stream")
	answer, err := a.Do(r)
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

// readUpdates reads server-sent events (HTML Living Standard, "Parsing an event stream"): those of a run, and passes over what it does not know.
func readUpdates(r io.Reader) iter.Seq2[Update, error] {
	return func(yield func(Update, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxEvent)
		var name string
		var data []byte
		for lines.Scan() {
			field, value, _ := bytes.Cut(lines.Bytes(), []byte(":"))
			value = bytes.TrimPrefix(value, []byte(" "))
			switch {
			case len(lines.Bytes()) == 0:
				u, known, err := newUpdate(name, data)
				if (known || err != nil) && !yield(u, err) || err != nil {
					return
				}
				name, data = "", data[:0]
			case string(field) == "event":
				name = string(value)
			case string(field) == "data":
				if len(data)+len(value) > maxEvent {
					yield(Update{}, errors.New("an event is too long"))
					return
				}
				data = append(data, value...)
			}
		}
		if err := lines.Err(); err != nil {
			yield(Update{}, err)
		}
	}
}

// newUpdate reads the data of an event. Not known: it is none of ours, or a comment that keeps the connection alive.
func newUpdate(name string, data []byte) (u Update, known bool, err error) {
	switch name {
	case "result":
		err = json.Unmarshal(data, &u.Result)
		known = u.Result != nil
	case "output":
		err = json.Unmarshal(data, &u.Output)
		known = u.Output != nil
	case "run":
		err = json.Unmarshal(data, &u.Run)
		known = u.Run != nil
	}
	if err != nil {
		return Update{}, false, fmt.Errorf("read event %s: %w", name, err)
	}
	return u, known, nil
}
