package passive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server"
)

// fleet is a source whose states a test sets.
type fleet struct {
	mu       sync.Mutex // guards what follows
	verdicts []fettle.Verdict
	nodes    []server.NodeStates
	settling bool
	silenced fettle.NodeID
	err      error
}

func (f *fleet) set(change func(*fleet)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fleet) Verdicts(context.Context) ([]fettle.Verdict, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.verdicts, f.err
}

func (f *fleet) Verdict(_ context.Context, q server.VerdictQuery) (fettle.Verdict, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, v := range f.verdicts {
		if v.Check == q.Check && q.Check != "odd" {
			v.ByFact, v.By = q.By, parts()
			return v, nil
		}
	}
	return fettle.Verdict{}, errors.New("too many values")
}

// parts are those of two customers.
func parts() []fettle.Verdict {
	acme, none := verdict("", fettle.CheckCritical, 3), verdict("", fettle.CheckOK, 0)
	acme.Value, none.Value = "acme", "(none)"
	return []fettle.Verdict{acme, none}
}

func (f *fleet) States(context.Context, server.Selection) ([]server.NodeStates, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.nodes, f.err
}

func (f *fleet) Silenced(_ string, node fettle.NodeID) (fettle.SilencedBy, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fettle.SilencedBy{Author: "ann", Reason: "new roof", Until: 1000}, f.silenced == node
}

func (f *fleet) Settling() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.settling
}

// inbox is a sender that keeps what it was sent.
type inbox struct {
	mu      sync.Mutex // guards what follows
	got     []string
	away    error
	refuses string // a service
}

func (b *inbox) send(_ context.Context, batch []nagios.Passive, took func(int, error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, p := range batch {
		if b.away != nil {
			return b.away
		}
		if p.Service != "" && p.Service == b.refuses {
			took(i, errors.New("no such service"))
			continue
		}
		line, _, _ := strings.Cut(p.Text, "|")
		line, _, _ = strings.Cut(line, "\n")
		b.got = append(b.got, fmt.Sprintf("%s/%s %d %s", p.Host, p.Service, p.Code, line))
		took(i, nil)
	}
	return nil
}

// taken gives what came since it was called last.
func (b *inbox) taken() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.got
	b.got = nil
	return out
}

func (b *inbox) set(change func(*inbox)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
}

func verdict(check string, status fettle.CheckStatus, critical int) fettle.Verdict {
	return fettle.Verdict{Check: check, Kind: fettle.KindCheck, Status: status, Tally: fettle.CheckTally{Total: 10, OK: 10 - critical, Critical: critical}}
}

// pushing runs a pusher with one target whose results come to the inbox. Within a bubble of synctest.
func pushing(t *testing.T, cfg Target, src Source, log *slog.Logger) (*inbox, *Pusher) {
	t.Helper()
	cfg.Name, cfg.Kind, cfg.File = "test", KindCommandFile, "/nowhere"
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := Validate("passive", []Target{cfg}); err != nil {
		t.Fatal(err)
	}
	p, err := New([]Target{cfg}, log, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	box := &inbox{}
	p.targets[0].sender = box
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx, src) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return box, p
}

func want(t *testing.T, when string, box *inbox, lines ...string) {
	t.Helper()
	if diff := cmp.Diff(lines, box.taken()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// after lets time pass.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

const ok10 = "fleet/load 0 load: OK: 10 WARNING: 0 CRITICAL: 0 UNKNOWN: 0"

func TestPusherTellsVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fleet{verdicts: []fettle.Verdict{verdict("load", fettle.CheckOK, 0), verdict("disk", fettle.CheckOK, 0)}}
		box, _ := pushing(t, Target{Verdicts: []string{"lo*"}}, src, nil)
		after(1500 * time.Millisecond)
		want(t, "at first", box, ok10)
		after(10 * time.Second)
		want(t, "when nothing changes", box)
		src.set(func(f *fleet) { f.verdicts[0] = verdict("load", fettle.CheckCritical, 1) })
		after(1100 * time.Millisecond)
		want(t, "another status is told within a second or so", box, "fleet/load 2 load: OK: 9 WARNING: 0 CRITICAL: 1 UNKNOWN: 0")
		src.set(func(f *fleet) { f.verdicts[0] = verdict("load", fettle.CheckCritical, 2) })
		after(5 * time.Second)
		want(t, "another text waits", box)
		after(26 * time.Second)
		want(t, "and comes within half a minute", box, "fleet/load 2 load: OK: 8 WARNING: 0 CRITICAL: 2 UNKNOWN: 0")
		after(5*time.Minute + time.Second)
		want(t, "everything comes again", box, "fleet/load 2 load: OK: 8 WARNING: 0 CRITICAL: 2 UNKNOWN: 0")
	})
}

func TestPusherTellsNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ten := 10.0
		state := fettle.CheckState{Check: "load", Status: fettle.CheckWarning, Output: "LOAD WARN", Perfdata: []fettle.Perf{{Label: "load1", Value: &ten}}}
		src := &fleet{nodes: []server.NodeStates{
			{Node: "web1.acme.net", Liveness: fettle.Alive, States: map[string]fettle.CheckState{"load": state, "other": state}},
			{Node: "web2.acme.net", Liveness: fettle.Late, States: map[string]fettle.CheckState{"load": {Status: fettle.CheckStale, Output: "old"}}},
		}, settling: true}
		box, _ := pushing(t, Target{Nodes: "true", Checks: []string{"load"}, Hosts: true, HostName: "{{.Short}}", ServiceName: "fettle {{.Check}}?"}, src, nil)
		after(5 * time.Second)
		want(t, "while the server settles", box)
		src.set(func(f *fleet) { f.settling = false })
		after(1100 * time.Millisecond)
		want(t, "then", box, "web1/ 0 the agent is alive", "web1/fettle load_ 1 LOAD WARN", "web2/ 0 the agent is late", "web2/fettle load_ 3 the last result is too old; it was: old")
		src.set(func(f *fleet) { f.silenced = "web1.acme.net" })
		after(1100 * time.Millisecond)
		want(t, "a silence", box, "web1/fettle load_ 0 silenced by ann until 1970-01-01T00:00:01Z (new roof), otherwise warning: LOAD WARN")
		src.set(func(f *fleet) { f.silenced = "" })
		after(1100 * time.Millisecond)
		want(t, "its end", box, "web1/fettle load_ 1 LOAD WARN")
		src.set(func(f *fleet) {
			f.nodes = []server.NodeStates{{Node: "web1.acme.net", Liveness: fettle.Silent, States: f.nodes[0].States}}
		})
		after(1100 * time.Millisecond)
		want(t, "a node that is silent is down", box, "web1/ 1 the agent is silent", "web1/fettle load_ 3 the agent is silent; it last said: LOAD WARN")
	})
}

func TestPusherOutlivesItsTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		src := &fleet{verdicts: []fettle.Verdict{verdict("load", fettle.CheckOK, 0)}}
		box, p := pushing(t, Target{}, src, slog.New(slog.NewTextHandler(&log, nil)))
		box.set(func(b *inbox) { b.away = errors.New("nobody is there") })
		after(10 * time.Minute)
		src.set(func(f *fleet) { f.verdicts[0] = verdict("load", fettle.CheckCritical, 1) })
		after(10 * time.Minute)
		want(t, "while it is away", box)
		if n := strings.Count(log.String(), "cannot be delivered"); n != 1 {
			t.Errorf("%d lines in the log: %s", n, &log)
		}
		var page bytes.Buffer
		if p.WriteMetrics(&page); !strings.Contains(page.String(), `fettle_passive_up{target="test"} 0`) || !strings.Contains(page.String(), `fettle_passive_pending{target="test"} 1`) {
			t.Errorf("metrics: %s", &page)
		}
		box.set(func(b *inbox) { b.away = nil })
		after(61 * time.Second)
		want(t, "what holds now is told within a minute, what held meanwhile is not", box, "fleet/load 2 load: OK: 9 WARNING: 0 CRITICAL: 1 UNKNOWN: 0")
		if !strings.Contains(log.String(), "are delivered again") {
			t.Errorf("the log: %s", &log)
		}
	})
}

func TestPusherAndARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		src := &fleet{verdicts: []fettle.Verdict{verdict("disk", fettle.CheckOK, 0), verdict("load", fettle.CheckOK, 0)}}
		box, p := pushing(t, Target{}, src, slog.New(slog.NewTextHandler(&log, nil)))
		box.set(func(b *inbox) { b.refuses = "disk" })
		after(11 * time.Minute)
		want(t, "the others are told", box, ok10, ok10, ok10)
		if n := strings.Count(log.String(), "was refused"); n != 1 {
			t.Errorf("%d lines in the log: %s", n, &log)
		}
		var page bytes.Buffer
		if p.WriteMetrics(&page); !strings.Contains(page.String(), `fettle_passive_refused_total{target="test"} 3`) || !strings.Contains(page.String(), `fettle_passive_sent_total{target="test"} 3`) {
			t.Errorf("metrics: %s", &page)
		}
	})
}

