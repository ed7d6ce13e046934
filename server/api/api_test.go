package api

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
	"github.com/fettle-dev/fettle/store/storetest"
)

// bench is the REST face on a fleet, with a token of each role.
type bench struct {
	t       *testing.T
	fleet   *fakeFleet
	keeper  *auth.Keeper
	tokens  map[auth.Role]string
	log     *logBook
	handler http.Handler
	url     string
}

// logBook collects what is logged.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newBench(t *testing.T, cfg Config) *bench {
	t.Helper()
	b := &bench{t: t, fleet: newFleet(), tokens: map[auth.Role]string{}, log: &logBook{}}
	log := slog.New(slog.NewTextHandler(b.log, nil))
	s := storetest.Open(t)
	b.keeper = auth.New(s, nil, nil)
	var err error
	for _, role := range []auth.Role{auth.Viewer, auth.Operator, auth.Admin} {
		if b.tokens[role], err = b.keeper.CreateToken(t.Context(), string(role), role, 0); err != nil {
			t.Fatal(err)
		}
	}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return now }
	}
	if b.handler, err = New(cfg, b.fleet, b.keeper, log); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(b.handler)
	t.Cleanup(web.Close)
	b.url = web.URL
	return b
}

// answered is an answer, read whole.
type answered struct {
	status int
	header http.Header
	body   string
}

