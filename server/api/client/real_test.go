package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/api"
	"github.com/fettle-dev/fettle/server/api/client"
	"github.com/fettle-dev/fettle/server/auth"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/store/storetest"
	"github.com/fettle-dev/fettle/wire"
)

const session = "01980000-0000-7000-8000-000000000001"

// patience bounds what a test waits for; it is never a measure.
const patience = time.Minute

// town is a real server with its store, behind REST, and nodes that answer what they are asked at once.
type town struct {
	t      *testing.T
	server *server.Server
	log    *slog.Logger

	mu    sync.Mutex
	seq   int64                  // guarded by mu
	mute  map[fettle.NodeID]bool // guarded by mu: take tasks, and never answer
	busy  sync.WaitGroup         // answers on their way
	asked []string               // guarded by mu: actions that nodes were asked for
}

// Send takes what the server sends to nodes, as a broker does.
func (w *town) Send(_ context.Context, _ string, m wire.Message) (int, error) {
	env, err := wire.Open(m, nil, 0)
	if err != nil {
		return 0, err
	}
	var task fettle.Task
	if env.Type != wire.TypeTask {
		return 1, nil
	}
	if err := env.Decode(&task); err != nil {
		return 0, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, task.Action)
	if !w.mute[task.Node] {
		w.busy.Go(func() { w.answer(task) })
	}
	return 1, nil
}

func (w *town) answer(task fettle.Task) {
	r := fettle.Result{Task: task.ID, Node: task.Node, Run: task.Run, Action: task.Action, Message: "OK", Data: map[string]any{"version": "1"}, TookMS: 3}
	if task.Action == "nrpe.check" {
		r.Output = &fettle.CheckOutput{Code: fettle.CodeOK, Line: "OK - load is low"}
		if task.Node == "db1" {
			r.Output = &fettle.CheckOutput{Code: fettle.CodeCritical, Line: "CRITICAL - load is high"}
		}
	}
	w.say(task.Node, wire.TypeResults, wire.Results{Session: session, Seq: w.next(), Results: []fettle.Result{r}})
}

func (w *town) next() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq++
	return w.seq
}

// say has a node send a message, and waits for the receipt.
func (w *town) say(node fettle.NodeID, kind wire.Type, body any) {
	m, err := wire.Seal(wire.Envelope{Type: kind, From: string(node), At: fettle.MillisOf(time.Now())}, body, nil)
	if err != nil {
		w.t.Error(err)
		return
	}
	done := make(chan error, 1)
	w.server.Collect(server.Incoming{Destination: (wire.Destinations{}).Facts(), Message: m, Sender: node, Done: func(err error) { done <- err }})
	select {
	case <-done: // a refusal is seen by what is missing
	case <-time.After(patience):
		w.t.Error("no receipt")
	}
}

// newTown gives a client of a server with the nodes web1, web2 and db1, as a person of the role.
func newTown(t *testing.T, role auth.Role) (*town, *client.API) {
	t.Helper()
	w := &town{t: t, log: slog.New(slog.DiscardHandler), mute: map[fettle.NodeID]bool{}}
	ctx, cancel := context.WithCancel(t.Context())
	db, err := store.Open(ctx, store.Config{DSN: storetest.SQLite(t)}, w.log)
	if err != nil {
		t.Fatal(err)
	}
	w.server, err = server.New(server.DefaultConfig(), server.Parts{Store: db, Inventory: inventory.New(), Board: checks.NewBoard(), Send: w, Log: w.log})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.server.Load(ctx); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- w.server.Run(ctx) }()
	t.Cleanup(func() {
		w.busy.Wait()
		cancel()
		if err := errors.Join(<-ended, db.Close()); err != nil {
			t.Error(err)
		}
	})
	for node, facts := range map[fettle.NodeID]string{
		"web1": `{"env":"prod","os":{"family":"Debian"}}`, "web2": `{"os":{"family":"Debian"}}`, "db1": `{"env":"test","os":{"family":"RedHat"}}`,
	} {
		doc, err := wire.Canonical([]byte(facts))
		if err != nil {
			t.Fatal(err)
		}
		w.say(node, wire.TypeHello, wire.Hello{Session: session, Agent: fettle.AgentInfo{Version: "1"}, Commands: []string{"check_load"}})
		w.say(node, wire.TypeFacts, wire.Facts{Session: session, Seq: w.next(), Full: doc.Raw, Hash: doc.Hash})
	}
	keeper := auth.New(db, w.log, nil)
	token, err := keeper.CreateToken(ctx, "ann", role, 0)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := api.New(api.Config{}, w.server, keeper, w.log)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(handler)
	t.Cleanup(web.Close)
	a, err := client.New(web.URL, token, "")
	if err != nil {
		t.Fatal(err)
	}
	return w, a
}

