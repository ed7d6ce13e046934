package files

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	fettle "github.com/fettle-dev/fettle"
)

const good = `# what the web team watches
name: disk
nrpe: check_disk
args: ["-w", 10%]
filter: environment=production
interval: 5m
attempts: 3
flap: {low: 10, high: 40}
labels: {team: web}
runbook: https://wiki.acme.net/disk
on_change:
  action: service.restart
  inputs: {name: "{{state.check}}", force: true}
  when: [critical, warning]
  cooldown: 1d
---
- name: swap
  expression: |
    facts.memory.swap.used_bytes < 1000000
  filter: "true"
  cron: 30 6 * * *
- name: web
  action: http.get
  inputs: {url: "http://localhost/", timeout: 5, headers: [a, b]}
  filter: mysql::master
  verdict: {critical: data.status != 200}
`

func TestRead(t *testing.T) {
	set, err := Read("checks.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	want := []Definition{
		{Place: Place{File: "checks.yaml", Line: 2}, CheckDefinition: fettle.CheckDefinition{
			Name: "disk", NRPE: "check_disk", Args: []string{"-w", "10%"}, Filter: "environment=production", Interval: fettle.Span(5 * time.Minute), Attempts: 3,
			Flap: &fettle.Flap{Low: 10, High: 40}, Labels: map[string]string{"team": "web"}, Runbook: "https://wiki.acme.net/disk",
			OnChange: &fettle.Remedy{
				Action: "service.restart", Inputs: map[string]any{"name": "{{state.check}}", "force": true},
				When: []fettle.CheckStatus{fettle.CheckCritical, fettle.CheckWarning}, Cooldown: fettle.Span(24 * time.Hour),
			},
		}},
		{Place: Place{File: "checks.yaml", Line: 17}, CheckDefinition: fettle.CheckDefinition{
			Name: "swap", Expression: "facts.memory.swap.used_bytes < 1000000", Filter: "true", Cron: "30 6 * * *",
		}},
		{Place: Place{File: "checks.yaml", Line: 22}, CheckDefinition: fettle.CheckDefinition{
			Name: "web", Action: "http.get", Inputs: map[string]any{"url": "http://localhost/", "timeout": int64(5), "headers": []any{"a", "b"}}, Filter: "mysql::master",
			Verdict: &fettle.CheckRules{Critical: "data.status != 200"},
		}},
	}
	if diff := cmp.Diff(want, set.Checks, cmpopts.IgnoreFields(Place{}, "Keys")); diff != "" {
		t.Error(diff)
	}
	if at := set.Checks[0].At("on_change.inputs.nosuch"); at != "checks.yaml:13" {
		t.Errorf("a key below on_change.inputs is at %s", at)
	}
	if set, err := Read("x", []byte("checks:\n  - {name: a, nrpe: check_load}\n")); err != nil || len(set.Checks) != 1 {
		t.Errorf("under the key checks: %v, %v", set, err)
	}
}

