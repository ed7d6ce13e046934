package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// shop is a fleet of two customers with a check each of load and disk, both answered.
func shop(t *testing.T) *fleet {
	f := newFleet(t, keeping(CheckConfig{Name: "load", Command: "check_load"}, CheckConfig{Name: "disk", Command: "check_disk"}))
	for node, facts := range map[fettle.NodeID]string{"a1": `{"customer":"acme"}`, "a2": `{"customer":"acme"}`, "g1": `{"customer":"globex"}`} {
		f.join(node, facts, "check_load", "check_disk")
	}
	f.clock.add(2100 * time.Millisecond)
	f.eventually("all are members", func() bool {
		return f.verdict(VerdictQuery{Check: "load"}).Tally.Total == 3 && f.verdict(VerdictQuery{Check: "disk"}).Tally.Total == 3
	})
	for _, node := range []fettle.NodeID{"a1", "a2", "g1"} {
		f.result(node, "load", fettle.CodeOK)
		f.result(node, "disk", fettle.CodeOK)
	}
	return f
}

// result has a node say what a check gave.
func (f *fleet) result(node fettle.NodeID, check string, code fettle.CheckCode) {
	f.t.Helper()
	def, _ := f.definition(check)
	r := checked(code)
	r.Node, r.Check, r.CheckRev = node, check, def.Rev
	f.say(node, wire.TypeResults, wire.Results{Session: session, Seq: f.next(node), Results: []fettle.Result{r}})
}

func (f *fleet) is(when, name string, want fettle.CheckStatus) fettle.Verdict {
	f.t.Helper()
	v := f.verdict(VerdictQuery{Check: name})
	if v.Status != want {
		f.t.Errorf("%s: %s is %s (%s) %+v, want %s", when, name, v.Status, v.Reason, v.Tally, want)
	}
	return v
}

func (f *fleet) group(g fettle.Group) {
	f.t.Helper()
	if _, err := f.SaveGroup(f.t.Context(), g, "ann"); err != nil {
		f.t.Fatal(err)
	}
}

func TestGroupsOfVerdicts(t *testing.T) {
	f := shop(t)
	f.group(fettle.Group{Name: "all", Members: []fettle.GroupMember{{Check: "load"}, {Check: "disk"}}})
	f.group(fettle.Group{Name: "any", Fold: fettle.FoldAny, Members: []fettle.GroupMember{{Check: "load"}, {Check: "disk"}}})
	f.group(fettle.Group{Name: "customers", By: "facts.customer", Members: []fettle.GroupMember{{Check: "load", Rule: fettle.Rule{MinOK: "1"}}}})
	f.group(fettle.Group{Name: "acme", Members: []fettle.GroupMember{{Filter: "customer=acme"}, {Group: "any"}}})
	f.is("all is well", "all", fettle.CheckOK)

	f.result("a1", "load", fettle.CodeCritical)
	f.is("one is critical", "all", fettle.CheckCritical)
	f.is("one is critical", "any", fettle.CheckOK)
	f.is("one is critical, and one is enough for each customer", "customers", fettle.CheckOK)
	v := f.is("a node of acme is critical", "acme", fettle.CheckCritical)
	if len(v.Members) != 2 || v.Members[0].Tally.Total != 4 || v.Members[0].Tally.Critical != 1 || v.Members[1].Status != fettle.CheckOK {
		t.Errorf("members: %+v", v.Members)
	}
	since := v.Since

	f.result("a2", "load", fettle.CodeCritical)
	v = f.is("all of acme's are critical", "customers", fettle.CheckCritical)
	if len(v.By) != 2 || v.By[0].Value != "acme" || v.By[0].Status != fettle.CheckCritical || v.By[1].Status != fettle.CheckOK || v.ByFact != "customer" {
		t.Errorf("by customer: %+v", v.By)
	}
	t.Run("facts that change move a node at once", func(t *testing.T) {
		f.join("g1", `{"customer":"acme"}`, "check_load", "check_disk")
		f.eventually("one of three is enough", func() bool {
			v := f.verdict(VerdictQuery{Check: "customers"})
			return v.Status == fettle.CheckOK && len(v.By) == 1
		})
	})
	t.Run("a check by a fact, and over a filter", func(t *testing.T) {
		v := f.verdict(VerdictQuery{Check: "load", By: "customer", MinOK: "100%"})
		if v.Status != fettle.CheckCritical || len(v.By) != 1 || v.By[0].Tally.Critical != 2 {
			t.Errorf("%+v", v)
		}
		if v := f.verdict(VerdictQuery{Check: "load", Selection: Selection{Where: `identity == "g1"`}}); v.Status != fettle.CheckOK || v.Tally.Total != 1 {
			t.Errorf("%+v", v)
		}
		if v := f.verdict(VerdictQuery{Check: "all", Selection: Selection{Where: `identity == "g1"`}}); v.Status != fettle.CheckOK || v.Members[0].Tally.Total != 1 {
			t.Errorf("%+v", v)
		}
	})
	t.Run("what cannot be is refused", func(t *testing.T) {
		for text, g := range map[string]fettle.Group{
			"any -> any: it goes round": {Name: "any", Members: []fettle.GroupMember{{Group: "any"}}},
			"any -> acme -> any":        {Name: "any", Members: []fettle.GroupMember{{Group: "acme"}}},
			"no check nosuch":           {Name: "g", Members: []fettle.GroupMember{{Check: "nosuch"}}},
			"at_least":                  {Name: "g", Fold: fettle.FoldAtLeast, Members: []fettle.GroupMember{{Check: "load"}}},
			"members":                   {Name: "g"},
			"min_ok":                    {Name: "g", Rule: fettle.Rule{MinOK: "some"}, Members: []fettle.GroupMember{{Check: "load"}}},
		} {
			if _, err := f.SaveGroup(t.Context(), g, "ann"); !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v", text, err)
			}
		}
		if _, err := f.SaveGroup(t.Context(), fettle.Group{Name: "load", Members: []fettle.GroupMember{{Check: "load"}}}, "ann"); !errors.Is(err, fettle.ErrConflict) {
			t.Errorf("the name of a check: %v", err)
		}
		if err := f.DeleteGroup(t.Context(), "any", "ann"); !errors.Is(err, fettle.ErrConflict) {
			t.Errorf("one that is used: %v", err)
		}
	})
	t.Run("all is there after a restart, and since when", func(t *testing.T) {
		f.eventually("the verdicts are stored", func() bool { rows, _ := f.Store.Verdicts(t.Context()); return len(rows) == 6 })
		f.stop()
		f.clock.add(time.Second)
		g := openFleet(t, f.cfg, f.dsn, f.clock)
		if v := g.verdict(VerdictQuery{Check: "acme"}); v.Status != fettle.CheckCritical || v.Since != since || !v.Settling {
			t.Errorf("%+v, since %d", v, since)
		}
		g.clock.add(2100 * time.Millisecond)
		if v := g.verdict(VerdictQuery{Check: "acme"}); v.Status != fettle.CheckCritical || v.Since != since || v.Settling {
			t.Errorf("%+v, since %d", v, since)
		}
	})
}

