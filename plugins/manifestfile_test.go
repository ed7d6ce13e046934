package plugins

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
)

const diskManifest = `name: disk
version: 1.2.0
description: How full disks are.
licence: Apache-2.0
icon: disk
timeout: 20s
platforms: facts.kernel == "Linux"
executable: disk-{os}-{arch}
run:
  user: nobody
  nice: 5
actions:
  - name: usage
    description: How full the disk of a folder is.
    idempotent: true
    inputs:
      - name: path
        description: Which folder.
        type: string
        default: /
        pattern: /.*
      - name: least
        type: int
        from: facts.disk.least
        min: 1
    outputs:
      - name: used
        type: float
        unit: "%"
        display: used space
    summaries:
      - output: used
        function: max
    display: failed
  - name: clean
    description: Remove what is old.
    timeout: 5m
    busy: '"disk.clean" in agent.running'
`

func TestParseManifest(t *testing.T) {
	m, err := ParseManifest([]byte(diskManifest))
	if err != nil {
		t.Fatal(err)
	}
	want := Manifest{
		Name: "disk", Version: "1.2.0", Description: "How full disks are.", Licence: "Apache-2.0", Icon: "disk", Platforms: `facts.kernel == "Linux"`,
		Executable: "disk-{os}-{arch}", Run: Limits{User: "nobody", Nice: 5},
		Actions: []Action{{
			Name: "disk.usage", Description: "How full the disk of a folder is.", Idempotent: true, Timeout: 20_000, Display: Failed,
			Inputs: []Input{
				{Name: "path", Description: "Which folder.", Type: String, Default: "/", Pattern: "/.*"},
				{Name: "least", Type: Int, From: "facts.disk.least", Min: f(1)},
			},
			Outputs:   []Output{{Name: "used", Type: Float, Unit: "%", Display: "used space"}, ownOutputs["output"], ownOutputs["log"], ownOutputs["records"]},
			Summaries: []Summary{{"used", Max}},
		}, {
			Name: "disk.clean", Description: "Remove what is old.", Timeout: 300_000, Busy: `"disk.clean" in agent.running`,
			Outputs: []Output{ownOutputs["output"], ownOutputs["log"], ownOutputs["records"]},
		}},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
	if got := m.ExecutableFor("linux", "amd64"); got != "disk-linux-amd64" {
		t.Errorf("the executable is %q", got)
	}
}

func TestParseManifestNamesTheLine(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"a key that is none", "licence:", "license:", `plugin.yaml:4: unknown field "license"`},
		{"a name with a dash", "name: disk\n", "name: my-disk\n", "plugin.yaml:1: name"},
		{"the name of built-in actions", "name: disk\n", "name: shell\n", "plugin.yaml:1: name shell is that of built-in"},
		{"a version that is none", "version: 1.2.0", "version: latest", "plugin.yaml:2: version"},
		{"a type that is none", "type: float", "type: number", "plugin.yaml:27: action disk.usage: output used: type"},
		{"a default that does not fit", "default: /", "default: etc", "plugin.yaml:17: action disk.usage: input path: its default has to match"},
		{"a summary of nothing", "output: used", "output: free", "plugin.yaml:32: action disk.usage: summary of \"free\""},
		{"a from that is none", "from: facts.disk.least", "from: env.HOME", "plugin.yaml:22: action disk.usage: input least: from has to be"},
		{"an executable elsewhere", "executable: disk-{os}-{arch}", "executable: ../sh", "plugin.yaml:8: executable"},
		{"an output that is there by itself", "- name: used\n", "- name: log\n", "plugin.yaml:27: action disk.usage: output log is there by itself"},
		{"a timeout that is none", "timeout: 20s", "timeout: soon", "plugin.yaml:6: timeout"},
		{"an action twice", "- name: clean", "- name: usage", "plugin.yaml:35: action disk.usage is there twice"},
		{"an alias", "description: Remove what is old.", "description: &x Remove", "plugin.yaml:36: anchors"},
		{"a limit out of bounds", "nice: 5", "nice: 50", "plugin.yaml:10: run: nice"},
		{"too deep a list", "- name: used\n", "- name: " + strings.Repeat("[", 60_000) + "\n", "nested more than"},
		{"no YAML", "name: disk\n", "name: [\n", "plugin.yaml:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(diskManifest, tt.old, tt.new, 1)
			if text == diskManifest {
				t.Fatal("nothing was changed")
			}
			_, err := ParseManifest([]byte(text))
			if !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := ParseManifest([]byte("name: x\nactions: []\n")); err == nil || strings.Count(err.Error(), "plugin.yaml:") < 4 {
		t.Errorf("not every fault is named: %v", err)
	}
}

func TestFromContext(t *testing.T) {
	a := Action{Name: "x.y", Inputs: []Input{
		{Name: "node", Type: String, From: "identity"}, {Name: "rack", Type: String, Required: true, From: "facts.rack"}, {Name: "left", Type: String, From: "facts.none"},
	}}
	if _, err := Validate(a, nil); err != nil {
		t.Errorf("a server asks for what the node knows: %v", err)
	}
	facts := map[string]any{"rack": "r7"}
	fact := func(p fettle.Path) (any, bool) { v, is := facts[p[0]]; return v, is }
	got, err := FromContext(a, map[string]any{"node": "given"}, "web1", fact)
	if diff := cmp.Diff(map[string]any{"node": "given", "rack": "r7"}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if got, err = FromContext(a, nil, "web1", fact); err != nil || got["node"] != "web1" {
		t.Error(got, err)
	}
	delete(facts, "rack")
	if _, err = FromContext(a, nil, "web1", fact); StatusOf(err) != fettle.StatusMissingInput || !strings.Contains(err.Error(), "facts.rack") {
		t.Errorf("got %v", err)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(diskManifest))
	f.Add([]byte("name: &a [*a]"))
	f.Add([]byte("{name: disk, actions: [{name: x, inputs: [{default: 18446744073709551615}]}]}"))
	f.Add([]byte(strings.Repeat("[", 33)))
	f.Add([]byte(strings.Repeat("- ", 40)))
	f.Add([]byte("? [a]\n: b"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseManifest(raw)
		if err != nil {
			if !errors.Is(err, fettle.ErrInvalid) {
				t.Errorf("%v is of no kind", err)
			}
			return
		}
		for _, a := range m.Actions {
			if err := a.Check(); err != nil {
				t.Errorf("taken, and wrong: %v", err)
			}
		}
	})
}
