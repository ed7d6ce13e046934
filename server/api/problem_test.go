package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// problem reads an answer that has to be one.
func (a answered) problem(t *testing.T) Problem {
	t.Helper()
	var p Problem
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("%d with content type %q: %s", a.status, got, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	if p.Status != a.status || p.Title != http.StatusText(a.status) || p.Detail == "" || p.RequestID != a.header.Get("X-Request-Id") || p.RequestID == "" {
		t.Errorf("%d, request %s: %s", a.status, a.header.Get("X-Request-Id"), a.body)
	}
	return p
}

func TestKinds(t *testing.T) {
	b := newBench(t, Config{})
	for _, row := range []struct {
		err          error
		status       int
		kind, detail string
	}{
		{fmt.Errorf("node web9: %w", fettle.ErrNotFound), 404, "not-found", "node web9"},
		{fmt.Errorf("limit 0: %w", fettle.ErrInvalid), 422, "invalid", "limit 0"},
		{fmt.Errorf("run 1 has ended: %w", fettle.ErrConflict), 409, "conflict", "run 1 has ended"},
		{fmt.Errorf("not for you: %w", fettle.ErrDenied), 403, "denied", "not for you"},
		{fmt.Errorf("the store is away: %w", fettle.ErrUnavailable), 503, "unavailable", "the store is away"},
		{fettle.ErrUnavailable, 503, "unavailable", "unavailable"},
		{fmt.Errorf("find nodes: %w", context.DeadlineExceeded), 503, "unavailable", "this took longer than a request may"},
		{errors.New("secret of the house"), 500, "fault", "internal error"},
	} {
		t.Run(row.err.Error(), func(t *testing.T) {
			b.fleet.fail(row.err)
			for _, path := range []string{"/api/v1/nodes", "/api/v1/nodes/web1", "/api/v1/facts", "/api/v1/facts/os", "/api/v1/runs", "/api/v1/runs/1", "/api/v1/runs/1/events", "/api/v1/checks", "/api/v1/verdicts"} {
				a := b.ask(auth.Viewer, "GET", path, "")
				if p := a.problem(t); a.status != row.status || p.Kind != row.kind || p.Detail != row.detail {
					t.Errorf("%s: %d %s", path, a.status, a.body)
				}
			}
		})
	}
	t.Run("a fault is in the log with its request, and is not shown", func(t *testing.T) {
		b.fleet.fail(errors.New("secret of the house"))
		a := b.ask(auth.Viewer, "GET", "/api/v1/nodes", "")
		if log := b.log.String(); strings.Contains(a.body, "secret") || !strings.Contains(log, "secret of the house") || !strings.Contains(log, a.problem(t).RequestID) {
			t.Errorf("%s\n%s", a.body, log)
		}
	})
	t.Run("what is not a fault of ours is not logged", func(t *testing.T) {
		before := b.log.String()
		b.fleet.fail(fettle.ErrNotFound)
		b.ask(auth.Viewer, "GET", "/api/v1/nodes", "")
		if log := b.log.String(); log != before {
			t.Error(log[len(before):])
		}
	})
}

func TestBadFilter(t *testing.T) {
	b := newBench(t, Config{})
	for _, row := range []struct{ name, path, detail, text string }{
		{"an undeclared name", `/api/v1/nodes?where=os.family+==+"Debian"`, "os", "os.family == \"Debian\"\n    | ^"},
		{"a filter that does not end", `/api/v1/facts?where=facts.env+==`, "", "facts.env =="},
		{"the second line", `/api/v1/nodes?where=true+%26%26%0Anope`, "nope", "2 | nope\n    | ^"},
		{"the short form", `/api/v1/nodes?short=a%3D%22b`, "", "a=\"b"},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := b.ask(auth.Viewer, "GET", row.path, "")
			p := a.problem(t)
			if a.status != 422 || p.Kind != "invalid" || p.Line < 1 || p.Column < 1 || !strings.Contains(p.Detail, row.detail) || !strings.Contains(p.Text, row.text) || !strings.Contains(p.Text, "^") {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	t.Run("a suggestion is handed on", func(t *testing.T) {
		b.fleet.fail(fmt.Errorf("find nodes: %w", &server.FilterError{Line: 1, Column: 1, Text: "os", Message: "undeclared name", Suggestion: "did you mean facts.os.family?"}))
		a := b.ask(auth.Viewer, "GET", "/api/v1/nodes?where=os", "")
		if p := a.problem(t); !strings.Contains(p.Suggestion, "facts.os.family") {
			t.Error(a.body)
		}
	})
}

func TestBadRequests(t *testing.T) {
	b := newBench(t, Config{})
	for _, row := range []struct {
		name               string
		role               auth.Role
		method, path, body string
		status             int
		kind, detail       string
	}{
		{"an empty filter is not everything", auth.Viewer, "GET", "/api/v1/nodes?where=", "", 422, "invalid", "empty"},
		{"an empty short form neither", auth.Viewer, "GET", "/api/v1/facts?short=", "", 422, "invalid", "empty"},
		{"a blank filter neither", auth.Viewer, "GET", "/api/v1/prometheus/sd?where=%20", "", 422, "invalid", "empty"},
		{"an empty filter of a check", auth.Viewer, "GET", "/api/v1/verdicts/check_load?where=", "", 422, "invalid", "empty"},
		{"two spellings", auth.Viewer, "GET", "/api/v1/nodes?where=true&short=a", "", 422, "invalid", "two spellings"},
		{"a parameter with a slip of the pen", auth.Viewer, "GET", "/api/v1/nodes?wher=true", "", 422, "invalid", "query.wher"},
		{"a limit that is no number", auth.Viewer, "GET", "/api/v1/nodes?limit=many", "", 422, "invalid", "query.limit"},
		{"a limit of nothing", auth.Viewer, "GET", "/api/v1/nodes?limit=0", "", 422, "invalid", "query.limit"},
		{"a limit of too much", auth.Viewer, "GET", "/api/v1/nodes?limit=10001", "", 422, "invalid", "query.limit"},
		{"a cursor of nobody", auth.Viewer, "GET", "/api/v1/nodes?cursor=%25", "", 422, "invalid", ""},
		{"a field that is neither path nor CEL", auth.Viewer, "GET", "/api/v1/nodes?fields=a..b", "", 422, "invalid", ".. cannot stand here"},
		{"a field of a name that is not", auth.Viewer, "GET", "/api/v1/nodes?fields=os.cores%2F2", "", 422, "invalid", `undeclared name "os"`},
		{"an order by no path", auth.Viewer, "GET", "/api/v1/nodes?sort=a..b", "", 422, "invalid", "sort: path"},
		{"a moment that is none", auth.Viewer, "GET", "/api/v1/nodes?where=true&became_true_since=noon", "", 422, "invalid", "became_true_since"},
		{"a second fact that cannot be", auth.Viewer, "GET", "/api/v1/facts/os?by=a..b", "", 422, "invalid", "by: path"},
		{"too many fields", auth.Viewer, "GET", "/api/v1/nodes?fields=" + strings.Repeat("a,", 51), "", 422, "invalid", "51 fields"},
		{"an identity that cannot be", auth.Viewer, "GET", "/api/v1/nodes/a%20b", "", 422, "invalid", "identity"},
		{"a node that is not", auth.Viewer, "GET", "/api/v1/nodes/web9", "", 404, "not-found", "node web9"},
		{"a fact path that cannot be", auth.Viewer, "GET", "/api/v1/facts/a..b", "", 422, "invalid", "path"},
		{"nothing to explain", auth.Viewer, "GET", "/api/v1/filter/explain", "", 422, "invalid", "empty"},
		{"nobody to run on", auth.Operator, "POST", "/api/v1/runs", `{"action":"agent.ping"}`, 422, "invalid", "no nodes are named"},
		{"an empty filter to run on", auth.Operator, "POST", "/api/v1/runs", `{"action":"agent.ping","where":" "}`, 422, "invalid", "empty"},
		{"an action that is not", auth.Operator, "POST", "/api/v1/runs", `{"action":"agent.fly","all":true}`, 404, "not-found", "agent.fly"},
		{"no action", auth.Operator, "POST", "/api/v1/runs", `{"all":true}`, 422, "invalid", "action"},
		{"a timeout that is none", auth.Operator, "POST", "/api/v1/runs", `{"action":"agent.ping","all":true,"timeout":"soon"}`, 422, "invalid", "timeout"},
		{"a member with a slip of the pen", auth.Operator, "POST", "/api/v1/runs", `{"action":"agent.ping","al":true}`, 422, "invalid", "al"},
		{"a body that is no JSON", auth.Operator, "POST", "/api/v1/runs", `{"action":`, 400, "invalid", ""},
		{"no body", auth.Operator, "POST", "/api/v1/runs", "", 400, "invalid", "body"},
		{"a roster that is not", auth.Operator, "POST", "/api/v1/runs", `{"action":"agent.ping","roster":"r"}`, 404, "not-found", "roster r"},
		{"a run that is not", auth.Viewer, "GET", "/api/v1/runs/x", "", 404, "not-found", "run x"},
		{"results of a run that is not", auth.Viewer, "GET", "/api/v1/runs/x/results", "", 404, "not-found", "run x"},
		{"an unknown check", auth.Viewer, "GET", "/api/v1/verdicts/check_nothing", "", 404, "not-found", "check_nothing"},
		{"a verdict that takes too long", auth.Viewer, "GET", "/api/v1/verdicts/check_load?timeout=1h", "", 422, "invalid", "timeout"},
		{"a role that is none", auth.Admin, "POST", "/api/v1/tokens", `{"name":"a","role":"boss"}`, 422, "invalid", "role"},
		{"a port that is none", auth.Viewer, "GET", "/api/v1/prometheus/sd?port=70000", "", 422, "invalid", "port"},
		{"a path that is not", auth.Viewer, "GET", "/api/v1/nope", "", 404, "not-found", "/api/v1/nope"},
		{"a path that is not, elsewhere", "", "GET", "/nope", "", 404, "not-found", "/nope"},
		{"a method that is not", auth.Viewer, "DELETE", "/api/v1/nodes", "", 405, "invalid", "DELETE"},
		{"a body that is too large", auth.Operator, "POST", "/api/v1/runs", `{"action":"` + strings.Repeat("a", maxBody) + `"}`, 413, "invalid", "too large"},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := b.ask(row.role, row.method, row.path, row.body)
			if p := a.problem(t); a.status != row.status || p.Kind != row.kind || !strings.Contains(p.Detail, row.detail) {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	t.Run("every bad member is named", func(t *testing.T) {
		a := b.ask(auth.Admin, "POST", "/api/v1/tokens", `{"name":"","role":"boss","more":1}`)
		if p := a.problem(t); len(p.Errors) != 3 {
			t.Error(a.body)
		}
	})
}

func TestWhoMayWhat(t *testing.T) {
	b := newBench(t, Config{})
	run := `{"action":"agent.ping","all":true}`
	for _, row := range []struct {
		role               auth.Role
		method, path, body string
		status             int
	}{
		{"", "GET", "/api/v1/nodes", "", 401},
		{"stranger", "GET", "/api/v1/nodes", "", 401},
		{"", "POST", "/api/v1/runs", run, 401},
		{"", "GET", "/api/v1/version", "", 401},
		{auth.Viewer, "GET", "/api/v1/nodes", "", 200},
		{auth.Viewer, "POST", "/api/v1/rosters", `{"all":true}`, 201},
		{auth.Viewer, "POST", "/api/v1/runs", run, 403},
		{auth.Viewer, "POST", "/api/v1/runs", "{}", 403}, // before the body is read
		{auth.Viewer, "POST", "/api/v1/runs/x/cancel", "", 403},
		{auth.Viewer, "GET", "/api/v1/tokens", "", 403},
		{auth.Operator, "POST", "/api/v1/runs", run, 201},
		{auth.Operator, "GET", "/api/v1/tokens", "", 403},
		{auth.Operator, "POST", "/api/v1/tokens", `{"name":"a","role":"admin"}`, 403},
		{auth.Operator, "DELETE", "/api/v1/tokens/x", "", 403},
		{auth.Admin, "POST", "/api/v1/runs", run, 201},
		{auth.Admin, "GET", "/api/v1/tokens", "", 200},
	} {
		t.Run(fmt.Sprintf("%s %s %s", row.role, row.method, row.path), func(t *testing.T) {
			a := b.ask(row.role, row.method, row.path, row.body)
			if a.status != row.status {
				t.Errorf("%d %s", a.status, a.body)
			}
			if row.status >= 400 && a.problem(t).Kind != "denied" {
				t.Error(a.body)
			}
			if got := a.header.Get("WWW-Authenticate"); (row.status == 401) != strings.HasPrefix(got, "Bearer") {
				t.Errorf("WWW-Authenticate: %q", got)
			}
		})
	}
}

func TestCookie(t *testing.T) {
	b := newBench(t, Config{})
	cookie := auth.CookieName + "=" + b.tokens[auth.Operator]
	run := `{"action":"agent.ping","all":true}`
	for _, row := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
	}{
		{"a page reads", "GET", "/api/v1/nodes", "", []string{"Cookie", cookie}, 200},
		{"a page acts", "POST", "/api/v1/runs", run, []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin"}, 201},
		{"another site acts", "POST", "/api/v1/runs", run, []string{"Cookie", cookie, "Sec-Fetch-Site", "cross-site"}, 403},
		{"another origin acts", "POST", "/api/v1/runs", run, []string{"Cookie", cookie, "Origin", "https://evil.example"}, 403},
		{"a wrong cookie", "GET", "/api/v1/nodes", "", []string{"Cookie", auth.CookieName + "=x"}, 401},
	} {
		t.Run(row.name, func(t *testing.T) {
			if a := b.ask("", row.method, row.path, row.body, row.headers...); a.status != row.status {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

func TestRequestID(t *testing.T) {
	b := newBench(t, Config{})
	if a := b.ask("", "GET", "/nope", "", "X-Request-Id", "proxy-1.2_3"); a.problem(t).RequestID != "proxy-1.2_3" {
		t.Errorf("a proxy's id is lost: %s", a.body)
	}
	if a := b.ask("", "GET", "/nope", "", "X-Request-Id", "a b=c"); a.problem(t).RequestID == "a b=c" {
		t.Error("an id that would spoil the log is taken")
	}
	one, other := b.ask("", "GET", "/nope", "").problem(t), b.ask("", "GET", "/nope", "").problem(t)
	if one.RequestID == other.RequestID {
		t.Error("two requests have one id")
	}
}

func TestPanic(t *testing.T) {
	b := newBench(t, Config{})
	r, ok := b.handler.(*gin.Engine)
	if !ok {
		t.Fatal("the handler is no engine")
	}
	r.GET("/boom", func(*gin.Context) { panic("the house is on fire") })
	a := b.ask("", "GET", "/boom", "")
	if p := a.problem(t); a.status != 500 || p.Kind != "fault" || strings.Contains(a.body, "fire") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if log := b.log.String(); !strings.Contains(log, "the house is on fire") || !strings.Contains(log, "TestPanic") {
		t.Errorf("the log does not tell where: %s", log)
	}
}

func TestTimeLimit(t *testing.T) {
	b := newBench(t, Config{Timeout: 10 * time.Millisecond})
	b.fleet.stuck = true
	a := b.ask(auth.Viewer, "GET", "/api/v1/nodes", "")
	if p := a.problem(t); a.status != 503 || p.Kind != "unavailable" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestConfig(t *testing.T) {
	err := Config{Timeout: -1, ShrinkTo: 2, ShrinkHold: -1}.Validate()
	if !errors.Is(err, fettle.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	for _, key := range []string{"timeout", "shrink-to", "shrink-hold"} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not named in %v", key, err)
		}
	}
	if _, err := New(Config{Timeout: -1}, nil, nil, slog.New(slog.DiscardHandler)); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}