func TestSilences(t *testing.T) {
	f := shop(t)
	f.result("a1", "load", fettle.CodeCritical)
	f.result("a1", "disk", fettle.CodeWarning)
	now := fettle.MillisOf(f.clock.Now())
	order := fettle.Silence{Filter: "customer=acme", Checks: []string{"lo*"}, Reason: "new disks", Expires: now.Add(time.Hour)}
	p, err := f.PreviewSilence(t.Context(), order, "ann")
	if err != nil || p.Nodes != 2 || p.Now.Count != 1 || p.Now.States[0].Node != "a1" || p.Now.ByCheck["load"] != 1 {
		t.Errorf("preview: %+v, %v", p, err)
	}
	if p.Before.Count != 1 || len(p.Before.Transitions) != 1 || p.Before.Transitions[0].To != fettle.CheckCritical {
		t.Errorf("last week: %+v", p.Before)
	}
	one, err := f.AddSilence(t.Context(), order, "ann")
	if err != nil || one.Phase != SilenceHolds || one.Nodes != 2 || one.Author != "ann" {
		t.Fatalf("%+v, %v", one, err)
	}
	v := f.is("the critical one is silenced", "load", fettle.CheckOK)
	if v.Tally != (fettle.CheckTally{Total: 3, OK: 2, Silenced: 1}) || len(v.SilencedBy) != 1 || v.SilencedBy[0].Reason != "new disks" || v.Silenced[0] != "a1" {
		t.Errorf("%+v", v)
	}
	f.is("the silence is about another check", "disk", fettle.CheckWarning)
	if by, is := f.Silenced("load", "a1"); !is || by.ID != one.ID {
		t.Errorf("%+v, %v", by, is)
	}
	if _, is := f.Silenced("load", "g1"); is {
		t.Error("a node of another customer is silenced")
	}
	t.Run("a node that leaves the filter is heard again, and one for which it is undefined", func(t *testing.T) {
		f.join("a1", `{}`, "check_load", "check_disk")
		f.eventually("it counts", func() bool { return f.verdict(VerdictQuery{Check: "load"}).Status == fettle.CheckCritical })
		f.join("a1", `{"customer":"acme"}`, "check_load", "check_disk")
		f.eventually("it is silenced again", func() bool { return f.verdict(VerdictQuery{Check: "load"}).Status == fettle.CheckOK })
	})
	t.Run("a verdict over a filter and a group leave it out as well", func(t *testing.T) {
		f.group(fettle.Group{Name: "g", Members: []fettle.GroupMember{{Check: "load", Filter: "customer=acme"}}})
		f.is("a group", "g", fettle.CheckOK)
		if v := f.verdict(VerdictQuery{Check: "load", Selection: Selection{Where: `identity == "a1"`}}); v.Status != fettle.CheckOK || v.Tally.Silenced != 1 {
			t.Errorf("%+v", v)
		}
	})
	t.Run("it outlives a restart, and ends when it is ended", func(t *testing.T) {
		f.stop()
		g := openFleet(t, f.cfg, f.dsn, f.clock)
		g.clock.add(2100 * time.Millisecond)
		g.is("after a restart", "load", fettle.CheckOK)
		v, err := g.EndSilence(t.Context(), one.ID, "bob")
		if err != nil || v.Phase != SilenceOver || v.EndedBy != "bob" {
			t.Errorf("%+v, %v", v, err)
		}
		g.is("after its end", "load", fettle.CheckCritical)
		if _, err := g.EndSilence(t.Context(), one.ID, "bob"); !errors.Is(err, fettle.ErrConflict) {
			t.Errorf("ended twice: %v", err)
		}
		if len(g.Silences(t.Context(), false)) != 0 || len(g.Silences(t.Context(), true)) != 1 {
			t.Error("it is over, and kept")
		}
		if _, err := g.AddSilence(t.Context(), fettle.Silence{Filter: "true", Reason: "r", Expires: fettle.MillisOf(g.clock.Now()).Add(90 * time.Second)}, "ann"); err != nil {
			t.Fatal(err)
		}
		g.is("another", "load", fettle.CheckOK)
		g.clock.add(91 * time.Second)
		g.eventually("it ends by itself", func() bool {
			v := g.verdict(VerdictQuery{Check: "load"})
			return v.Tally.Silenced == 0 && v.Tally.Total == 3
		})
	})
}