func TestQuestions(t *testing.T) {
	_, a := newTown(t, auth.Viewer)
	t.Run("find", func(t *testing.T) {
		list, err := a.FindAll(t.Context(), client.FindNodesParams{Where: new(`facts.env == "prod"`), Fields: new("os.family")})
		if err != nil || list.Matched != 1 || list.Undefined != 1 || len(list.Nodes) != 1 || list.Nodes[0].Identity != "web1" || string(list.Nodes[0].Fields["os.family"]) != `"Debian"` {
			t.Errorf("got %+v, %v", list, err)
		}
	})
	t.Run("every page is followed", func(t *testing.T) {
		list, err := a.FindAll(t.Context(), client.FindNodesParams{})
		if err != nil || len(list.Nodes) != 3 {
			t.Errorf("got %+v, %v", list, err)
		}
	})
	t.Run("a bad filter tells where, and what may have been meant", func(t *testing.T) {
		_, err := a.Find(t.Context(), &client.FindNodesParams{Where: new(`os.family == "Debian"`)})
		var known *client.Error
		if !errors.Is(err, fettle.ErrInvalid) || !errors.As(err, &known) || known.Line == nil || *known.Line != 1 || !strings.Contains(err.Error(), "| ^") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("show", func(t *testing.T) {
		n, err := a.Node(t.Context(), "web1")
		if err != nil || n.Identity != "web1" || string(n.Facts) != `{"env":"prod","os":{"family":"Debian"}}` || n.Liveness != fettle.Alive {
			t.Errorf("got %+v, %v", n, err)
		}
		if _, err := a.Node(t.Context(), "web9"); !errors.Is(err, fettle.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("facts", func(t *testing.T) {
		paths, err := a.FactPaths(t.Context(), nil)
		if err != nil || len(paths.Paths) != 2 {
			t.Errorf("got %+v, %v", paths, err)
		}
		values, err := a.FactValues(t.Context(), "os.family", &client.CountValuesParams{})
		if err != nil || len(values.Values) != 2 || string(values.Values[0].Value) != `"Debian"` || values.Values[0].Count != 2 {
			t.Errorf("got %+v, %v", values, err)
		}
	})
	t.Run("explain", func(t *testing.T) {
		x, err := a.Explain(t.Context(), client.ExplainOrder{Short: new("env=prod"), Node: new(fettle.NodeID("web2"))})
		if err != nil || x.Matched != 1 || x.Node == nil || x.Node.Truth != "undefined" {
			t.Errorf("got %+v, %v", x, err)
		}
	})
	t.Run("a viewer runs nothing", func(t *testing.T) {
		if _, err := a.StartRun(t.Context(), client.RunOrder{Action: "agent.ping", All: new(true)}); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("targets", func(t *testing.T) {
		groups, err := a.ScrapeTargets(t.Context(), &client.PrometheusTargetsParams{Short: new("env=prod")})
		if err != nil || len(groups) != 1 || !slices.Equal(groups[0].Targets, []string{"web1:9100"}) {
			t.Errorf("got %+v, %v", groups, err)
		}
	})
}

func TestMetricsOfAServer(t *testing.T) {
	_, a := newTown(t, auth.Viewer)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fettle_nodes", "fettle_server_messages_total"} {
		if families[name] == nil {
			t.Errorf("%s is not there", name)
		}
	}
	for name, f := range families {
		if f.GetHelp() == "" || f.GetType() == dto.MetricType_UNTYPED {
			t.Errorf("%s has no help or no type", name)
		}
	}
}

func TestRun(t *testing.T) {
	w, a := newTown(t, auth.Operator)
	t.Run("a run is watched to its end", func(t *testing.T) {
		run, err := a.StartRun(t.Context(), client.RunOrder{Action: "agent.ping", All: new(true)})
		if err != nil {
			t.Fatal(err)
		}
		var nodes []string
		var last *client.RunSummary
		for u, err := range a.Watch(t.Context(), run.Run) {
			if err != nil {
				t.Fatal(err)
			}
			if u.Result != nil {
				nodes = append(nodes, string(u.Result.Node))
			} else {
				last = u.Run
			}
		}
		slices.Sort(nodes)
		if fmt.Sprint(nodes) != "[db1 web1 web2]" || last == nil || last.Tally != (fettle.Tally{Roster: 3, OK: 3}) || last.State != fettle.RunEnded || last.Caller != "ann" {
			t.Errorf("results of %v, at last %+v", nodes, last)
		}
		shown, err := a.Run(t.Context(), run.Run)
		if err != nil || len(shown.Results) != 3 || string(shown.Results[0].Data) != `{"version":"1"}` {
			t.Errorf("got %+v, %v", shown, err)
		}
		list, err := a.Runs(t.Context(), nil)
		if err != nil || len(list.Runs) != 1 || list.Runs[0].Run != run.Run {
			t.Errorf("got %+v, %v", list, err)
		}
	})
	t.Run("a preview fixes the roster", func(t *testing.T) {
		roster, err := a.Preview(t.Context(), client.PreviewOrder{Short: new("os.family=Debian")})
		if err != nil || roster.Count != 2 {
			t.Fatalf("got %+v, %v", roster, err)
		}
		run, err := a.StartRun(t.Context(), client.RunOrder{Action: "agent.ping", Roster: &roster.Roster})
		if err != nil || run.Tally.Roster != 2 {
			t.Errorf("got %+v, %v", run, err)
		}
	})
	t.Run("who does not answer is named, and the run can be cancelled", func(t *testing.T) {
		w.mu.Lock()
		w.mute["web2"] = true
		w.mu.Unlock()
		run, err := a.StartRun(t.Context(), client.RunOrder{Action: "agent.ping", All: new(true), Timeout: new("1m")})
		if err != nil {
			t.Fatal(err)
		}
		results := 0
		for u, err := range a.Watch(t.Context(), run.Run) {
			if err != nil {
				t.Fatal(err)
			}
			if u.Result != nil {
				results++
			}
			if results == 2 {
				break
			}
		}
		nodes, err := a.UnansweredAll(t.Context(), run.Run, "")
		if err != nil || !slices.Equal(nodes, []fettle.NodeID{"web2"}) {
			t.Errorf("got %v, %v", nodes, err)
		}
		if _, err := a.CancelRun(t.Context(), run.Run); err != nil {
			t.Error(err)
		}
	})
	t.Run("what cannot be run is refused with its reason", func(t *testing.T) {
		for _, row := range []struct {
			in   client.RunOrder
			kind error
		}{
			{client.RunOrder{Action: "agent.fly", All: new(true)}, fettle.ErrNotFound},
			{client.RunOrder{Action: "agent.ping"}, fettle.ErrInvalid},
			{client.RunOrder{Action: "agent.ping", Where: new("")}, fettle.ErrInvalid},
			{client.RunOrder{Action: "nrpe.check", All: new(true)}, fettle.ErrInvalid},
			{client.RunOrder{Action: "agent.ping", Roster: new("nothing")}, fettle.ErrNotFound},
		} {
			if _, err := a.StartRun(t.Context(), row.in); !errors.Is(err, row.kind) {
				t.Errorf("%+v: %v", row.in, err)
			}
		}
	})
}

func TestVerdict(t *testing.T) {
	_, a := newTown(t, auth.Viewer)
	v, err := a.Verdict(t.Context(), "check_load", nil)
	if err != nil || v.Status != fettle.CheckCritical || v.Tally.Total != 3 || v.Tally.OK != 2 || !slices.Equal(v.Nodes[fettle.CheckCritical], []fettle.NodeID{"db1"}) {
		t.Errorf("got %+v, %v", v, err)
	}
	if v, err = a.Verdict(t.Context(), "check_load", &client.AskVerdictParams{Short: new("os.family=Debian")}); err != nil || v.Status != fettle.CheckOK {
		t.Errorf("got %+v, %v", v, err)
	}
	if _, err := a.Verdict(t.Context(), "check_nothing", nil); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if list, err := a.Commands(t.Context()); err != nil || !slices.Equal(list, []string{"check_load"}) {
		t.Errorf("got %v, %v", list, err)
	}
	if list, err := a.Actions(t.Context()); err != nil || len(list) == 0 {
		t.Errorf("got %v, %v", list, err)
	}
	if list, err := a.Verdicts(t.Context()); err != nil || list == nil {
		t.Errorf("got %v, %v", list, err)
	}
	if list, err := a.Checks(t.Context()); err != nil || list == nil {
		t.Errorf("got %v, %v", list, err)
	}
}

func TestTokens(t *testing.T) {
	_, a := newTown(t, auth.Admin)
	made, err := a.CreateToken(t.Context(), client.TokenOrder{Name: "nagios", Role: "viewer", Ttl: new("1h")})
	if err != nil || made.Token == "" {
		t.Fatalf("got %+v, %v", made, err)
	}
	other, err := client.New(a.URL(), made.Token, "")
	if err != nil {
		t.Fatal(err)
	}
	if who, err := other.Whoami(t.Context()); err != nil || who.Name != "nagios" || who.Role != "viewer" {
		t.Errorf("got %+v, %v", who, err)
	}
	if list, err := a.Tokens(t.Context()); err != nil || len(list) != 2 {
		t.Errorf("got %+v, %v", list, err)
	}
	if err := a.DeleteToken(t.Context(), made.Id); err != nil {
		t.Error(err)
	}
	if err := a.DeleteToken(t.Context(), made.Id); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := other.Version(t.Context()); !errors.Is(err, fettle.ErrDenied) {
		t.Errorf("got %v", err)
	}
}
