package alerts

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	fettle "github.com/fettle-dev/fettle"
)

func (b *bench) want(what string, got []string, want ...string) {
	b.t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		b.t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestLevels(t *testing.T) {
	b := newBench(t, Route{Repeat: time.Hour})
	b.world.set("load", fettle.CheckOK)
	b.want("what is well", b.after(0))
	b.world.set("load", fettle.CheckWarning)
	b.want("what is bad", b.after(time.Second), "firing load warning")
	b.want("is told once", b.after(time.Second))
	b.world.set("load", fettle.CheckCritical)
	b.want("what has become worse", b.after(time.Second), "firing load critical was warning")
	b.want("not before its time", b.after(59*time.Minute))
	b.want("after the repeat interval", b.after(time.Minute), "firing load critical again")
	b.world.set("load", fettle.CheckOK)
	b.want("an end is believed after a minute", b.after(time.Second))
	b.want("not before", b.after(30*time.Second))
	b.want("the end", b.after(30*time.Second), "resolved load critical")
	b.want("is told once", b.after(time.Hour))
	if len(b.List()) != 0 {
		t.Errorf("it is not forgotten: %v", b.List())
	}
	if alerts, notices, err := b.store.Alerts(t.Context()); err != nil || len(alerts)+len(notices) > 0 {
		t.Errorf("it is not forgotten: %v, %v, %v", alerts, notices, err)
	}
}

func TestWhatIsNoAlert(t *testing.T) {
	b := newBench(t, Route{})
	t.Run("while the server settles nothing begins and nothing ends", func(t *testing.T) {
		v := verdict("load", fettle.CheckCritical)
		v.Settling = true
		b.world.put(v)
		b.want("begins", b.after(time.Second))
		v.Settling = false
		b.world.put(v)
		b.want("it has settled", b.after(time.Second), "firing load critical")
		v = verdict("load", fettle.CheckOK)
		v.Settling = true
		b.world.put(v)
		b.want("ends", b.after(time.Hour))
	})
	t.Run("an error of the server ends nothing", func(t *testing.T) {
		b.world.fault = errors.New("the store is away")
		b.world.drop("load")
		b.want("no verdicts", b.after(time.Hour))
		if at, fault := b.Looked(); fault == "" || !at.Time().Before(b.now) {
			t.Errorf("looked at %v, %q", at.Time(), fault)
		}
		b.world.fault = nil
	})
	t.Run("a short recovery is none", func(t *testing.T) {
		b.world.set("load", fettle.CheckOK)
		b.after(time.Second)
		b.world.set("load", fettle.CheckCritical)
		b.want("it goes on", b.after(30*time.Second))
		b.want("it goes on", b.after(time.Hour))
	})
	t.Run("nodes that flap are believed when others are bad too", func(t *testing.T) {
		v := verdict("disk", fettle.CheckCritical)
		v.Tally.Flapping = 1
		b.world.flapping["db1.acme.net"] = true
		b.world.put(v)
		b.want("all that is bad flaps", b.after(time.Second))
		v.Tally.Critical, v.Tally.OK = 2, 1
		v.Nodes = map[fettle.CheckStatus][]fettle.NodeID{fettle.CheckCritical: {"db1.acme.net", "db2.acme.net"}}
		b.world.put(v)
		b.want("another is bad", b.after(time.Second), "firing disk critical")
	})
}

func TestFor(t *testing.T) {
	b := newBench(t, Route{For: 5 * time.Minute})
	b.world.set("load", fettle.CheckCritical)
	b.want("at once", b.after(time.Second))
	b.world.set("load", fettle.CheckOK)
	b.want("it was short", b.after(time.Minute))
	b.want("and ends without a word", b.after(2*time.Minute))
	b.world.set("load", fettle.CheckCritical)
	b.want("again", b.after(time.Minute))
	b.want("it stays", b.after(5*time.Minute), "firing load critical")
}

func TestRoutes(t *testing.T) {
	for name, c := range map[string]struct {
		routes []Route
		want   bool
	}{
		"no condition":           {[]Route{{Receivers: []string{"r"}}}, true},
		"a pattern":              {[]Route{{Checks: []string{"x", "disk_*"}, Receivers: []string{"r"}}}, true},
		"another check":          {[]Route{{Checks: []string{"load"}, Receivers: []string{"r"}}}, false},
		"owner and label":        {[]Route{{Owner: []string{"ann"}, Labels: map[string]string{"team": "d?"}, Receivers: []string{"r"}}}, true},
		"another label":          {[]Route{{Labels: map[string]string{"team": "web"}, Receivers: []string{"r"}}}, false},
		"a label that is not":    {[]Route{{Labels: map[string]string{"tier": "1"}, Receivers: []string{"r"}}}, false},
		"another status":         {[]Route{{Statuses: []fettle.CheckStatus{fettle.CheckWarning}, Receivers: []string{"r"}}}, false},
		"the first holds":        {[]Route{{Receivers: []string{"other"}}, {Receivers: []string{"r"}}}, false},
		"unless it goes on":      {[]Route{{Receivers: []string{"other"}, Continue: true}, {Receivers: []string{"r"}}}, true},
		"what does not match":    {[]Route{{Checks: []string{"load"}, Receivers: []string{"other"}}, {Receivers: []string{"r"}}}, true},
		"both in one":            {[]Route{{Receivers: []string{"other", "r"}}}, true},
		"owner is somebody else": {[]Route{{Owner: []string{"bob"}, Receivers: []string{"r"}}}, false},
	} {
		a := &Alert{Check: "disk_root", Owner: "ann", Status: fettle.CheckCritical, Labels: map[string]string{"team": "db"}}
		if got := routeTo(c.routes, "r", a) != nil; got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestReceiverAway(t *testing.T) {
	b := newBench(t, Route{})
	b.world.set("load", fettle.CheckCritical)
	b.Look(t.Context())
	b.serveAll(errors.New("connection refused"))
	r := b.Receivers()[0]
	if r.Tries != 1 || r.Fault != "connection refused" || r.Waiting != 1 || r.Next.Time().Sub(b.now) > minBackoff {
		t.Errorf("%+v", r)
	}
	for range 12 {
		b.now = b.now.Add(maxBackoff)
		b.serveAll(errors.New("connection refused"))
	}
	if wait := b.Receivers()[0].Next.Time().Sub(b.now); wait < maxBackoff/2 || wait > maxBackoff {
		t.Errorf("it waits %s", wait)
	}
	b.world.set("disk", fettle.CheckWarning)
	b.world.set("load", fettle.CheckOK)
	b.want("it is back, and is told what is now, not what was", b.after(maxBackoff), "firing load critical", "firing disk warning")
	b.want("and the end", b.after(2*time.Minute), "resolved load critical")
	if r := b.Receivers()[0]; r.Tries != 0 || r.Fault != "" || r.Sent == 0 {
		t.Errorf("%+v", r)
	}
}

func TestRestart(t *testing.T) {
	b := newBench(t, Route{Repeat: time.Hour})
	b.world.set("load", fettle.CheckCritical)
	b.want("begins", b.after(0), "firing load critical")
	b.restart()
	b.want("what was told is not told again", b.after(time.Minute))
	b.want("but when it is time", b.after(time.Hour), "firing load critical again")

	b.world.set("load", fettle.CheckOK)
	b.after(time.Second)
	b.restart()
	b.now = b.now.Add(2 * time.Minute)
	b.Look(t.Context())
	b.serveAll(errors.New("away"))
	b.restart()
	b.want("an end that was not told is told", b.after(time.Minute), "resolved load critical")
	b.restart()
	b.want("once", b.after(time.Minute))

	b.world.set("load", fettle.CheckCritical)
	b.want("the next time it is bad", b.after(time.Minute), "firing load critical")
	b.world.drop("load")
	b.restart()
	b.want("a check that was deleted while we were away", b.after(time.Minute), "resolved load critical")
}

func TestAnEndThatWasNotTold(t *testing.T) {
	b := newBench(t, Route{Repeat: time.Hour, For: time.Minute})
	b.world.set("load", fettle.CheckWarning)
	b.after(0)
	b.want("begins", b.after(2*time.Minute), "firing load warning")
	b.world.set("load", fettle.CheckOK)
	b.Look(t.Context())
	b.now = b.now.Add(2 * time.Minute)
	b.Look(t.Context())
	b.serveAll(errors.New("away"))
	b.world.set("load", fettle.CheckCritical) // again, before the receiver has heard that it ended
	b.want("for it the same goes on", b.after(maxBackoff), "firing load critical was warning")
	b.world.set("load", fettle.CheckOK)
	b.after(time.Second)
	b.want("and ends", b.after(2*time.Minute), "resolved load critical")
}

func TestValuesOfAFact(t *testing.T) {
	b := newBench(t, Route{Repeat: -1})
	group := func(values ...string) fettle.Verdict {
		v := fettle.Verdict{Check: "tier", Kind: fettle.KindGroup, Status: fettle.CheckCritical, ByFact: "facts.customer"}
		for _, value := range values {
			one := verdict("tier", fettle.CheckCritical)
			one.Value = value
			v.By = append(v.By, one)
		}
		return v
	}
	b.world.put(group("acme", "umbrella"))
	b.want("one for each", b.after(0), "firing tier: acme critical", "firing tier: umbrella critical")
	if got := labelsOf(&b.List()[0].Alert); got["customer"] != "acme" || got["value"] != "acme" {
		t.Errorf("labels %v", got)
	}
	b.world.put(group("acme"))
	b.want("a customer whose last node is gone is not well", b.after(time.Second), "firing tier: umbrella unknown was critical")
	b.want("for a day", b.after(23*time.Hour))
	b.want("and then forgotten", b.after(2*time.Hour), "resolved tier: umbrella unknown")
	more := group("acme")
	more.By, more.ByMore = []fettle.Verdict{}, 5
	more.By = append(more.By, verdict("tier", fettle.CheckOK))
	more.By[0].Value = "other"
	b.world.put(more)
	b.want("a value that is left out stays as it is", b.after(time.Hour))
}

func TestGatherAndHourly(t *testing.T) {
	b := newBench(t, Route{Repeat: -1})
	b.receivers[0].gather, b.receivers[0].hourly = 30*time.Second, 2
	for i := range 3 {
		b.world.set(fmt.Sprintf("c%d", i), fettle.CheckCritical)
		b.want("it waits for others", b.after(time.Second))
	}
	b.want("they are one message", b.after(30*time.Second), "firing c0 critical", "firing c1 critical", "firing c2 critical")
	b.world.set("c3", fettle.CheckCritical)
	b.after(time.Second)
	b.want("the second message", b.after(30*time.Second), "firing c3 critical")
	b.world.set("c4", fettle.CheckCritical)
	b.after(time.Second)
	b.want("an hour has room for two", b.after(10*time.Minute))
	if n := b.Receivers()[0].Waiting; n != 1 {
		t.Errorf("%d wait", n)
	}
	b.want("the next hour", b.after(time.Hour), "firing c4 critical")
}

func TestBookIsBounded(t *testing.T) {
	b := newBench(t, Route{})
	for i := range MaxAlerts + 5 {
		b.world.set(fmt.Sprintf("c%d", i), fettle.CheckCritical)
	}
	b.Look(t.Context())
	if firing, dropped := b.count(); firing != MaxAlerts || dropped != 5 {
		t.Errorf("%d, %d dropped", firing, dropped)
	}
}

func TestSummary(t *testing.T) {
	b := newBench(t, Route{})
	b.world.about["load"] = About{Owner: "ann", Runbook: "https://wiki/load", Labels: map[string]string{"team": "db", "not a label": "x"}}
	v := verdict("load", fettle.CheckCritical)
	v.Tally.Silenced, v.Tally.OK = 1, 1
	b.world.put(v)
	b.after(0)
	got := b.List()[0]
	if got.Summary != "load is critical: of 3 nodes 1 critical, 1 silenced" || got.Link != "https://fettle.acme.net/checks/load" {
		t.Errorf("%q %q", got.Summary, got.Link)
	}
	if labels := labelsOf(&got.Alert); labels["team"] != "db" || labels["owner"] != "ann" || labels["severity"] != "critical" || len(labels) != 5 {
		t.Errorf("labels %v", labels)
	}
	if d := got.details(); !strings.Contains(d, "critical: db1.acme.net\ndb1.acme.net: load is 31") {
		t.Errorf("details %q", d)
	}
	if n := got.Told; len(n) != 1 || n[0].Times != 1 || n[0].Status != fettle.CheckCritical {
		t.Errorf("told %+v", n)
	}
}