// ask sends a request with the token of a role; an empty role sends none.
func (b *bench) ask(role auth.Role, method, path, body string, headers ...string) answered {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if role != "" {
		r.Header.Set("Authorization", "Bearer "+b.tokens[role])
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answered{answer.StatusCode, answer.Header, string(text)}
}

// get asks as a viewer, and wants it to succeed.
func (b *bench) get(path string) string {
	b.t.Helper()
	a := b.ask(auth.Viewer, "GET", path, "")
	if a.status != http.StatusOK {
		b.t.Fatalf("GET %s: %d %s", path, a.status, a.body)
	}
	return a.body
}

// sameJSON compares documents, whatever the order of their keys. Numbers are compared as they are written.
func sameJSON(t *testing.T, got, want string) {
	t.Helper()
	if d := cmp.Diff(decoded(t, want), decoded(t, got)); d != "" {
		t.Errorf("(-want +got)\n%s\n%s", d, got)
	}
}

func decoded(t *testing.T, text string) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

func TestNodes(t *testing.T) {
	b := newBench(t, Config{})
	t.Run("a filter gives what matches, and what is undefined with its reason", func(t *testing.T) {
		sameJSON(t, b.get(`/api/v1/nodes?where=facts.env+==+"prod"`), `{"matched":1,"undefined":1,"undefined_by":{"facts.env":1},"next":"","nodes":[
			{"identity":"web1.acme.net","liveness":"alive","seen":"2026-11-21T03:00:00Z","enrolled":"2026-11-20T03:00:00Z","facts_at":"2026-11-21T02:00:00Z"}]}`)
	})
	t.Run("the short form is a spelling of the same", func(t *testing.T) {
		if got := b.get(`/api/v1/nodes?short=env%3Dprod&count=true`); !strings.Contains(got, `"matched":1`) {
			t.Error(got)
		}
	})
	t.Run("without a filter there are all nodes, a page at a time", func(t *testing.T) {
		var seen []string
		for cursor := ""; ; {
			var page NodeList
			if err := json.Unmarshal([]byte(b.get("/api/v1/nodes?limit=2&cursor="+cursor)), &page); err != nil {
				t.Fatal(err)
			}
			for _, n := range page.Nodes {
				seen = append(seen, string(n.Identity))
			}
			if page.Matched != 3 {
				t.Errorf("matched %d", page.Matched)
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if d := cmp.Diff([]string{"db1.acme.net", "web1.acme.net", "web2.acme.net"}, seen); d != "" {
			t.Error(d)
		}
	})
	t.Run("count lists nobody", func(t *testing.T) {
		sameJSON(t, b.get("/api/v1/nodes?count=true"), `{"matched":3,"undefined":0,"undefined_by":{},"next":"","nodes":[]}`)
	})
	t.Run("fields come as they were published, and are absent where a node has none", func(t *testing.T) {
		got := b.get(`/api/v1/nodes?where=facts.os.family+==+"Debian"&fields=env,classes,facts.serial,mountpoints."/boot".size,os`)
		var page struct {
			Nodes []struct{ Fields json.RawMessage }
		}
		if err := json.Unmarshal([]byte(got), &page); err != nil || len(page.Nodes) != 2 {
			t.Fatalf("%v %s", err, got)
		}
		sameJSON(t, string(page.Nodes[0].Fields), `{"env":"prod","classes":["base","mysql::master"],"facts.serial":9007199254740993,
			"mountpoints.\"/boot\".size":"512 MiB","os":{"family":"Debian","release":{"major":"12"}}}`)
		sameJSON(t, string(page.Nodes[1].Fields), `{"classes":["base","mysql::master"],"os":{"family":"Debian","release":{"major":"13"}}}`)
	})
	t.Run("a field may be an expression, or what a filter knows beside facts", func(t *testing.T) {
		got := b.get(`/api/v1/nodes?where=has(facts.env)&fields=facts.os.release.major%2B"/"%2Bfacts.env,checks,agent.version,labels.rack-no,facts.?tags.orValue(["x","y"])[0],seen-enrolled`)
		var page struct {
			Nodes []struct{ Fields json.RawMessage }
		}
		if err := json.Unmarshal([]byte(got), &page); err != nil || len(page.Nodes) != 2 {
			t.Fatalf("%v %s", err, got)
		}
		sameJSON(t, string(page.Nodes[0].Fields), `{"facts.os.release.major+\"/\"+facts.env":"9/test","checks":{},"agent.version":"1","labels.rack-no":"r1",
			"facts.?tags.orValue([\"x\",\"y\"])[0]":"a"}`)
		sameJSON(t, string(page.Nodes[1].Fields), `{"facts.os.release.major+\"/\"+facts.env":"12/prod","checks":{},"agent.version":"1","labels.rack-no":"r1",
			"facts.?tags.orValue([\"x\",\"y\"])[0]":"x"}`)
	})
	t.Run("by a fact, and the other way around", func(t *testing.T) {
		for query, want := range map[string]string{"sort=os.release.major": "web1 web2 db1", "sort=facts.env&desc=true": "db1 web1 web2", "desc=true": "web2 web1 db1"} {
			var page struct {
				Nodes []struct{ Identity string }
			}
			if err := json.Unmarshal([]byte(b.get("/api/v1/nodes?"+query)), &page); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range page.Nodes {
				got = append(got, strings.TrimSuffix(n.Identity, ".acme.net"))
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: %s, want %s", query, got, want)
			}
		}
	})
	t.Run("what became true", func(t *testing.T) {
		if got := b.get(`/api/v1/nodes?where=has(facts.env)&became_true_since=2026-11-21T02:00:00Z`); !strings.Contains(got, `"matched":1`) {
			t.Error(got)
		}
	})
	t.Run("a node is shown whole, and its integers are not spoiled", func(t *testing.T) {
		sameJSON(t, b.get("/api/v1/nodes/WEB1.acme.net"), `{"identity":"web1.acme.net",
			"facts":{"env":"prod","mountpoints":{"/boot":{"size":"512 MiB"}},"networking":{"ip":"10.0.0.1"},"os":{"family":"Debian","release":{"major":"12"}},"serial":9007199254740993},
			"facts_hash":"abc","facts_at":"2026-11-21T02:00:00Z","classes":["base","mysql::master"],"agent":{"version":"1","os":"linux","arch":"amd64","plugins":{}},
			"commands":["check_load"],"pools":["linux"],"labels":{"rack-no":"r1"},"liveness":"alive","seen":"2026-11-21T03:00:00Z","enrolled":"2026-11-20T03:00:00Z",
			"checks":{"check_load":{"status":"ok","soft":"warning","attempt":1,"at":"2026-11-21T03:00:00Z","output":"fine","rev":0}}}`)
	})
}

func TestAskNodes(t *testing.T) {
	b := newBench(t, Config{})
	b.fleet.silent["db1.acme.net"] = true
	sameJSON(t, b.get(`/api/v1/live?where=has(facts.os)&timeout=30s`), `{"asked":3,"matched":1,"undefined":0,"undefined_by":{},"nodes":["web2.acme.net"],
		"unanswered":["db1.acme.net"],"stored_only":["web1.acme.net"],"live_only":[],"took_ms":12}`)
	for path, says := range map[string]string{"/api/v1/live": "empty", "/api/v1/live?where=os": "undeclared", "/api/v1/live?where=true&timeout=soon": "timeout"} {
		if a := b.ask(auth.Viewer, "GET", path, ""); a.status != 422 || !strings.Contains(a.body, says) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestRenameAndForgetNode(t *testing.T) {
	b := newBench(t, Config{})
	b.fleet.nodes.Touch("db1.acme.net", fettle.Silent, fettle.MillisOf(now))
	for _, row := range []struct {
		role       auth.Role
		from, body string
		status     int
	}{
		{auth.Viewer, "db1.acme.net", `{"to":"db2.acme.net"}`, 403},
		{auth.Operator, "web1.acme.net", `{"to":"db2.acme.net"}`, 409},
		{auth.Operator, "web9", `{"to":"db2.acme.net"}`, 404},
		{auth.Operator, "db1.acme.net", `{"to":"a b"}`, 422},
		{auth.Operator, "db1.acme.net", `{}`, 422},
		{auth.Operator, "db1.acme.net", `{"to":"DB2.acme.net"}`, 204},
	} {
		if a := b.ask(row.role, "POST", "/api/v1/nodes/"+row.from+"/rename", row.body); a.status != row.status {
			t.Errorf("%s renames %s to %s: %d %s", row.role, row.from, row.body, a.status, a.body)
		}
	}
	for _, row := range []struct {
		role   auth.Role
		node   string
		status int
	}{
		{auth.Viewer, "db1.acme.net", 403},
		{auth.Operator, "web1.acme.net", 409},
		{auth.Operator, "web9", 404},
		{auth.Operator, "a%20b", 422},
		{auth.Operator, "db2.acme.net", 204},
		{auth.Operator, "db1.acme.net", 404},
	} {
		if a := b.ask(row.role, "DELETE", "/api/v1/nodes/"+row.node, ""); a.status != row.status {
			t.Errorf("%s forgets %s: %d %s", row.role, row.node, a.status, a.body)
		}
	}
}

func TestFacts(t *testing.T) {
	b := newBench(t, Config{})
	t.Run("paths", func(t *testing.T) {
		sameJSON(t, b.get(`/api/v1/facts?where=identity+==+"db1.acme.net"`), `{"paths":[
			{"path":"env","type":"string","nodes":1,"distinct":1},{"path":"os.family","type":"string","nodes":1,"distinct":1},
			{"path":"os.release.major","type":"string","nodes":1,"distinct":1},{"path":"tags","type":"list","nodes":1,"distinct":1}]}`)
	})
	t.Run("values, the most frequent first", func(t *testing.T) {
		sameJSON(t, b.get("/api/v1/facts/os.family"), `{"path":"os.family","missing":0,"values":[{"value":"Debian","count":2},{"value":"RedHat","count":1}]}`)
		sameJSON(t, b.get("/api/v1/facts/os.family?limit=1"), `{"path":"os.family","missing":0,"values":[{"value":"Debian","count":2}],"more":1}`)
		sameJSON(t, b.get("/api/v1/facts/env"), `{"path":"env","missing":1,"values":[{"value":"prod","count":1},{"value":"test","count":1}]}`)
	})
	t.Run("an integer stays whole, and numbers are summed up", func(t *testing.T) {
		sameJSON(t, b.get("/api/v1/facts/serial"), `{"path":"serial","missing":2,"values":[{"value":9007199254740993,"count":1}],"numbers":{"count":1,
			"min":9007199254740992,"p50":9007199254740992,"p95":9007199254740992,"max":9007199254740992,"sum":9007199254740992,"mean":9007199254740992}}`)
		sameJSON(t, b.get("/api/v1/facts/serial?summary=true"), `{"path":"serial","missing":2,"values":[],"more":1,"numbers":{"count":1,
			"min":9007199254740992,"p50":9007199254740992,"p95":9007199254740992,"max":9007199254740992,"sum":9007199254740992,"mean":9007199254740992}}`)
	})
	t.Run("by a second fact", func(t *testing.T) {
		sameJSON(t, b.get("/api/v1/facts/os.family?by=facts.env"), `{"path":"os.family","by":"env","missing":0,"values":[
			{"value":"Debian","count":2,"by":[{"value":"prod","count":1},{"value":null,"count":1}]},{"value":"RedHat","count":1,"by":[{"value":"test","count":1}]}]}`)
	})
	t.Run("a key with a slash and quotes is a path", func(t *testing.T) {
		sameJSON(t, b.get(`/api/v1/facts/mountpoints.%22%2Fboot%22.size`), `{"path":"mountpoints.\"/boot\".size","missing":2,"values":[{"value":"512 MiB","count":1}]}`)
	})
}

func TestExplain(t *testing.T) {
	b := newBench(t, Config{})
	got := b.get(`/api/v1/filter/explain?short=env%3Dprod&node=db1.acme.net`)
	var x struct {
		Filter    string
		Matched   int
		Undefined int
		Node      struct{ Truth string }
	}
	if err := json.Unmarshal([]byte(got), &x); err != nil || !strings.Contains(x.Filter, "facts.env") || x.Matched != 1 || x.Undefined != 1 || x.Node.Truth != "false" {
		t.Errorf("%v %s", err, got)
	}
	long := b.ask(auth.Viewer, "POST", "/api/v1/filter/explain", `{"short":"env=prod","node":"db1.acme.net"}`)
	if long.status != http.StatusOK {
		t.Fatalf("%d %s", long.status, long.body)
	}
	sameJSON(t, long.body, got)
}

func TestRuns(t *testing.T) {
	b := newBench(t, Config{})
	b.fleet.silent["web2.acme.net"] = true
	started := b.ask(auth.Operator, "POST", "/api/v1/runs", `{"action":"agent.ping","all":true,"timeout":"5s"}`)
	if started.status != http.StatusCreated {
		t.Fatalf("%d %s", started.status, started.body)
	}
	summary := `"run":"run-0","action":"agent.ping","inputs":{},"all":true,"caller":"operator","state":"ended",
		"tally":{"roster":3,"ok":2,"failed":0,"silent":1,"never":0,"pending":0},"undefined":0,"created":"2026-11-21T02:59:59.988Z",
		"deadline":"2026-11-21T03:00:04.988Z","ended":"2026-11-21T03:00:00Z","took_ms":12`
	results := `[{"node":"db1.acme.net","status":0,"message":"OK","data":{"at":1},"at":"2026-11-21T02:59:59.988Z","took_ms":3,"task":"task-db1.acme.net"},
		{"node":"web1.acme.net","status":0,"message":"OK","data":{"at":1},"at":"2026-11-21T02:59:59.988Z","took_ms":3,"task":"task-web1.acme.net"}]`
	sameJSON(t, started.body, "{"+summary+"}")
	t.Run("a run is shown with its results", func(t *testing.T) {
		sameJSON(t, b.get("/api/v1/runs/run-0"), "{"+summary+`,"results":`+results+`,"next":""}`)
	})
	t.Run("results come by page", func(t *testing.T) {
		sameJSON(t, b.get("/api/v1/runs/run-0/results"), `{"results":`+results+`,"next":""}`)
		got := b.get("/api/v1/runs/run-0/results?limit=1")
		if !strings.Contains(got, `"next":"db1.acme.net"`) || strings.Contains(got, `"node":"web1`) {
			t.Error(got)
		}
		if got := b.get("/api/v1/runs/run-0/results?limit=1&cursor=db1.acme.net"); !strings.Contains(got, `"node":"web1`) || !strings.Contains(got, `"next":""`) {
			t.Error(got)
		}
	})
	t.Run("who gave no result is named, by page", func(t *testing.T) {
		sameJSON(t, b.get("/api/v1/runs/run-0/unanswered"), `{"nodes":["web2.acme.net"],"next":""}`)
		b.fleet.silent["web9.acme.net"] = true
		sameJSON(t, b.get("/api/v1/runs/run-0/unanswered?limit=1"), `{"nodes":["web2.acme.net"],"next":"web2.acme.net"}`)
		sameJSON(t, b.get("/api/v1/runs/run-0/unanswered?limit=1&cursor=web2.acme.net"), `{"nodes":["web9.acme.net"],"next":""}`)
	})
	t.Run("the latest run stands first", func(t *testing.T) {
		if a := b.ask(auth.Operator, "POST", "/api/v1/runs", `{"action":"agent.facts","where":"facts.env == 'prod'"}`); a.status != http.StatusCreated ||
			!strings.Contains(a.body, `"undefined":1`) || !strings.Contains(a.body, `"filter":"facts.env == 'prod'"`) {
			t.Fatalf("%d %s", a.status, a.body)
		}
		got := b.get("/api/v1/runs?limit=1")
		if !strings.Contains(got, `"run":"run-1"`) || !strings.Contains(got, `"next":"1"`) {
			t.Error(got)
		}
	})
	t.Run("a preview is run as it was", func(t *testing.T) {
		p := b.ask(auth.Viewer, "POST", "/api/v1/rosters", `{"short":"os.family=Debian"}`)
		if p.status != http.StatusCreated {
			t.Fatalf("%d %s", p.status, p.body)
		}
		var roster RosterInfo
		if err := json.Unmarshal([]byte(p.body), &roster); err != nil || roster.Count != 2 || len(roster.Sample) != 2 || roster.Filter == "" {
			t.Fatalf("%v %s", err, p.body)
		}
		if a := b.ask(auth.Operator, "POST", "/api/v1/runs", `{"action":"agent.ping","roster":"`+roster.Roster+`"}`); !strings.Contains(a.body, `"roster":2`) {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("a run that has ended cannot be cancelled", func(t *testing.T) {
		if a := b.ask(auth.Operator, "POST", "/api/v1/runs/run-0/cancel", ""); a.status != http.StatusConflict {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("a run of nobody has ended", func(t *testing.T) {
		a := b.ask(auth.Operator, "POST", "/api/v1/runs", `{"action":"agent.ping","where":"identity == 'nobody'"}`)
		if a.status != http.StatusCreated || !strings.Contains(a.body, `"roster":0`) {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("actions are listed", func(t *testing.T) {
		if got := b.get("/api/v1/actions"); !strings.Contains(got, `"name":"agent.ping"`) {
			t.Error(got)
		}
	})
}

func TestEvents(t *testing.T) {
	b := newBench(t, Config{})
	b.fleet.held = make(chan struct{})
	if a := b.ask(auth.Operator, "POST", "/api/v1/runs", `{"action":"agent.ping","all":true}`); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	close(b.fleet.held)
	a := b.ask(auth.Viewer, "GET", "/api/v1/runs/run-0/events", "")
	if got := a.header.Get("Content-Type"); a.status != http.StatusOK || got != "text/event-stream" {
		t.Errorf("%d %s", a.status, got)
	}
	if n := strings.Count(a.body, "event: result\ndata: {\"node\":"); n != 3 {
		t.Errorf("%d results in\n%s", n, a.body)
	}
	events := strings.Split(strings.TrimSpace(a.body), "\n\n")
	if last := events[len(events)-1]; !strings.HasPrefix(last, "event: run\ndata: {") || !strings.Contains(last, `"ended":"2026-11-21T03:00:00Z"`) {
		t.Errorf("the last event is %s", last)
	}
	a = b.ask(auth.Viewer, "GET", "/api/v1/runs/run-0/events?output=true", "")
	if !strings.Contains(a.body, "event: output\ndata: {\"at\":") && !strings.Contains(a.body, "event: output\ndata: {\"node\":\"web01.acme.net\",\"stream\":\"stdout\"") {
		t.Errorf("no output in\n%s", a.body)
	}
	var page struct {
		Output []struct{ Text string }
		Next   string
	}
	a = b.ask(auth.Viewer, "GET", "/api/v1/runs/run-0/output/web01.acme.net?limit=2", "")
	if err := json.Unmarshal([]byte(a.body), &page); err != nil || len(page.Output) != 2 || page.Next != "stdout.2" {
		t.Errorf("%v: %s", err, a.body)
	}
	a = b.ask(auth.Viewer, "GET", "/api/v1/runs/run-0/output/web01.acme.net?limit=9&cursor="+page.Next, "")
	if err := json.Unmarshal([]byte(a.body), &page); err != nil || len(page.Output) != 3 || page.Output[0].Text != "line 3\n" || page.Next != "" {
		t.Errorf("%v: %s", err, a.body)
	}
	if a := b.ask(auth.Viewer, "GET", "/api/v1/runs/run-0/output/web01.acme.net?cursor=x", ""); a.status != http.StatusUnprocessableEntity {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := b.ask(auth.Viewer, "GET", "/api/v1/runs/none/events", ""); a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestChecks(t *testing.T) {
	b := newBench(t, Config{})
	t.Run("a verdict", func(t *testing.T) {
		sameJSON(t, b.get(`/api/v1/verdicts/check_load?where=facts.env+==+"prod"&live=true&warning=10%25&critical=@5:10&timeout=7s`), `{"check":"check_load","kind":"check","status":"critical",
			"tally":{"total":42,"ok":41,"warning":0,"critical":1,"unknown":0,"silent":0,"stale":0,"undefined":0,"silenced":0,"shadowed":0,"flapping":0},
			"nodes":{"warning":[],"critical":["db1.acme.net"],"unknown":[]},"live":true,"settling":false,"took_ms":0}`)
		q := b.fleet.verdicts[len(b.fleet.verdicts)-1]
		if q.Where != `facts.env == "prod"` || !q.Live || q.Warning != "10%" || q.Critical != "@5:10" || q.Timeout != 7*time.Second || q.Caller != "viewer" {
			t.Errorf("asked %+v", q)
		}
	})
	t.Run("without a filter it is the nodes that have it, not all", func(t *testing.T) {
		b.get("/api/v1/verdicts/check_load")
		if q := b.fleet.verdicts[len(b.fleet.verdicts)-1]; q.All || q.Where != "" {
			t.Errorf("asked %+v", q)
		}
	})
	t.Run("lists", func(t *testing.T) {
		sameJSON(t, b.get("/api/v1/commands"), `{"commands":["check_disk","check_load"]}`)
		if got := b.get("/api/v1/verdicts"); !strings.Contains(got, `{"verdicts":[{"check":"check_load"`) {
			t.Error(got)
		}
	})
}

func TestTokens(t *testing.T) {
	b := newBench(t, Config{})
	made := b.ask(auth.Admin, "POST", "/api/v1/tokens", `{"name":"nagios","role":"viewer","ttl":"24h"}`)
	if made.status != http.StatusCreated {
		t.Fatalf("%d %s", made.status, made.body)
	}
	var token NewToken
	if err := json.Unmarshal([]byte(made.body), &token); err != nil || token.Token == "" || token.Expires == nil || token.Role != auth.Viewer {
		t.Fatalf("%v %s", err, made.body)
	}
	b.tokens["nagios"] = token.Token
	if a := b.ask("nagios", "GET", "/api/v1/whoami", ""); a.status != http.StatusOK || !strings.Contains(a.body, `"name":"nagios","role":"viewer","token":"`+token.ID+`"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	list := b.ask(auth.Admin, "GET", "/api/v1/tokens", "")
	if !strings.Contains(list.body, `"name":"nagios"`) || strings.Contains(list.body, token.Token) {
		t.Errorf("%d %s", list.status, list.body)
	}
	if a := b.ask(auth.Admin, "DELETE", "/api/v1/tokens/"+token.ID, ""); a.status != http.StatusNoContent {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := b.ask("nagios", "GET", "/api/v1/whoami", ""); a.status != http.StatusUnauthorized {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := b.ask(auth.Admin, "DELETE", "/api/v1/tokens/"+token.ID, ""); a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
	sameJSON(t, b.get("/api/v1/version"), `{"version":"1.2.3","api":"1"}`)
}