func TestFaultsNameFileLineAndKey(t *testing.T) {
	for text, want := range map[string]string{
		"name: a\nnrpe: b\nintervall: 1m\n":                                             "f.yaml:3: intervall: there is no such key, did you mean interval?",
		"name: a\nnrpe: b\non_change: {action: x, wen: [ok]}\n":                         "f.yaml:3: on_change.wen: there is no such key, did you mean when?",
		"name: a\nnrpe: b\ninterval: soon\n":                                            `f.yaml:3: interval: "soon" is not a span of time`,
		"name: a\nnrpe: b\nattempts: many\n":                                            `f.yaml:3: attempts: "many" is no whole number`,
		"name: a\nnrpe: b\nargs: -w\n":                                                  "f.yaml:3: args: a list ought to stand here",
		"name: a\nnrpe: b\naction: c.d\n":                                               "f.yaml:3: action: it stands beside nrpe",
		"name: a\nnrpe: b\n---\nname: a\nnrpe: c\n":                                     "f.yaml:4: name: a is there already, on line 1",
		"- name: a\n  nrpe: b\n  filter: facts.env ==\n":                                "f.yaml:3: filter: ",
		"name: a\nexpression: facts.a > 1\n":                                            `f.yaml:1: filter: say which nodes have it; "true" for all`,
		"name: a\nnrpe: b\non_change: {composition: heal}\n":                            "f.yaml:3: on_change.composition: compositions cannot be run yet",
		"name: a\nnrpe: b\nrunbook: javascript:alert(1)\n":                              "f.yaml:3: runbook: ",
		"name: a\nnrpe: b\ncron: 61 * * * *\n":                                          "f.yaml:3: cron: ",
		"name: a\nnrpe: b\nflap:\n  low: 50\n  high: 20\n":                              "f.yaml:3: flap: low 50 and high 20",
		"name: a\naction: b.c\nfilter: \"true\"\nverdict: {warning: data.}":             "f.yaml:4: verdict.warning: ",
		"name: a\nnrpe: b\nkind: chek\n":                                                `f.yaml:3: kind: "chek" is neither check nor group, did you mean check?`,
		"kind: silence\nfilter: a=b\n":                                                  "f.yaml:1: kind: a silence is of a moment",
		"name: a\nnrpe: b\nrule: {min_ok: some}\n":                                      "f.yaml:3: rule: min_ok: \"some\" is neither",
		"kind: group\nname: a\nmemebrs: []\n":                                           "f.yaml:3: memebrs: there is no such key, did you mean members?",
		"kind: group\nname: a\nrev: 3\nmembers: [{check: b}]\n":                         "f.yaml:3: rev: there is no such key",
		"kind: group\nname: a\nmembers:\n  - check: b\n  - check: b\n    group: c\n":    "f.yaml:6: members[1].group: it stands beside check",
		"kind: group\nname: a\nmembers:\n  - check: b\n    filter: facts.a ==\n":        "f.yaml:5: members[0].filter: ",
		"kind: group\nname: a\nmembers:\n  - check: b\n    rule:\n      min_ok: some\n": "f.yaml:5: members[0].rule: min_ok: ",
		"kind: group\nname: a\nfold: best\nmembers: [{check: b}]\n":                     `f.yaml:3: fold: "best" is none of worst`,
		"kind: group\nname: a\nrule: {critical: crit > 1}\nmembers: [{check: b}]\n":     "f.yaml:3: rule: critical threshold: ",
		"name: a\nnrpe: b\n---\nkind: group\nname: a\nmembers: [{check: b}]\n":          "f.yaml:5: name: a is there already, on line 1",
		"just text":                              "f.yaml:1: a check ought to stand here",
		"":                                       "f.yaml:1: there are no checks in it",
		"name: [\n":                              "f.yaml:",
		"name: a\nnrpe: b\ndepends_on: [c, a]\n": "f.yaml:3: depends_on[1]: a check cannot stand in its own shadow",
	} {
		_, err := Read("f.yaml", []byte(text))
		if !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
	_, err := Read("f.yaml", []byte("name: a b\nnrpe: b\ninterval: 1ms\ntimeout: 9h\n"))
	if n := strings.Count(err.Error(), "\n") + 1; n != 3 {
		t.Errorf("%d faults are told, want all three: %v", n, err)
	}
}

const group = `name: load
nrpe: check_load
---
kind: group
name: shop
fold: at_least
at_least: 1
by: facts.customer
members:
  - {check: load, filter: role=db, rule: {min_ok: "2"}}
  - group: payments
labels: {team: web}
`

func TestKindsStandBesideEachOther(t *testing.T) {
	set, err := Read("f.yaml", []byte(group))
	if err != nil || len(set.Checks) != 1 || len(set.Groups) != 1 {
		t.Fatalf("%+v, %v", set, err)
	}
	want := fettle.Group{
		Name: "shop", Fold: fettle.FoldAtLeast, AtLeast: 1, By: "customer", Labels: map[string]string{"team": "web"},
		Members: []fettle.GroupMember{{Check: "load", Filter: set.Groups[0].Members[0].Filter, Rule: fettle.Rule{MinOK: "2"}}, {Group: "payments"}},
	}
	if diff := cmp.Diff(want, set.Groups[0].Group); diff != "" {
		t.Error(diff)
	}
	if where := string(want.Members[0].Filter); !strings.Contains(where, "facts.role") {
		t.Errorf("the filter is %s, not CEL", where)
	}
	if at := set.Groups[0].At("members[1].group"); at != "f.yaml:11" {
		t.Errorf("members[1].group is at %s", at)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(group))
	for _, seed := range []string{"- &a [*a]", "checks: {}", "? [a]\n: b", "name: !!binary x", "a: |\n b\n...\n---\n", "{name: {name: {}}}", "inputs: {a: [[[[]]]]}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		set, err := Read("f", raw)
		if err != nil && !errors.Is(err, fettle.ErrInvalid) {
			t.Fatalf("%v", err)
		}
		if err == nil && len(set.Checks)+len(set.Groups) == 0 {
			t.Fatal("nothing was read, and nothing is wrong")
		}
	})
}

func TestExamples(t *testing.T) {
	all := Set{}
	for _, name := range []string{"../../examples/checks/node.yaml", "../../examples/checks/groups.yaml", "../../examples/checks/remedy.yaml"} {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		set, err := Read(name, raw)
		if err != nil {
			t.Error(err)
		}
		all.Checks, all.Groups = append(all.Checks, set.Checks...), append(all.Groups, set.Groups...)
	}
	if len(all.Checks) < 5 || len(all.Groups) != 1 {
		t.Errorf("%d checks and %d groups", len(all.Checks), len(all.Groups))
	}
}
