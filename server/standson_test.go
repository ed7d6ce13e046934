package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

func TestWhatStandsOnASavedFilterFollowsIt(t *testing.T) {
	f := shop(t)
	f.save("ours", `facts.customer == "globex"`)
	f.save("watched", `@ours`)
	f.group(fettle.Group{Name: "g", Members: []fettle.GroupMember{{Check: "load", Filter: "@watched"}}})
	now := fettle.MillisOf(f.clock.Now())
	quiet, err := f.AddSilence(t.Context(), fettle.Silence{Filter: "@watched", Checks: []string{"disk"}, Reason: "r", Expires: now.Add(time.Hour)}, "ann")
	if err != nil {
		t.Fatal(err)
	}
	waiting, err := f.AddSilence(t.Context(), fettle.Silence{Filter: "@ours", Reason: "later", Starts: now.Add(time.Hour), Expires: now.Add(2 * time.Hour)}, "ann")
	if err != nil {
		t.Fatal(err)
	}
	f.result("a1", "load", fettle.CodeCritical)
	f.result("a1", "disk", fettle.CodeCritical)
	f.is("a1 is none of its nodes", "g", fettle.CheckOK)
	f.is("a1 is not silenced", "disk", fettle.CheckCritical)

	f.save("ours", `facts.customer == "acme"`)
	f.is("a group follows at once, by way of another filter", "g", fettle.CheckCritical)
	f.is("a silence follows at once", "disk", fettle.CheckOK)
	if by, is := f.Silenced("disk", "a1"); !is || by.ID != quiet.ID {
		t.Errorf("a1: %+v, %v", by, is)
	}
	if _, is := f.Silenced("disk", "g1"); is {
		t.Error("g1 is silenced still")
	}
	if v, err := f.Silence(t.Context(), quiet.ID); err != nil || v.Nodes != 2 || v.Filter != "@watched" {
		t.Errorf("the silence: %+v, %v", v, err)
	}
	t.Run("nodes that come under it later are placed by it as it is now", func(t *testing.T) {
		f.join("g1", `{"customer":"acme"}`, "check_load", "check_disk")
		f.eventually("three nodes are silenced", func() bool {
			v, err := f.Silence(t.Context(), quiet.ID)
			return err == nil && v.Nodes == 3
		})
	})
	t.Run("a change that would break one of them is refused, and says which", func(t *testing.T) {
		f.group(fettle.Group{Name: "long", Members: []fettle.GroupMember{{Check: "load", Filter: `"` + fettle.Filter(strings.Repeat("x", 60000)) + `" in classes || @ours`}}})
		_, err := f.SaveFilter(t.Context(), FilterChange{Name: "ours", Filter: `"` + fettle.Filter(strings.Repeat("x", 10000)) + `" in classes`, Caller: "ann"})
		if !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), "group long stands on it") {
			t.Errorf("got %v", err)
		}
		if err := f.DeleteGroup(t.Context(), "long", "ann"); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("it is not taken away under them", func(t *testing.T) {
		if _, err := f.Stand(t.Context(), StandingOrder{Name: "again", RunRequest: RunRequest{Action: "agent.ping", Selection: Selection{Where: "@ours"}, Caller: "ann"}, Every: time.Hour}); err != nil {
			t.Fatal(err)
		}
		err := f.DeleteFilter(t.Context(), "ours", "ann", false)
		for _, user := range []string{"watched", "group g", "silence " + quiet.ID, "silence " + waiting.ID, "standing run again"} {
			if !errors.Is(err, fettle.ErrConflict) || !strings.Contains(err.Error(), user) {
				t.Errorf("%s: %v", user, err)
			}
		}
		if _, err := f.EndSilence(t.Context(), waiting.ID, "ann"); err != nil {
			t.Fatal(err)
		}
		if err := f.DeleteFilter(t.Context(), "ours", "ann", false); err == nil || strings.Contains(err.Error(), waiting.ID) {
			t.Errorf("a silence that is over: %v", err)
		}
	})
	t.Run("a silence that waits begins with the filter as it is then", func(t *testing.T) {
		begins := fettle.MillisOf(f.clock.Now()).Add(2 * time.Second)
		late, err := f.AddSilence(t.Context(), fettle.Silence{Filter: "@ours", Checks: []string{"load"}, Reason: "later", Starts: begins, Expires: begins.Add(time.Hour)}, "ann")
		if err != nil {
			t.Fatal(err)
		}
		f.save("ours", `identity == "a1"`)
		f.clock.add(3 * time.Second)
		f.eventually("it holds for one node", func() bool {
			v, err := f.Silence(t.Context(), late.ID)
			return err == nil && v.Phase == SilenceHolds && v.Nodes == 1
		})
	})
}
