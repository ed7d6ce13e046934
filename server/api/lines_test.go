package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

const acceptLines = "application/x-ndjson"

// wornFleet is one that finds so many pages, and then no more. It serves one request at a time.
type wornFleet struct {
	*fakeFleet
	pages int
}

func (f *wornFleet) Find(ctx context.Context, q server.FindQuery) (server.FindAnswer, error) {
	if f.pages--; f.pages < 0 {
		return server.FindAnswer{}, errors.New("the store is away")
	}
	return f.fakeFleet.Find(ctx, q)
}

// identitiesOf reads a stream of nodes, and holds that each line is one.
func identitiesOf(t *testing.T, text string) (ids []fettle.NodeID) {
	t.Helper()
	for line := range strings.Lines(text) {
		var n struct {
			Identity fettle.NodeID
			Liveness fettle.Liveness
		}
		if err := json.Unmarshal([]byte(line), &n); err != nil || n.Identity == "" || n.Liveness == "" || !strings.HasSuffix(line, "}\n") {
			t.Fatalf("%v in %q", err, line)
		}
		ids = append(ids, n.Identity)
	}
	return ids
}

func TestNodesAsLines(t *testing.T) {
	b := newBench(t, Config{})
	lines := func(query string) answered {
		return b.ask(auth.Viewer, "GET", "/api/v1/nodes"+query, "", "Accept", acceptLines)
	}
	t.Run("a node a line, with its fields", func(t *testing.T) {
		a := lines(`?where=facts.env+==+"prod"&fields=env,serial`)
		if a.status != 200 || a.header.Get("Content-Type") != acceptLines || strings.Count(a.body, "\n") != 1 {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
		sameJSON(t, a.body, `{"identity":"web1.acme.net","liveness":"alive","seen":"2026-11-21T03:00:00Z","enrolled":"2026-11-20T03:00:00Z",
			"facts_at":"2026-11-21T02:00:00Z","fields":{"env":"prod","serial":9007199254740993}}`)
	})
	t.Run("a limit bounds the stream, and no stream is a page", func(t *testing.T) {
		for query, want := range map[string]string{
			"": "[db1.acme.net web1.acme.net web2.acme.net]", "?limit=2": "[db1.acme.net web1.acme.net]", "?limit=2&desc=true": "[web2.acme.net web1.acme.net]",
			"?limit=10000": "[db1.acme.net web1.acme.net web2.acme.net]", "?where=false": "[]",
		} {
			if got := fmt.Sprint(identitiesOf(t, lines(query).body)); got != want {
				t.Errorf("%q: %s, want %s", query, got, want)
			}
		}
	})
	t.Run("the type may stand among others, and a count is an object all the same", func(t *testing.T) {
		if a := b.ask(auth.Viewer, "GET", "/api/v1/nodes", "", "Accept", "application/json;q=0.5, application/x-ndjson; charset=utf-8"); len(identitiesOf(t, a.body)) != 3 {
			t.Error(a.body)
		}
		sameJSON(t, lines("?count=true").body, `{"matched":3,"undefined":0,"undefined_by":{},"next":"","nodes":[]}`)
	})
	t.Run("a wrong question is a problem", func(t *testing.T) {
		for query, status := range map[string]int{"?where=os.family": 422, "?where=": 422, "?wher=true": 422, "?limit=0": 422} {
			if a := lines(query); a.status != status || a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s: %d %v %s", query, a.status, a.header, a.body)
			}
		}
	})
}

// Many pages come as one stream, and what cannot be read to the end does not look as if it were all.
func TestLinesOfManyPages(t *testing.T) {
	b := newBench(t, Config{})
	const many = streamFactsPage*2 + 7
	for i := range many {
		if err := b.fleet.nodes.Put(fettle.Node{Identity: fettle.NodeID(fmt.Sprintf("n%05d", i)), Facts: json.RawMessage(`{"n":1}`), Hash: "h", Liveness: fettle.Alive, Rev: 1}); err != nil {
			t.Fatal(err)
		}
	}
	get := func(base string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", base+"/api/v1/nodes?where=facts.n+==+1&fields=n", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", acceptLines)
		r.Header.Set("Authorization", "Bearer "+b.tokens[auth.Viewer])
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	whole := get(b.url)
	defer whole.Body.Close()
	text, err := io.ReadAll(whole.Body)
	if err != nil {
		t.Fatal(err)
	}
	if ids := identitiesOf(t, string(text)); len(ids) != many || ids[0] != "n00000" || ids[many-1] != fettle.NodeID(fmt.Sprintf("n%05d", many-1)) {
		t.Errorf("%d nodes", len(ids))
	}
	handler, err := New(Config{}, &wornFleet{fakeFleet: b.fleet, pages: 1}, b.keeper, slog.New(slog.NewTextHandler(b.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(handler)
	defer web.Close()
	broken := get(web.URL)
	defer broken.Body.Close()
	lines, read := bufio.NewScanner(broken.Body), 0
	for lines.Scan() {
		read++
	}
	if broken.StatusCode != http.StatusOK || lines.Err() == nil || read >= many {
		t.Errorf("%d, %d lines, %v", broken.StatusCode, read, lines.Err())
	}
	if !strings.Contains(b.log.String(), "the store is away") {
		t.Error("nothing was logged")
	}
}
