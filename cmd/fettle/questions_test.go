package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/api"
	"github.com/fettle-dev/fettle/server/auth"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/store/storetest"
	"github.com/fettle-dev/fettle/wire"
)

// town is a real server behind REST, with nodes that a test plays, and a person who asks it by this program.
type town struct {
	t       *testing.T
	server  *server.Server
	context string // file
	seq     int64
	truths  map[fettle.NodeID]string // what nodes say to a filter; a node that is not in it does not answer
	busy    sync.WaitGroup           // answers on their way
}

// Send takes what the server sends to nodes; they answer filters, as the test says.
func (w *town) Send(_ context.Context, _ string, m wire.Message) (int, error) {
	env, err := wire.Open(m, nil, 0)
	if err != nil || env.Type != wire.TypeAsk {
		return 1, err
	}
	for id, truth := range w.truths {
		answer := wire.Answer{Question: env.ID, Truth: truth}
		if truth == "undefined" {
			answer.Missing = []string{"facts.v"}
		}
		w.busy.Go(func() { w.say(id, wire.TypeAnswer, answer) })
	}
	return 1, nil
}

const townSession = "01980000-0000-7000-8000-000000000001"

func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{t: t, context: filepath.Join(t.TempDir(), "context.yaml")}
	ctx, cancel := context.WithCancel(t.Context())
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(ctx, store.Config{DSN: storetest.SQLite(t)}, log)
	if err != nil {
		t.Fatal(err)
	}
	if w.server, err = server.New(server.DefaultConfig(), server.Parts{Store: db, Inventory: inventory.New(), Board: checks.NewBoard(), Send: w, Log: log}); err != nil {
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
	keeper := auth.New(db, log, nil)
	token, err := keeper.CreateToken(ctx, "ann", auth.Operator, 0)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := api.New(api.Config{}, w.server, keeper, log)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(handler)
	t.Cleanup(web.Close)
	if err := os.WriteFile(w.context, fmt.Appendf(nil, "url: %s\ntoken: %s\n", web.URL, token), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// say has a node send a message, and waits for the receipt.
func (w *town) say(node fettle.NodeID, kind wire.Type, body any) {
	w.t.Helper()
	m, err := wire.Seal(wire.Envelope{Type: kind, From: string(node), At: fettle.MillisOf(time.Now())}, body, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan error, 1)
	w.server.Collect(server.Incoming{Destination: (wire.Destinations{}).Facts(), Message: m, Sender: node, Done: func(err error) { done <- err }})
	if err := <-done; err != nil {
		w.t.Error(err)
	}
}

// publish has a node say what its facts are now.
func (w *town) publish(node fettle.NodeID, facts string) {
	w.t.Helper()
	doc, err := wire.Canonical([]byte(facts))
	if err != nil {
		w.t.Fatal(err)
	}
	w.seq++
	w.say(node, wire.TypeHello, wire.Hello{Session: townSession, Agent: fettle.AgentInfo{Version: "1"}})
	w.say(node, wire.TypeFacts, wire.Facts{Session: townSession, Seq: w.seq, Full: doc.Raw, Hash: doc.Hash})
}

// asked is what the program said.
type asked struct {
	code        int
	out, faults string
}

// ask runs the program against the town's server.
func (w *town) ask(args ...string) asked {
	w.t.Helper()
	var out, faults bytes.Buffer
	code := run(w.t.Context(), append([]string{"fettle", "--context", w.context}, args...), strings.NewReader(""), &out, &faults)
	return asked{code, out.String(), faults.String()}
}

// want runs the program and compares what it prints on stdout; runs of blanks count as one.
func (w *town) want(out string, args ...string) {
	w.t.Helper()
	got := w.ask(args...)
	if got.code != exitOK || squeeze(got.out) != squeeze(out) {
		w.t.Errorf("fettle %s: exit %d, %s\n%s\nwant\n%s", strings.Join(args, " "), got.code, got.faults, got.out, out)
	}
}

// wantFault runs the program and wants it to end with a code and to say something on stderr.
func (w *town) wantFault(code int, says string, args ...string) {
	w.t.Helper()
	if got := w.ask(args...); got.code != code || got.out != "" || !strings.Contains(got.faults, says) {
		w.t.Errorf("fettle %s: exit %d, want %d and %q\n%s%s", strings.Join(args, " "), got.code, code, says, got.out, got.faults)
	}
}

func squeeze(text string) string {
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestSavedFilters(t *testing.T) {
	w := newTown(t)
	w.publish("web1", `{"role":"web","env":"prod","country":"us"}`)
	w.publish("web2", `{"role":"web","env":"test","country":"us"}`)
	w.publish("db1", `{"role":"db","env":"prod","country":"de"}`)
	if got := w.ask("filter", "save", "web", "-F", "role=web", "--description", "all that serve"); got.code != exitOK || !strings.Contains(squeeze(got.out), "name @web\nfilter facts.role == \"web\"\ndescription all that serve\nowner ann\n") {
		t.Errorf("saved: %+v", got)
	}
	if got := w.ask("filter", "save", "@web-prod", `@web && facts.env == "prod"`, "-o", "json"); got.code != exitOK || !strings.Contains(got.out, `"expanded": "(facts.role == \"web\") && facts.env == \"prod\""`) {
		t.Errorf("saved: %+v", got)
	}
	w.want("web1\n", "find", "@web-prod", "-o", "names")
	w.want("web1\nweb2\n", "find", `@web && facts.country == "us"`, "-o", "names")
	w.want("web2\n", "find", "-W", "@web env=test", "-o", "names")
	w.want("web2\n", "find", "-S", "@web and not env=prod", "-o", "names")
	w.want("db1\n", "find", "!@web", "-F", "env=prod", "-o", "names")
	w.want("NAME FILTER OWNER DESCRIPTION\nweb facts.role == \"web\" ann all that serve\nweb-prod @web && facts.env == \"prod\" ann\n", "filter", "list")
	w.want("web\nweb-prod\n", "filter", "list", "-o", "names")
	if got := w.ask("filter", "show", "web-prod"); got.code != exitOK || !strings.Contains(squeeze(got.out), "stands for (facts.role == \"web\") && facts.env == \"prod\"") {
		t.Errorf("shown: %+v", got)
	}
	w.wantFault(exitUsage, "there is no saved filter @wep (did you mean @web?)\n  1 | @wep\n    | ^", "find", "@wep")
	w.wantFault(exitUsage, "in a circle: @web-prod → @web → @web-prod", "filter", "save", "web", "@web-prod")
	w.wantFault(exitFault, "used by @web-prod", "filter", "delete", "web")
	w.wantFault(exitUsage, "give a filter", "filter", "save", "everybody", "--all")
	w.wantFault(exitUsage, "cannot be the name", "filter", "save", "a b", "true")
	w.want("", "filter", "delete", "@web-prod")
	w.wantFault(exitFault, "there is no saved filter web-prod", "filter", "show", "web-prod")
}

func TestFindColumnsAndOrder(t *testing.T) {
	w := newTown(t)
	w.publish("n1", `{"memory":{"total":17179869184},"env":"prod"}`)
	w.publish("n2", `{"memory":{"total":68719476736}}`)
	w.publish("n3", `{"memory":{"total":34359738368},"env":"test"}`)
	got := w.ask("find", "--columns", `env,facts.memory.total/1073741824,facts.?env.orValue("none, so far")`, "--sort", "memory.total", "--desc", "-o", "json")
	var found struct {
		Nodes []struct {
			Identity string
			Fields   map[string]any
		}
	}
	if err := json.Unmarshal([]byte(got.out), &found); err != nil || got.code != exitOK {
		t.Fatalf("%v %+v", err, got)
	}
	if text := fmt.Sprint(found.Nodes); text != "[{n2 map[facts.?env.orValue(\"none, so far\"):none, so far facts.memory.total/1073741824:64]} "+
		"{n3 map[env:test facts.?env.orValue(\"none, so far\"):test facts.memory.total/1073741824:32]} "+
		"{n1 map[env:prod facts.?env.orValue(\"none, so far\"):prod facts.memory.total/1073741824:16]}]" {
		t.Error(text)
	}
	w.want("n3\nn1\nn2\n", "find", "--sort", "env", "--desc", "-o", "names")
	if got := w.ask("find", "--fields", "env,facts.memory.total/1073741824"); !strings.Contains(got.out, "SEEN  ENV   facts.memory.total/1073741824\n") || !regexp.MustCompile(`(?m)^n3 alive (now|[0-9]+s ago) test 32$`).MatchString(squeeze(got.out)) {
		t.Errorf("table: %+v", got)
	}
	w.wantFault(exitUsage, "undeclared name", "find", "--fields", "os.total/2")
	w.wantFault(exitUsage, "sort: path", "find", "--sort", "a..b")
}

func TestFactsByAndSummary(t *testing.T) {
	w := newTown(t)
	for i, facts := range []string{`{"role":"web","env":"prod","n":1}`, `{"role":"web","env":"prod","n":2}`, `{"role":"web","env":"test","n":2}`, `{"role":"db","n":9.5}`, `{"env":"x"}`} {
		w.publish(fettle.NodeID(fmt.Sprintf("n%d", i)), facts)
	}
	w.want("VALUE prod test (none) NODES\nweb 2 1 0 3\ndb 0 0 1 1\n", "facts", "role", "--by", "env")
	w.want("value,env,nodes\nweb,prod,2\nweb,test,1\ndb,(none),1\n", "facts", "role", "--by", "facts.env", "-o", "csv")
	w.want("NODES MIN P50 P95 MAX SUM MEAN\n4 1 2 9.5 9.5 14.5 3.625\n", "facts", "n", "--summary")
	w.want("NODES MIN P50 P95 MAX SUM MEAN\n3 1 2 2 2 5 1.667\n", "facts", "n", "--summary", "-F", "role=web")
	if got := w.ask("facts", "n"); !strings.Contains(got.faults, "1 node without it\nnumbers: min 1, p50 2, p95 9.5, max 9.5, mean 3.625") {
		t.Errorf("footer: %+v", got)
	}
	if got := w.ask("facts", "n", "-o", "json", "--summary"); !strings.Contains(squeeze(got.out), "\"numbers\": {\n\"count\": 4,\n\"max\": 9.5,") {
		t.Errorf("json: %+v", got)
	}
	w.wantFault(exitNobody, "no node has a number in role", "facts", "role", "--summary")
	w.wantFault(exitUsage, "want a PATH", "facts", "--by", "env")
	w.wantFault(exitUsage, "by: path", "facts", "role", "--by", "a..b")
}

func TestThePast(t *testing.T) {
	w := newTown(t)
	w.publish("n1", `{"os":{"minor":"7","name":"Debian"}}`)
	w.publish("n2", `{"os":{"minor":"8","name":"Debian"}}`)
	before := w.moment()
	w.publish("n1", `{"os":{"minor":"8","name":"Debian"}}`)
	w.publish("n2", `{"os":{"minor":"8"}}`)
	w.publish("n3", `{"os":{"minor":"8"}}`)
	w.want("n1\nn2\nn3\n", "find", `facts.os.minor == "8"`, "-o", "names")
	w.want("n2\n", "find", `facts.os.minor == "8"`, "-o", "names", "--as-of", before)
	w.want("n1\nn3\n", "find", `facts.os.minor == "8"`, "-o", "names", "--became-true-since", before)
	w.want("2\n", "find", `facts.os.minor == "8"`, "--count", "--became-true-since", before)
	w.want("VALUE NODES\n7 1\n8 1\n", "facts", "os.minor", "--as-of", before)
	w.want("path,value\nos.minor,7\nos.name,Debian\n", "show", "n1", "-o", "csv", "--as-of", before)
	if got := w.ask("show", "n1", "--history"); got.code != exitOK || !strings.Contains(squeeze(got.out), "os.minor 7 8") {
		t.Errorf("history: %+v", got)
	}
	if got := w.ask("show", "n2", "--history=os"); got.code != exitOK || !strings.Contains(squeeze(got.out), "os.name Debian -") {
		t.Errorf("history of a path: %+v", got)
	}
	if got := w.ask("show", "n2", "--history=os.minor"); got.code != exitOK || got.out != "" {
		t.Errorf("history of what did not change: %+v", got)
	}
	if got := w.ask("show", "n1", "--as-of", before); strings.Contains(got.out, "seen") || !strings.Contains(got.out, "minor  7") {
		t.Errorf("shown as it was: %+v", got)
	}
	if got := w.ask("find", "-I", "n1", "--as-of", before, "-o", "csv"); !strings.HasPrefix(got.out, "node,liveness,seen,os.name,os.release.full,enrolled\nn1,,,Debian,,2") {
		t.Errorf("found as it was: %+v", got)
	}
	w.wantFault(exitFault, "there is no node n3", "show", "n3", "--as-of", before)
	w.wantFault(exitNobody, "", "find", `facts.os.minor == "9"`, "--became-true-since", before)
	w.wantFault(exitUsage, "known of the present only", "find", `liveness == "alive"`, "--as-of", before)
	w.wantFault(exitUsage, "known of the present only", "find", `liveness == "alive"`, "--became-true-since", "-1h")
	w.wantFault(exitUsage, "say with a filter what became true", "find", "--became-true-since", "-1h")
	w.wantFault(exitUsage, "--became-true-since soon", "find", "true", "--became-true-since", "soon")
}

// moment gives a moment between what was published and what will be, to the second as people write it.
func (w *town) moment() string {
	w.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var at time.Time
	for began := time.Now(); ; <-tick.C {
		switch now := time.Now(); {
		case at.IsZero() && now.Truncate(time.Second).After(began):
			at = now.Truncate(time.Second)
		case !at.IsZero() && now.After(at.Add(10*time.Millisecond)):
			return at.UTC().Format(time.RFC3339)
		}
	}
}

func TestForget(t *testing.T) {
	w := newTown(t)
	w.publish("n1", `{"v":1}`)
	w.publish("n2", `{"v":1}`)
	w.publish("n3", `{"v":1}`)
	for _, id := range []fettle.NodeID{"n1", "n2"} { // as the server would have judged in five beats
		w.server.Inventory.Touch(id, fettle.Silent, fettle.MillisOf(time.Now()))
	}
	w.want("", "node", "forget", "n1", "n2")
	w.want("n3\n", "find", "-o", "names")
	w.wantFault(exitFault, "n3 is alive", "node", "forget", "n3")
	w.wantFault(exitFault, "there is no node n9", "node", "forget", "n9")
	w.wantFault(exitUsage, "NODE is missing", "node", "forget")
	w.publish("n1", `{"v":2}`)
	w.want("n1\nn3\n", "find", "-o", "names")
	w.server.Inventory.Touch("n1", fettle.Silent, fettle.MillisOf(time.Now()))
	w.want("", "node", "rename", "N1", "new1")
	w.want("n3\nnew1\n", "find", "-o", "names")
	w.want("path,value\nv,2\n", "show", "new1", "-o", "csv")
	w.wantFault(exitFault, "n3 is alive", "node", "rename", "n3", "n4")
	w.wantFault(exitFault, "there is no node n1", "node", "rename", "n1", "n4")
	w.wantFault(exitUsage, "NEW is missing", "node", "rename", "n3")
}

func TestFindLive(t *testing.T) {
	w := newTown(t)
	for id, facts := range map[fettle.NodeID]string{"same": `{"v":2}`, "stale": `{"v":2}`, "news": `{"v":1}`, "lacks": `{}`} {
		w.publish(id, facts)
	}
	w.truths = map[fettle.NodeID]string{"same": "true", "stale": "false", "news": "true", "lacks": "undefined"}
	w.want("NODE\nnews\nsame\n", "find", "--live", "facts.v == 2")
	w.want("2\n", "find", "--live", "facts.v == 2", "--count")
	w.want("NODE STORED LIVE\nnews no yes\nstale yes no\n", "find", "facts.v == 2", "--diff")
	w.want("{\"identity\":\"news\",\"stored\":false,\"live\":true}\n{\"identity\":\"same\",\"stored\":true,\"live\":true}\n", "find", "facts.v == 2", "--live", "-o", "jsonl")
	w.want("{\"identity\":\"news\",\"stored\":false,\"live\":true}\n{\"identity\":\"stale\",\"stored\":true,\"live\":false}\n", "find", "facts.v == 2", "--diff", "-o", "jsonl")
	if got := w.ask("find", "--live", "facts.v == 2"); !strings.Contains(got.faults, "1 node undefined: facts.v (1)") {
		t.Errorf("undefined: %+v", got)
	}
	w.truths = map[fettle.NodeID]string{"same": "true", "stale": "true", "news": "false"}
	if got := w.ask("find", "--diff", "facts.v == 2", "--timeout", "100ms"); got.code != exitSilent || got.out != "" || !strings.Contains(got.faults, "1 node did not answer: lacks") {
		t.Errorf("silent: %+v", got)
	}
	w.truths = map[fettle.NodeID]string{"same": "false", "stale": "false", "news": "false", "lacks": "false"}
	w.wantFault(exitNobody, "", "find", "--live", "facts.v == 2")
	w.wantFault(exitUsage, "known to the server only", "find", "--live", `liveness == "alive"`)
	w.wantFault(exitUsage, "give one", "find", "--live")
	w.wantFault(exitUsage, "--fields is about what is stored", "find", "--live", "true", "--columns", "v")
}

func TestExplain(t *testing.T) {
	w := newTown(t)
	w.publish("n1", `{"env":"prod","n":1}`)
	w.publish("n2", `{"env":"test","n":2}`)
	w.publish("n3", `{"n":2}`)
	w.want(`facts.env == "prod" && !(facts.n in ["2", 2])
1 match, 0 undefined

CLAUSE TRUE FALSE UNDEFINED HOW NODE
and 1 2 0 false
facts.env == "prod" 1 1 1 index over facts.env undefined
not 1 2 0 false
facts.n in ["2", 2] 2 1 0 index over facts.n true

n3: false
kept out by: facts.env == "prod"
kept out by: !(facts.n in ["2", 2])`, "filter", "explain", "-W", "env=prod n!=2", "--node", "N3")
	w.want(`facts.env == "prod"
1 match, 1 undefined: facts.env (1)

CLAUSE TRUE FALSE UNDEFINED HOW
facts.env == "prod" 1 1 1 index over facts.env`, "filter", "explain", "-F", "env=prod")
}
