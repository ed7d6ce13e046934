package client

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fettle-dev/fettle"
)

// told writes updates down: a node for its result, and the state of a run.
func told(t *testing.T, text string) (out []string, err error) {
	t.Helper()
	for u, err := range readUpdates(strings.NewReader(text)) {
		switch {
		case err != nil:
			return out, err
		case u.Result != nil:
			out = append(out, string(u.Result.Node))
		default:
			out = append(out, string(u.Run.State))
		}
	}
	return out, nil
}

func TestReadUpdates(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"results and a run", "event: result\ndata: {\"node\":\"a\"}\n\nevent: run\ndata: {\"state\":\"ended\"}\n\n", []string{"a", "ended"}},
		{"comments keep the connection alive", ":\n\n: beat\n\nevent: result\n: aside\ndata: {\"node\":\"a\"}\n\n:\n\n", []string{"a"}},
		{"lines may end as on Windows", "event: result\r\ndata: {\"node\":\"a\"}\r\n\r\n", []string{"a"}},
		{"data may stand on several lines", "event: result\ndata: {\"node\":\ndata: \"a\"}\n\n", []string{"a"}},
		{"the blank after the colon may be missing", "event:result\ndata:{\"node\":\"a\"}\n\n", []string{"a"}},
		{"what is not known is passed over", "event: other\ndata: x\n\nid: 4\nretry: 5\n\nevent: result\ndata: {\"node\":\"a\"}\n\n", []string{"a"}},
		{"an event that breaks off is none", "event: result\ndata: {\"node\":\"a\"}\n", nil},
		{"an event without data is none", "event: result\ndata: null\n\n", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := told(t, row.text)
			if d := cmp.Diff(row.want, got); d != "" || err != nil {
				t.Errorf("%v\n%s", err, d)
			}
		})
	}
	t.Run("data that is no JSON is a fault", func(t *testing.T) {
		if _, err := told(t, "event: run\ndata: {\n\n"); err == nil {
			t.Error("no error")
		}
	})
	t.Run("a line without end is a fault", func(t *testing.T) {
		if _, err := told(t, "data: "+strings.Repeat("a", maxEvent)); err == nil {
			t.Error("no error")
		}
	})
	t.Run("lines without end are a fault", func(t *testing.T) {
		if _, err := told(t, strings.Repeat("data: "+strings.Repeat("a", maxEvent/4)+"\n", 5)); err == nil {
			t.Error("no error")
		}
	})
}

func FuzzReadUpdates(f *testing.F) {
	f.Add("event: result\ndata: {\"node\":\"a\",\"status\":0}\n\nevent: run\ndata: {\"state\":\"ended\",\"ended\":\"2026-11-21T03:00:00Z\"}\n\n")
	f.Add(":\n\nevent: run\r\ndata: {}\r\n\r\n")
	f.Add("data\n\nevent\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		faults := 0
		for u, err := range readUpdates(strings.NewReader(text)) {
			if err != nil {
				faults++
			} else if (u.Result == nil) == (u.Run == nil) {
				t.Errorf("an update of neither or both: %+v", u)
			}
		}
		if faults > 1 {
			t.Errorf("%d faults in one stream", faults)
		}
	})
}

func TestWatch(t *testing.T) {
	t.Run("a result is there before the next is sent", func(t *testing.T) {
		seen := make(chan struct{})
		a := handle(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/api/v1/runs/r1/events" || r.Header.Get("Authorization") != "Bearer secret" {
				t.Errorf("asked %s as %q", r.URL.Path, r.Header.Get("Authorization"))
			}
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "event: result\ndata: {\"node\":\"a\"}\n\n")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			select {
			case <-seen: // a client that waits for the whole answer never comes here
			case <-r.Context().Done():
				t.Error("the client saw nothing")
			}
			fmt.Fprint(w, "event: run\ndata: {\"state\":\"ended\",\"ended\":\"2026-11-21T03:00:00Z\"}\n\n")
		})
		var got []string
		for u, err := range a.Watch(t.Context(), "r1") {
			switch {
			case err != nil:
				t.Fatal(err)
			case u.Result != nil:
				got = append(got, string(u.Result.Node))
				close(seen)
			default:
				got = append(got, string(u.Run.State))
			}
		}
		if d := cmp.Diff([]string{"a", "ended"}, got); d != "" {
			t.Error(d)
		}
	})
	t.Run("a stream that breaks off is an error, and no end", func(t *testing.T) {
		a := serve(t, 200, "text/event-stream", "event: run\ndata: {\"state\":\"going\"}\n\n")
		var last error
		n := 0
		for _, err := range a.Watch(t.Context(), "r1") {
			n, last = n+1, err
		}
		if n != 2 || !errors.Is(last, fettle.ErrUnavailable) {
			t.Errorf("%d updates, the last with %v", n, last)
		}
	})
	t.Run("a run that is not", func(t *testing.T) {
		a := serve(t, 404, "application/problem+json", `{"status":404,"kind":"not-found","detail":"run r1"}`)
		n := 0
		for _, err := range a.Watch(t.Context(), "r1") {
			if n++; !errors.Is(err, fettle.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		}
		if n != 1 {
			t.Errorf("%d updates", n)
		}
	})
	t.Run("who leaves the loop ends the connection", func(t *testing.T) {
		gone := make(chan struct{})
		a := handle(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "event: result\ndata: {\"node\":\"a\"}\n\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(gone)
		})
		for range a.Watch(t.Context(), "r1") { //nolint:errcheck // an iterator: it ends with the loop
			break
		}
		<-gone
	})
}
