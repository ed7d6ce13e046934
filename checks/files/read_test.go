package files

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	defs, err := Read("checks.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	want := []Definition{
		{File: "checks.yaml", Line: 2, CheckDefinition: fettle.CheckDefinition{
			Name: "disk", NRPE: "check_disk", Args: []string{"-w", "10%"}, Filter: "environment=production", Interval: fettle.Span(5 * time.Minute), Attempts: 3,
			Flap: &fettle.Flap{Low: 10, High: 40}, Labels: map[string]string{"team": "web"}, Runbook: "https://wiki.acme.net/disk",
			OnChange: &fettle.Remedy{
				Action: "service.restart", Inputs: map[string]any{"name": "{{state.check}}", "force": true},
				When: []fettle.CheckStatus{fettle.CheckCritical, fettle.CheckWarning}, Cooldown: fettle.Span(24 * time.Hour),
			},
		}},
		{File: "checks.yaml", Line: 17, CheckDefinition: fettle.CheckDefinition{
			Name: "swap", Expression: "facts.memory.swap.used_bytes < 1000000", Filter: "true", Cron: "30 6 * * *",
		}},
		{File: "checks.yaml", Line: 22, CheckDefinition: fettle.CheckDefinition{
			Name: "web", Action: "http.get", Inputs: map[string]any{"url": "http://localhost/", "timeout": int64(5), "headers": []any{"a", "b"}}, Filter: "mysql::master",
			Verdict: &fettle.CheckRules{Critical: "data.status != 200"},
		}},
	}
	if diff := cmp.Diff(want, defs); diff != "" {
		t.Error(diff)
	}
	if defs, err := Read("x", []byte("checks:\n  - {name: a, nrpe: check_load}\n")); err != nil || len(defs) != 1 {
		t.Errorf("under the key checks: %v, %v", defs, err)
	}
}

func TestFaultsNameFileLineAndKey(t *testing.T) {
	for text, want := range map[string]string{
		"name: a\nnrpe: b\nintervall: 1m\n":                                 "f.yaml:3: intervall: there is no such key, did you mean interval?",
		"name: a\nnrpe: b\non_change: {action: x, wen: [ok]}\n":             "f.yaml:3: on_change.wen: there is no such key, did you mean when?",
		"name: a\nnrpe: b\ninterval: soon\n":                                `f.yaml:3: interval: "soon" is not a span of time`,
		"name: a\nnrpe: b\nattempts: many\n":                                `f.yaml:3: attempts: "many" is no whole number`,
		"name: a\nnrpe: b\nargs: -w\n":                                      "f.yaml:3: args: a list ought to stand here",
		"name: a\nnrpe: b\naction: c.d\n":                                   "f.yaml:3: action: it stands beside nrpe",
		"name: a\nnrpe: b\n---\nname: a\nnrpe: c\n":                         "f.yaml:4: name: a is there already, on line 1",
		"- name: a\n  nrpe: b\n  filter: facts.env ==\n":                    "f.yaml:3: filter: ",
		"name: a\nexpression: facts.a > 1\n":                                `f.yaml:1: filter: say which nodes have it; "true" for all`,
		"name: a\nnrpe: b\non_change: {composition: heal}\n":                "f.yaml:3: on_change.composition: compositions cannot be run yet",
		"name: a\nnrpe: b\nrunbook: javascript:alert(1)\n":                  "f.yaml:3: runbook: ",
		"name: a\nnrpe: b\ncron: 61 * * * *\n":                              "f.yaml:3: cron: ",
		"name: a\nnrpe: b\nflap:\n  low: 50\n  high: 20\n":                  "f.yaml:3: flap: low 50 and high 20",
		"name: a\naction: b.c\nfilter: \"true\"\nverdict: {warning: data.}": "f.yaml:4: verdict.warning: ",
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

func FuzzRead(f *testing.F) {
	f.Add([]byte(good))
	for _, seed := range []string{"- &a [*a]", "checks: {}", "? [a]\n: b", "name: !!binary x", "a: |\n b\n...\n---\n", "{name: {name: {}}}", "inputs: {a: [[[[]]]]}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		defs, err := Read("f", raw)
		if err != nil && !errors.Is(err, fettle.ErrInvalid) {
			t.Fatalf("%v", err)
		}
		if err == nil && len(defs) == 0 {
			t.Fatal("nothing was read, and nothing is wrong")
		}
	})
}

func TestExamples(t *testing.T) {
	const name = "../../examples/checks/node.yaml"
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if defs, err := Read(name, raw); err != nil || len(defs) < 4 {
		t.Errorf("%d checks: %v", len(defs), err)
	}
}
