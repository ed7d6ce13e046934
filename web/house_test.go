package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/net/html"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/api"
	"github.com/fettle-dev/fettle/server/auth"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// patience bounds what a test waits for; it is never a measure.
const patience = 20 * time.Second

// house is a server that runs on SQLite, with nodes that a test plays, and its pages and REST on one engine.
type house struct {
	*server.Server
	t       *testing.T
	keeper  *auth.Keeper
	engine  *gin.Engine
	cookie  string // the secret of a signed-in person; empty: nobody is
	seq     int64
	session string
}

// deaf is a broker behind which nobody listens.
type deaf struct{}

func (deaf) Send(context.Context, string, wire.Message) (int, error) { return 0, nil }

// newHouse opens a house in which a viewer called ann is signed in.
func newHouse(t *testing.T) *house { return newHouseWith(t, Config{}, nil) }

// newHouseWith opens a house whose fleet a test may wrap.
func newHouseWith(t *testing.T, cfg Config, wrap func(Fleet) Fleet) *house {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	db, err := store.Open(ctx, store.Config{DSN: "sqlite:" + filepath.Join(t.TempDir(), "fettle.db")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, keeper: auth.New(db, nil, nil), session: wire.NewID()}
	settings := server.DefaultConfig()
	settings.Version = "1.2.3"
	settings.Checks = []server.CheckConfig{{Name: "check_load"}, {Name: "check_disk"}}
	h.Server, err = server.New(settings, server.Parts{Store: db, Inventory: inventory.New(), Board: checks.NewBoard(), Send: deaf{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Load(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, db.Close()); err != nil {
			t.Error(err)
		}
	})
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	h.engine = api.NewEngine(log)
	var fleet Fleet = h.Server
	if wrap != nil {
		fleet = wrap(fleet)
	}
	cfg.NotFound = api.NotFound
	if err := errors.Join(api.Mount(h.engine, api.Config{Docs: Docs()}, h.Server, h.keeper, log), Mount(h.engine, cfg, fleet, h.keeper, log)); err != nil {
		t.Fatal(err)
	}
	h.cookie = h.signIn(auth.Viewer)
	return h
}

// signIn gives the secret of a session of ann's.
func (h *house) signIn(role auth.Role) string {
	h.t.Helper()
	code, err := h.keeper.LoginLink(h.t.Context(), "ann", role)
	if err != nil {
		h.t.Fatal(err)
	}
	secret, err := h.keeper.Redeem(h.t.Context(), code)
	if err != nil {
		h.t.Fatal(err)
	}
	return secret
}

// say has a node send a message, and waits for the receipt.
func (h *house) say(node fettle.NodeID, kind wire.Type, body any) {
	h.t.Helper()
	m, err := wire.Seal(wire.Envelope{Type: kind, From: string(node), At: fettle.MillisOf(time.Now())}, body, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	done := make(chan error, 1)
	h.Collect(server.Incoming{Destination: wire.Destinations{}.Facts(), Message: m, Sender: node, Done: func(err error) { done <- err }})
	select {
	case err := <-done:
		if err != nil {
			h.t.Fatalf("%s of %s: %v", kind, node, err)
		}
	case <-time.After(patience):
		h.t.Fatal("no receipt")
	}
}

// member is a node of a test.
type member struct {
	id       fettle.NodeID
	facts    any
	classes  []string
	commands []string
}

// join has nodes say hello and send their facts.
func (h *house) join(members ...member) {
	h.t.Helper()
	for _, m := range members {
		raw, err := json.Marshal(m.facts)
		if err != nil {
			h.t.Fatal(err)
		}
		doc, err := wire.Canonical(raw)
		if err != nil {
			h.t.Fatal(err)
		}
		slices.Sort(m.classes)
		h.seq++
		h.say(m.id, wire.TypeHello, wire.Hello{Session: h.session, Agent: fettle.AgentInfo{Version: "1.2.3", OS: "linux", Arch: "amd64"}, Classes: m.classes, Commands: m.commands})
		h.say(m.id, wire.TypeFacts, wire.Facts{Session: h.session, Seq: h.seq, Full: doc.Raw, Hash: doc.Hash})
	}
}

// check has a node give a result of a check.
func (h *house) check(node fettle.NodeID, name string, code fettle.CheckCode, line string) {
	h.t.Helper()
	defs, err := h.Checks(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, def := range defs {
		if def.Name != name {
			continue
		}
		h.seq++
		h.say(node, wire.TypeResults, wire.Results{Session: h.session, Seq: h.seq, Results: []fettle.Result{{
			Task: fettle.TaskID(wire.NewID()), Node: node, Action: def.Action, Check: name, CheckRev: def.Rev, Output: &fettle.CheckOutput{Code: code, Line: line},
		}}})
	}
}

// Three nodes, of which one has no environment.
func threeNodes() []member {
	type m = map[string]any
	debian := m{"family": "Debian", "name": "Debian", "release": m{"full": "12.5", "major": "12"}}
	alma := m{"family": "RedHat", "name": "AlmaLinux", "release": m{"full": "9.4", "major": "9"}}
	return []member{
		{
			id: "web1.acme.net", classes: []string{"nginx", "base::ntp"}, commands: []string{"check_load", "check_disk"},
			facts: m{"environment": "production", "os": debian, "processors": m{"count": 8}, "mountpoints": m{"/boot": m{"size": "1 GiB"}, "/": m{"size": "40 GiB"}}},
		},
		{id: "web2.acme.net", classes: []string{"nginx"}, facts: m{"environment": "staging", "os": debian, "processors": m{"count": 4}, "motd": ""}},
		{id: "db1.acme.net", classes: []string{"mysql::master"}, facts: m{"os": alma, "processors": m{"count": 32}}},
	}
}

// answer is what a page gave, to be asked by selector.
type answer struct {
	*http.Response
	t    *testing.T
	body string
	doc  *html.Node
}

// do sends a request as the person who is signed in.
func (h *house) do(method, target string, form url.Values, header ...string) answer {
	h.t.Helper()
	req := httptest.NewRequestWithContext(h.t.Context(), method, target, strings.NewReader(form.Encode()))
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if h.cookie != "" {
		req.AddCookie(&http.Cookie{Name: auth.CookieName, Value: h.cookie})
	}
	w := httptest.NewRecorder()
	h.engine.ServeHTTP(w, req)
	a := answer{Response: w.Result(), t: h.t, body: w.Body.String()}
	doc, err := html.Parse(strings.NewReader(a.body))
	if err != nil {
		h.t.Fatal(err)
	}
	a.doc = doc
	if strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") && !strings.HasPrefix(target, "/docs") {
		a.harmless()
	}
	return a
}

func (h *house) get(target string, header ...string) answer {
	h.t.Helper()
	return h.do(http.MethodGet, target, nil, header...)
}

// part gets what htmx asks for.
func (h *house) part(target string, header ...string) answer {
	h.t.Helper()
	return h.get(target, append([]string{"HX-Request", "true"}, header...)...)
}

// where gives the explorer's URL for a filter.
func where(filter string, more ...string) string {
	v := url.Values{"where": {filter}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return "/nodes?" + v.Encode()
}

func (a answer) status(want int) answer {
	a.t.Helper()
	if a.StatusCode != want {
		a.t.Fatalf("status is %d, want %d: %s", a.StatusCode, want, a.body)
	}
	return a
}

// texts gives the text of each element that a selector finds.
func (a answer) texts(selector string) []string {
	a.t.Helper()
	out := []string{}
	for _, n := range query(a.doc, selector) {
		out = append(out, text(n))
	}
	return out
}

// text gives the text of the one element that a selector finds.
func (a answer) text(selector string) string {
	a.t.Helper()
	found := a.texts(selector)
	if len(found) != 1 {
		a.t.Fatalf("%q finds %d elements in %s", selector, len(found), a.body)
	}
	return found[0]
}

// attr gives an attribute of the one element that a selector finds.
func (a answer) attr(selector, name string) string {
	a.t.Helper()
	found := query(a.doc, selector)
	if len(found) != 1 {
		a.t.Fatalf("%q finds %d elements in %s", selector, len(found), a.body)
	}
	return attr(found[0], name)
}

// linkTo gives the address of the one link below selector whose text has the words.
func (a answer) linkTo(selector, words string) string {
	a.t.Helper()
	var found []string
	for _, n := range query(a.doc, selector+" a") {
		if strings.Contains(text(n), words) {
			found = append(found, attr(n, "href"))
		}
	}
	if len(found) != 1 {
		a.t.Fatalf("%d links below %q have %q: %s", len(found), selector, words, a.body)
	}
	return found[0]
}

func (a answer) wants(selector, want string) {
	a.t.Helper()
	if got := a.text(selector); got != want {
		a.t.Errorf("%s says %q, want %q", selector, got, want)
	}
}

func (a answer) lists(selector string, want ...string) {
	a.t.Helper()
	if got := a.texts(selector); !slices.Equal(got, want) {
		a.t.Errorf("%s says %q, want %q", selector, got, want)
	}
}

// manyNodes gives n nodes with plain facts.
func manyNodes(n int) []member {
	out := make([]member, n)
	for i := range out {
		out[i] = member{id: fettle.NodeID(fmt.Sprintf("node%03d", i)), facts: map[string]any{"n": i}}
	}
	return out
}
