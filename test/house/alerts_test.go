//go:build integration

package house

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// hook is a webhook receiver that keeps what it is told.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	refuse int // messages that are answered by 500 come before the one of this number
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.bodies = append(h.bodies, string(body))
		if len(h.bodies) <= h.refuse {
			http.Error(w, "come back later", http.StatusInternalServerError)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

// refuseNext has the next n messages be answered by 500.
func (h *hook) refuseNext(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse = len(h.bodies) + n
}

// saw counts the bodies that have all of the texts.
func (h *hook) saw(texts ...string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range h.bodies {
		n++
		for _, text := range texts {
			if !strings.Contains(b, text) {
				n--
				break
			}
		}
	}
	return n
}

// mails reads the messages that the mail server has taken.
func mails(t *testing.T, dir string) (all []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(raw))
	}
	return all
}

// TestAlertsReachTheRealThings has a verdict become bad and well again, with a kill of the server in between, before a real Alertmanager, a real
// mail server and a webhook.
func TestAlertsReachTheRealThings(t *testing.T) {
	alertmanager, smtpd, certs := service(t, "FETTLE_TEST_ALERTMANAGER"), service(t, "FETTLE_TEST_SMTP"), service(t, "FETTLE_TEST_SMTP_DIR")
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return file
	}
	am, smtp, maildir := freeAddress(t), freeAddress(t), filepath.Join(dir, "mail")
	daemon(t, alertmanager, "--config.file="+write("am.yml", "{route: {receiver: none, group_wait: 1s}, receivers: [{name: none}]}\n", 0o600), "--storage.path="+filepath.Join(dir, "am"),
		"--cluster.listen-address=", "--web.listen-address="+am)
	daemon(t, smtpd, smtp, maildir, filepath.Join(certs, "cert.pem"), filepath.Join(certs, "key.pem"), "fettle", "let me in")
	ca, secret, wrong := filepath.Join(certs, "ca.pem"), write("smtp.password", "let me in\n", 0o600), write("wrong.password", "let me out\n", 0o600)
	h, chat := newHook(t), newHook(t)

	flag := filepath.Join(dir, "bad")
	nrpe := write("nrpe.cfg", fmt.Sprintf("command[check_flag]=if [ -e %s ]; then echo it is bad; exit 2; else echo fine; fi\n", flag), 0o600)
	config := write("server.yaml", fmt.Sprintf(`
checks:
  - {name: flag, command: check_flag, interval: 1s}
alerts:
  every: 200ms
  resolve-after: 1s
  receivers:
    - {name: am, alertmanager: {urls: ["http://%[1]s"], resend: 1s, valid-for: 10s}}
    - {name: hook, webhook: {url: "%[2]s"}}
    - {name: chat, webhook: {url: "%[3]s", template: '{"text": {{json (index .Alerts 0).Summary}}}'}}
    - {name: post, mail: {server: "%[4]s", tls: starttls, ca: "%[5]s", user: fettle, password-file: "%[6]s", from: fettle@example.net, to: [ops@example.net], gather: 100ms}}
    - {name: wrong-password, mail: {server: "%[4]s", tls: starttls, ca: "%[5]s", user: fettle, password-file: "%[7]s", from: fettle@example.net, to: [ops@example.net]}}
    - {name: nobody, mail: {server: "%[4]s", tls: starttls, ca: "%[5]s", from: fettle@example.net, to: [ops@example.net]}}
    - {name: untrusted, mail: {server: "%[4]s", tls: starttls, user: fettle, password-file: "%[6]s", from: fettle@example.net, to: [ops@example.net]}}
    - {name: tls-first, mail: {server: "%[4]s", tls: tls, ca: "%[5]s", from: fettle@example.net, to: [ops@example.net]}}
  routes:
    - {checks: [flag], receivers: [am, post, hook, chat]}
    - {labels: {team: db}, owner: [ann], receivers: [hook]}
`, am, h.URL, chat.URL, smtp, ca, secret, wrong), 0o600)
	state := filepath.Join(dir, "state")
	open := func() *process {
		return start(t, "dev", "--state", state, "--http", "127.0.0.1:0", "--stomp", "127.0.0.1:0", "--identity", "n1.example.net", "--nrpe-config", nrpe, "--config", config, "--beat-interval", "1s")
	}
	p := open()
	eventually(t, "the verdict is ok", func() bool {
		return strings.Contains(get(t, p.ready["http"]+"/metrics", ""), `fettle_verdict_status{check="flag",verdict="flag"} 0`)
	})
	ask(t, p, "checks", "apply", "-f", write("shop.yaml", `{kind: group, name: shop, members: [{check: flag}], owner: ann, notes: buy milk, runbook: "https://wiki.example.net/shop", labels: {team: db}}`+"\n", 0o600)).want(t, 0)
	if answer := ask(t, p, "alerts", "test", "post").want(t, 0); !strings.Contains(answer.stdout, "took it") {
		t.Error(answer.stdout)
	}
	for name, want := range map[string]string{
		"wrong-password": "does not let the user fettle in with what is in " + wrong,
		"nobody":         "user and password-file are not set",
		"untrusted":      "ca has to name the file of its authority",
		"tls-first":      "take tls: starttls",
	} {
		if answer := ask(t, p, "alerts", "test", name).want(t, 1); !strings.Contains(answer.stderr, want) {
			t.Errorf("%s: %s", name, answer.stderr)
		}
	}
	eventually(t, "what was unknown at the start is over", func() bool { return strings.Contains(ask(t, p, "alerts", "-o", "json").stdout, `"alerts": []`) })
	tests, ends, begins := len(mails(t, maildir)), h.saw(`"check":"flag"`, `"status":"resolved"`), h.saw(`"check":"flag"`, `"status":"firing"`, `"status":"critical"`)
	chat.refuseNext(2)

	write("bad", "", 0o600)
	inAlertmanager := func(state string) bool {
		text := getMaybe("http://" + am + "/api/v2/alerts?active=true")
		return strings.Contains(text, `"alertname":"flag"`) == (state == "firing")
	}
	told := func() bool {
		return inAlertmanager("firing") && len(mails(t, maildir)) > tests && h.saw(`"check":"flag"`, `"status":"firing"`, `"status":"critical"`) > begins
	}
	eventually(t, "all three have heard of it", told)
	eventually(t, "that of the group says what people say of it", func() bool {
		return h.saw(`"check":"shop"`, `"kind":"group"`, `"owner":"ann"`, `"notes":"buy milk"`, `"runbook":"https://wiki.example.net/shop"`, `"team":"db"`) > 0
	})
	eventually(t, "the chat takes it the third time", func() bool { return chat.saw(`{"text": "flag is critical: of 1 nodes 1 critical"}`) == 3 })
	eventually(t, "the list says so", func() bool {
		text := ask(t, p, "alerts").stdout
		return strings.Contains(text, "am=critical") && strings.Contains(text, "post=critical") && strings.Contains(text, "hook=critical")
	})

	p.kill()
	p = open()
	eventually(t, "it is known after the restart", func() bool { return strings.Contains(ask(t, p, "alerts").stdout, "firing") })
	if err := os.Remove(flag); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all three have heard of the end", func() bool {
		return inAlertmanager("resolved") && h.saw(`"check":"flag"`, `"status":"resolved"`) == ends+1
	})
	if n := h.saw(`"check":"flag"`, `"status":"firing"`, `"status":"critical"`); n != begins+1 {
		t.Errorf("the webhook was told %d times that it began", n)
	}
	eventually(t, "the first message and the last are one thread", func() bool { return threaded(mails(t, maildir)) })
}

// threaded tells whether a message about an end answers the one about the beginning. The start may have had an alert of its own, before the first result.
func threaded(all []string) bool {
	first, ends := "", map[string]bool{}
	for _, m := range all {
		switch subject := header(m, "Subject"); {
		case strings.HasPrefix(subject, "[critical] flag"):
			if first = header(m, "In-Reply-To"); first == "" { // else it goes on from "no result yet"
				first = header(m, "Message-ID")
			}
		case strings.HasPrefix(subject, "[OK] flag"):
			ends[header(m, "In-Reply-To")] = true
		}
	}
	return first != "" && ends[first]
}

// header gives the value of a line of a message's head.
func header(message, name string) string {
	for line := range strings.SplitSeq(message, "\n") {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
