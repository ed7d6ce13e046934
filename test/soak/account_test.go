//go:build unix

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// deeds gives results with the statuses of a word: o, w, c and u.
func deeds(word string) (list []deed) {
	status := map[rune]string{'o': "ok", 'w': "warning", 'c': "critical", 'u': "unknown"}
	for i, letter := range word {
		list = append(list, deed{number: "n-" + strconv.Itoa(i), status: status[letter], at: int64(i)})
	}
	return list
}

func TestHardChanges(t *testing.T) {
	for _, row := range []struct {
		made     string
		attempts int
		want     string // numbers and first letters
	}{
		{"ooo", 1, "0o"},
		{"oocco", 1, "0o 2c 4o"},
		{"cwwu", 1, "0c 1w 3u"},
		{"c", 3, "0c"},
		{"occo", 3, "0o"},
		{"occco", 3, "0o 3c 4o"},
		{"ocwu", 3, "0o 3u"},
		{"occcwo", 3, "0o 3c 4w 5o"},
		{"occocc", 3, "0o"},
	} {
		var got []string
		for _, c := range hardChanges(deeds(row.made), row.attempts) {
			got = append(got, strings.TrimPrefix(c.number, "n-")+c.to[:1])
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%s with %d attempts: %q, want %q", row.made, row.attempts, got, row.want)
		}
	}
}

func TestWhatTheStoreLacksIsSeen(t *testing.T) {
	made := deeds("oocco")
	all := hardChanges(made, 1)
	for name, row := range map[string]struct {
		got   []change
		ended int64 // when the fleet was told to end
		well  bool
	}{
		"everything is there":             {all, 10, true},
		"the last change is lost":         {all[:2], 10, false},
		"it was made as the fleet ended":  {all[:2], 4, true},
		"more was made before":            {all[:1], 4, false},
		"one in between is lost":          {[]change{all[0], all[2]}, 10, false},
		"one is there twice":              {[]change{all[0], all[1], all[1], all[2]}, 10, false},
		"two have changed places":         {[]change{all[1], all[0], all[2]}, 10, false},
		"one is there that was not made":  {append(slices.Clone(all), change{"warning", "n-9"}), 10, false},
		"one came from another execution": {[]change{all[0], {"critical", "n-3"}, all[2]}, 10, false},
	} {
		a := &account{ended: time.UnixMilli(row.ended)}
		a.follow(definition{}, spot{"load", "n1"}, made, row.got)
		if well := len(a.faults) == 0; well != row.well {
			t.Errorf("%s: %v", name, a.faults)
		}
	}
}

func TestAStateThatIsNotTheLastIsSeen(t *testing.T) {
	where := spot{"load", "n1"}
	for name, row := range map[string]struct {
		state stored
		ended int64
		well  bool
	}{
		"the last":                         {stored{status: "critical", soft: "critical", output: "x #n-2"}, 10, true},
		"the one before":                   {stored{status: "ok", soft: "ok", output: "x #n-1"}, 10, false},
		"the one before, as it was ended":  {stored{status: "ok", soft: "ok", output: "x #n-1"}, 2, true},
		"an older one, as it was ended":    {stored{status: "ok", soft: "ok", output: "x #n-0"}, 2, false},
		"none":                             {stored{}, 10, false},
		"the last, with another status":    {stored{status: "ok", soft: "critical", output: "x #n-2"}, 10, false},
		"the last, with another soft one":  {stored{status: "critical", soft: "ok", output: "x #n-2"}, 10, false},
		"one of another life of the fleet": {stored{status: "critical", soft: "critical", output: "x #m-2"}, 10, false},
	} {
		a := &account{story: &story{watcher: &watcher{made: &record{made: map[spot][]deed{where: deeds("ooc")}}}}, ended: time.UnixMilli(row.ended)}
		a.compareCheck(definition{name: "load"}, map[spot]stored{where: row.state})
		if well := len(a.faults) == 0; well != row.well {
			t.Errorf("%s: %v", name, a.faults)
		}
	}
}

func TestWhatATallyHasToHold(t *testing.T) {
	for name, row := range map[string]struct {
		d                  definition
		t                  tally
		matched, undefined int
		well               bool
	}{
		"it is the inventory's":           {definition{}, tally{Total: 5, OK: 2, Warning: 1, Critical: 1, Unknown: 1, Undefined: 3}, 5, 3, true},
		"a node is missing":               {definition{}, tally{Total: 4, OK: 4}, 5, 0, false},
		"a node is missing in the counts": {definition{}, tally{Total: 5, OK: 4}, 5, 0, false},
		"undefined is not told":           {definition{}, tally{Total: 5, OK: 5}, 5, 1, false},
		"undefined counts as unknown":     {definition{unknown: true}, tally{Total: 6, OK: 5, Unknown: 1}, 5, 1, true},
		"a node is silent":                {definition{}, tally{Total: 5, OK: 4, Unknown: 1, Silent: 1}, 5, 0, false},
		"a state is stale":                {definition{}, tally{Total: 5, OK: 4, Unknown: 1, Stale: 1}, 5, 0, false},
		"one is in another's shadow":      {definition{shadowed: true}, tally{Total: 5, OK: 4, Shadowed: 1}, 5, 0, true},
		"a shadow that nobody throws":     {definition{}, tally{Total: 5, OK: 4, Shadowed: 1}, 5, 0, false},
		"nobody matches":                  {definition{}, tally{}, 0, 0, false},
	} {
		if err := row.d.holds(row.t, row.matched, row.undefined); (err == nil) != row.well {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRecordIsReadAsItIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record")
	r, err := openRecord(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for i, part := range []string{"state n1 load a-0 0 1000\nstate n1 load a-", "1 2 2000\nstate n2 load b-0 1 2500\n", ""} {
		if _, err := file.WriteString(part); err != nil {
			t.Fatal(err)
		}
		if err := r.read(); err != nil || r.all != []int{1, 3, 3}[i] {
			t.Fatalf("after part %d there are %d: %v", i, r.all, err)
		}
	}
	if got := r.tally("load"); got["critical"] != 1 || got["warning"] != 1 || got["ok"] != 0 {
		t.Errorf("the last states are %v", got)
	}
	if results, changes := r.between(1500, 2500); results != 1 || changes != 1 {
		t.Errorf("%d results and %d changes in between", results, changes)
	}
	if _, err := file.WriteString("nonsense\n"); err != nil {
		t.Fatal(err)
	}
	if err := r.read(); err == nil {
		t.Error("a line that is none was taken")
	}
}

func TestChecksOfTheSoak(t *testing.T) {
	list := definitions(23)
	names := map[string]bool{}
	for _, d := range list {
		names[d.name] = true
	}
	if len(names) != 23 {
		t.Errorf("23 checks have %d names", len(names))
	}
	text := yaml(list, 2*time.Second)
	if strings.Count(text, "- name: ") != 23 || !strings.Contains(text, "attempts: 3\n  retry: 1s\n") {
		t.Errorf("they are written as\n%s", text)
	}
}