func TestWorstOf(t *testing.T) {
	got := worstOf([]nagios.Passive{{Host: "h", Service: "s", Code: 1, Text: "b"}, {Host: "h", Service: "s", Code: 3}, {Host: "h"}, {Host: "h", Service: "s", Code: 0}})
	if len(got) != 2 || got[1].Code != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestValidate(t *testing.T) {
	good := []Target{
		{Name: "a", Kind: KindCommandFile, File: "/var/lib/nagios4/rw/nagios.cmd"},
		{Name: "b", Kind: KindNSCA, Address: "nagios:5667", Encryption: "3des", Password: "x"},
		{Name: "c", Kind: KindIcinga2, URL: "https://icinga:5665", User: "u", Password: "p", Nodes: "environment=production", Hosts: true, Checks: []string{"disk*"}},
		{Name: "d", Kind: KindNSCA, Address: "nagios:5667", Encryption: "none"},
	}
	if err := Validate("passive", good); err != nil {
		t.Error(err)
	}
	tests := []struct {
		name, want string
		t          Target
	}{
		{"no name", "passive[0].name", Target{Kind: KindCommandFile, File: "/x"}},
		{"an unknown kind", "passive[0].kind", Target{Name: "a", Kind: "mail"}},
		{"a file that is relative", "passive[0].file", Target{Name: "a", Kind: KindCommandFile, File: "nagios.cmd"}},
		{"a key of another kind", "passive[0].url", Target{Name: "a", Kind: KindCommandFile, File: "/x", URL: "https://x"}},
		{"an address without a port", "passive[0].address", Target{Name: "a", Kind: KindNSCA, Address: "nagios", Encryption: "none"}},
		{"a cipher that there is not", "passive[0].encryption", Target{Name: "a", Kind: KindNSCA, Address: "n:1", Encryption: "blowfish", Password: "x"}},
		{"a cipher without a password", "passive[0].password", Target{Name: "a", Kind: KindNSCA, Address: "n:1"}},
		{"no TLS", "passive[0].url", Target{Name: "a", Kind: KindIcinga2, URL: "http://icinga:5665", User: "u", Password: "p"}},
		{"no account", "passive[0].user", Target{Name: "a", Kind: KindIcinga2, URL: "https://icinga:5665"}},
		{"a filter that is none", "passive[0].nodes", Target{Name: "a", Kind: KindCommandFile, File: "/x", Nodes: "facts.x =="}},
		{"hosts without a filter", "passive[0].nodes", Target{Name: "a", Kind: KindCommandFile, File: "/x", Hosts: true}},
		{"a template that is none", "passive[0].host-name", Target{Name: "a", Kind: KindCommandFile, File: "/x", HostName: "{{.Nobody}}"}},
		{"a pattern that is none", "passive[0].verdicts", Target{Name: "a", Kind: KindCommandFile, File: "/x", Verdicts: []string{"["}}},
		{"an interval that is too short", "passive[0].interval", Target{Name: "a", Kind: KindCommandFile, File: "/x", Interval: time.Millisecond}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := Validate("passive", []Target{tt.t}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestAServiceForEachValueOfAFact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := verdict("shop", fettle.CheckCritical, 1)
		group.Kind, group.ByFact, group.By = fettle.KindGroup, "customer", parts()
		f := &fleet{verdicts: []fettle.Verdict{verdict("disk", fettle.CheckCritical, 3), verdict("odd", fettle.CheckOK, 0), group}}
		log := &bytes.Buffer{}
		b, _ := pushing(t, Target{By: "facts.customer", VerdictHost: "fleet"}, f, slog.New(slog.NewTextHandler(log, nil)))
		<-time.After(2 * time.Second)
		synctest.Wait()
		want := []string{
			"fleet/disk 2 disk: OK: 7 WARNING: 0 CRITICAL: 3 UNKNOWN: 0",
			"fleet/disk _none_ 0 disk (none): OK: 10 WARNING: 0 CRITICAL: 0 UNKNOWN: 0",
			"fleet/disk acme 2 disk acme: OK: 7 WARNING: 0 CRITICAL: 3 UNKNOWN: 0",
			"fleet/odd 0 odd: OK: 10 WARNING: 0 CRITICAL: 0 UNKNOWN: 0",
			"fleet/shop 2 shop: OK: 9 WARNING: 0 CRITICAL: 1 UNKNOWN: 0",
			"fleet/shop _none_ 0 shop (none): OK: 10 WARNING: 0 CRITICAL: 0 UNKNOWN: 0",
			"fleet/shop acme 2 shop acme: OK: 7 WARNING: 0 CRITICAL: 3 UNKNOWN: 0",
		}
		if diff := cmp.Diff(want, b.taken()); diff != "" {
			t.Error(diff)
		}
		if !strings.Contains(log.String(), "too many values") {
			t.Errorf("the log: %s", log)
		}
	})
}
