package alerts

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// endpoint notes what is posted to it, and answers with a status.
type endpoint struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	bodies []string
	header http.Header
	path   string
}

func newEndpoint(t *testing.T) *endpoint {
	e := &endpoint{status: http.StatusOK}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.bodies, e.header, e.path = append(e.bodies, string(body)), r.Header, r.URL.Path
		http.Error(w, "said the endpoint", e.status)
	}))
	t.Cleanup(e.Close)
	return e
}

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func mustOpen(t *testing.T, c Receiver) *receiver {
	t.Helper()
	var f faults
	c.validate("receivers[0]", &f)
	if len(f) > 0 {
		t.Fatal(f)
	}
	r, err := newReceiver(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// one is a message about one alert.
func one(status fettle.CheckStatus, change func(*item)) message {
	v := verdict("load", status)
	a := Alert{Name: "load", Check: "load", Status: status, Since: 1_700_000_000_000, Changed: 1_700_000_000_000, Episode: "e1"}
	a.describe(v, About{Runbook: "https://wiki/load", Owner: "ann", Labels: map[string]string{"team": "db"}})
	it := item{Alert: a}
	if change != nil {
		change(&it)
	}
	return message{Receiver: "r", URL: "https://fettle.acme.net", At: 1_700_000_060_000, Items: []item{it}}
}

func TestWebhook(t *testing.T) {
	e := newEndpoint(t)
	t.Run("JSON, signed", func(t *testing.T) {
		r := mustOpen(t, Receiver{Name: "r", Webhook: &Webhook{
			URL: e.URL + "/hook?a=b", SecretFile: write(t, "s3cret\n"), Headers: map[string]string{"x-team": "db"}, HTTPClient: HTTPClient{TokenFile: write(t, "tok")},
		}})
		if err := r.tell(t.Context(), one(fettle.CheckCritical, nil)); err != nil {
			t.Fatal(err)
		}
		var n Notification
		if err := json.Unmarshal([]byte(e.bodies[0]), &n); err != nil || n.Status != "firing" || n.Alerts[0].Summary == "" || n.Alerts[0].Labels["team"] != "db" {
			t.Errorf("%v %s", err, e.bodies[0])
		}
		if got, want := e.header.Get(HeaderSignature), Sign("s3cret", time.UnixMilli(1_700_000_060_000), []byte(e.bodies[0])); got != want {
			t.Errorf("signature %q, want %q", got, want)
		}
		if e.header.Get("X-Team") != "db" || e.header.Get("Authorization") != "Bearer tok" || e.header.Get(HeaderDelivery) != n.ID || e.path != "/hook" {
			t.Errorf("%v %s", e.header, e.path)
		}
		if err := r.tell(t.Context(), one(fettle.CheckCritical, nil)); err != nil || e.header.Get(HeaderDelivery) != n.ID {
			t.Errorf("sent again it has another id: %v", err)
		}
		if err := r.tell(t.Context(), one(fettle.CheckCritical, func(i *item) { i.Told = 1 })); err != nil || e.header.Get(HeaderDelivery) == n.ID {
			t.Errorf("told again it has the same id: %v", err)
		}
	})
	t.Run("a signature is that of any other program", func(t *testing.T) {
		// printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key
		if got := Sign("key", time.Unix(1_700_000_000, 0), []byte(`{"a":1}`)); got != "t=1700000000,v1=a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03" {
			t.Error(got)
		}
	})
	t.Run("a template", func(t *testing.T) {
		r := mustOpen(t, Receiver{Name: "r", Webhook: &Webhook{URL: e.URL, Template: `{"text":{{json (index .Alerts 0).Summary}},"n":{{len .Firing}}}`}})
		if err := r.tell(t.Context(), one(fettle.CheckCritical, nil)); err != nil {
			t.Fatal(err)
		}
		if got := e.bodies[len(e.bodies)-1]; got != `{"text":"load is critical: of 3 nodes 1 critical","n":1}` {
			t.Error(got)
		}
	})
	t.Run("what it answers is told", func(t *testing.T) {
		e.status = http.StatusBadGateway
		r := mustOpen(t, Receiver{Name: "r", Webhook: &Webhook{URL: e.URL}})
		if err := r.tell(t.Context(), one(fettle.CheckCritical, nil)); err == nil || !strings.Contains(err.Error(), "502 Bad Gateway: said the endpoint") {
			t.Error(err)
		}
	})
}

func TestAlertmanager(t *testing.T) {
	e := newEndpoint(t)
	r := mustOpen(t, Receiver{Name: "r", Alertmanager: &Alertmanager{URLs: []string{"http://127.0.0.1:1", e.URL + "/am/"}, Labels: map[string]string{"site": "north"}}})
	tell := func(m message) (out []postable) {
		t.Helper()
		if err := r.tell(t.Context(), m); err != nil {
			t.Fatal("one of two took it: ", err)
		}
		if err := json.Unmarshal([]byte(e.bodies[len(e.bodies)-1]), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	at := time.UnixMilli(1_700_000_060_000).UTC()
	got := tell(one(fettle.CheckCritical, nil))
	if e.path != "/am/api/v2/alerts" || len(got) != 1 {
		t.Fatalf("%s %v", e.path, got)
	}
	p := got[0]
	if !p.EndsAt.Equal(at.Add(defaultValidFor)) || !p.StartsAt.Equal(at.Add(-time.Minute)) || p.GeneratorURL != "https://fettle.acme.net/checks/load" {
		t.Errorf("%+v", p)
	}
	if p.Labels["alertname"] != "load" || p.Labels["severity"] != "critical" || p.Labels["site"] != "north" || p.Labels["team"] != "db" || p.Annotations["runbook_url"] != "https://wiki/load" {
		t.Errorf("%+v", p)
	}
	t.Run("another severity is another alert there: the old one ends", func(t *testing.T) {
		got := tell(one(fettle.CheckCritical, func(i *item) { i.Was = fettle.CheckWarning }))
		if len(got) != 2 || got[0].Labels["severity"] != "warning" || !got[0].EndsAt.Equal(at) || got[1].Labels["severity"] != "critical" || !got[1].EndsAt.After(at) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("an end", func(t *testing.T) {
		got := tell(one(fettle.CheckCritical, func(i *item) { i.Alert.Ended = 1_700_000_050_000 }))
		if len(got) != 1 || !got[0].EndsAt.Equal(at.Add(-10*time.Second)) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("none of them took it", func(t *testing.T) {
		e.status = http.StatusBadRequest
		if err := r.tell(t.Context(), one(fettle.CheckCritical, nil)); err == nil || !strings.Contains(err.Error(), "400") {
			t.Error(err)
		}
	})
}

// TestAlertmanagerHearsAgain: it forgets what it is not told again.
func TestAlertmanagerHearsAgain(t *testing.T) {
	b := newBench(t, Route{Repeat: -1})
	b.receivers[0].pace = pace{again: time.Minute, linger: 5 * time.Minute}
	b.world.set("load", fettle.CheckCritical)
	b.want("begins", b.after(0), "firing load critical")
	b.want("before a minute", b.after(59*time.Second))
	b.want("after a minute", b.after(time.Second), "firing load critical again")
	b.world.set("load", fettle.CheckOK)
	b.want("it is not sure yet", b.after(time.Second))
	b.want("and stands there until it is", b.after(59*time.Second), "firing load critical again")
	b.want("ends", b.after(time.Second), "resolved load critical")
	b.want("an end is told again", b.after(time.Minute), "resolved load critical again")
	b.want("for a while", b.after(5*time.Minute))
	if len(b.List()) != 0 {
		t.Error("it is not forgotten")
	}
}

func compose(t *testing.T, r *receiver, c *Mail, m message) (*netmail.Message, string) {
	t.Helper()
	ml := &mailer{cfg: *c, host: "acme.net"}
	if err := ml.templates(); err != nil {
		t.Fatal(err)
	}
	out, err := ml.compose(m)
	if err != nil {
		t.Fatal(err)
	}
	var raw bytes.Buffer
	if _, err := out.WriteTo(&raw); err != nil {
		t.Fatal(err)
	}
	msg, err := netmail.ReadMessage(&raw)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(msg.Body)
	if err != nil {
		t.Fatal(err)
	}
	return msg, string(body)
}

func TestMail(t *testing.T) {
	c := &Mail{Server: "127.0.0.1:25", From: "Fettle <fettle@acme.net>", To: []string{"ops@acme.net", "Ann <ann@acme.net>"}}
	r := mustOpen(t, Receiver{Name: "r", Mail: c})
	if r.gather != defaultGather || r.hourly != defaultHourly {
		t.Errorf("%s, %d an hour", r.gather, r.hourly)
	}
	first, body := compose(t, r, c, one(fettle.CheckCritical, nil))
	subject, err := new(mime.WordDecoder).DecodeHeader(first.Header.Get("Subject"))
	if err != nil || subject != "[critical] load is critical: of 3 nodes 1 critical" {
		t.Errorf("%q %v", subject, err)
	}
	id := first.Header.Get("Message-ID")
	if !strings.HasSuffix(id, "@acme.net>") || first.Header.Get("References") != "" || first.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("%v", first.Header)
	}
	for _, part := range []string{"text/plain", "text/html", "db1.acme.net: load is 31", "https://wiki/load", "Owner: ann"} {
		if !strings.Contains(body, part) {
			t.Errorf("no %q in\n%s", part, body)
		}
	}
	t.Run("sent again it is the same message", func(t *testing.T) {
		again, _ := compose(t, r, c, one(fettle.CheckCritical, nil))
		if again.Header.Get("Message-ID") != id {
			t.Error(again.Header.Get("Message-ID"), id)
		}
	})
	t.Run("the end belongs to the thread", func(t *testing.T) {
		end, body := compose(t, r, c, one(fettle.CheckCritical, func(i *item) {
			i.Alert.Ended, i.Told, i.Thread = 1_700_000_050_000, 1, strings.TrimSuffix(strings.TrimPrefix(id, "<fettle."), "@acme.net>")
		}))
		if end.Header.Get("In-Reply-To") != id || end.Header.Get("References") != id || end.Header.Get("Message-ID") == id {
			t.Errorf("%v", end.Header)
		}
		if s := end.Header.Get("Subject"); s != "[OK] load is ok again" || !strings.Contains(body, "It was critical from") {
			t.Errorf("%q\n%s", s, body)
		}
	})
	t.Run("several are one message", func(t *testing.T) {
		m := one(fettle.CheckCritical, nil)
		m.Items = append(m.Items, one(fettle.CheckWarning, func(i *item) { i.Alert.Name, i.Alert.Check = "disk", "disk"; i.Thread = "x" }).Items...)
		msg, body := compose(t, r, c, m)
		if s := msg.Header.Get("Subject"); s != "[2 firing, 0 resolved] load disk" || !strings.Contains(body, "disk is warning") || msg.Header.Get("References") != "" {
			t.Errorf("%q\n%s", s, body)
		}
	})
	t.Run("what nodes say is no HTML and no header", func(t *testing.T) {
		m := one(fettle.CheckCritical, func(i *item) {
			i.Alert.Output = []Line{{"n", "<script>alert(1)</script>"}}
			i.Alert.Reason = "a\r\nBcc: x@y.z"
		})
		msg, body := compose(t, r, c, m)
		if strings.Contains(body, "<td><script>") || msg.Header.Get("Bcc") != "" {
			t.Errorf("%v\n%s", msg.Header, body)
		}
	})
}

func TestValidate(t *testing.T) {
	for want, c := range map[string]Config{
		"alerts.receivers[0]: it says 0 of":          {Receivers: []Receiver{{Name: "r"}}},
		"alerts.receivers[0].name":                   {Receivers: []Receiver{{Webhook: &Webhook{URL: "http://x/"}}}},
		"is there twice":                             {Receivers: []Receiver{{Name: "r", Webhook: &Webhook{URL: "http://x/"}}, {Name: "r", Webhook: &Webhook{URL: "http://x/"}}}},
		"alerts.receivers[0].webhook.url":            {Receivers: []Receiver{{Name: "r", Webhook: &Webhook{URL: "x"}}}},
		"alerts.receivers[0].webhook.template":       {Receivers: []Receiver{{Name: "r", Webhook: &Webhook{URL: "http://x/", Template: "{{.Nothing}}"}}}},
		"alerts.receivers[0].alertmanager.urls":      {Receivers: []Receiver{{Name: "r", Alertmanager: &Alertmanager{}}}},
		"alerts.receivers[0].alertmanager.valid-for": {Receivers: []Receiver{{Name: "r", Alertmanager: &Alertmanager{URLs: []string{"http://x"}, ValidFor: time.Minute}}}},
		"alerts.receivers[0].mail.server":            {Receivers: []Receiver{{Name: "r", Mail: &Mail{Server: "x", From: "a@b", To: []string{"a@b"}}}}},
		"alerts.receivers[0].mail.to":                {Receivers: []Receiver{{Name: "r", Mail: &Mail{Server: "x:25", From: "a@b"}}}},
		"alerts.receivers[0].mail.tls: the password": {Receivers: []Receiver{{Name: "r", Mail: &Mail{Server: "x:25", TLS: "none", User: "u", PasswordFile: "f", From: "a@b", To: []string{"a@b"}}}}},
		"alerts.routes[0].receivers: there is no":    {Routes: []Route{{Receivers: []string{"r"}}}},
		"alerts.routes[0].receivers: a route leads":  {Routes: []Route{{}}},
		"alerts.routes[0].statuses":                  {Routes: []Route{{Statuses: []fettle.CheckStatus{"ok"}}}},
		"alerts.every":                               {Every: time.Microsecond},
		"alerts.url":                                 {URL: "fettle.acme.net"},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := (Config{}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestTheTest(t *testing.T) {
	e := newEndpoint(t)
	b := newBench(t, Route{})
	b.cfg.Receivers[0].Webhook.URL = e.URL
	b.restart()
	if err := b.Test(t.Context(), "hook", "ann"); err != nil || !strings.Contains(e.bodies[0], `"test":true`) || !strings.Contains(e.bodies[0], "a test by ann") {
		t.Errorf("%v %v", err, e.bodies)
	}
	if len(b.List()) != 0 {
		t.Error("it is listed")
	}
	e.status = 500
	if err := b.Test(t.Context(), "hook", "ann"); err == nil || !strings.Contains(err.Error(), "500") {
		t.Error(err)
	}
	if err := b.Test(t.Context(), "nobody", "ann"); err == nil {
		t.Error("nobody took it")
	}
}
