package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	webFacts  = `{"os":{"family":"Debian","name":"Debian"},"environment":"production","roles":["web","front-end"],"networking":{"ip":"10.0.0.1"},"big":9007199254740993}`
	evilFacts = `{"os":{"family":"Red Hat"},"roles":[],"note":"{{ lookup('pipe', 'touch /tmp/owned') }}","list":["{% x %}"],"__ansible_vault":"x","in":{"__ansible_unsafe":1}}`
)

func (w *town) wantJSON(want string, args ...string) {
	w.t.Helper()
	got := w.ask(args...)
	var have, wanted any
	if err := json.Unmarshal([]byte(got.out), &have); err != nil || got.code != exitOK {
		w.t.Fatalf("%v %+v", err, got)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		w.t.Fatal(err)
	}
	if d := cmp.Diff(wanted, have); d != "" {
		w.t.Errorf("%v: %s", args, d)
	}
}

func TestAnsibleInventory(t *testing.T) {
	w := newTown(t)
	w.publish("web1", webFacts)
	w.publish("evil1", evilFacts)
	evil := `{"fettle":{"os":{"family":"Red Hat"},"roles":[],"note":{"__ansible_unsafe":"{{ lookup('pipe', 'touch /tmp/owned') }}"},"list":[{"__ansible_unsafe":"{% x %}"}],"in":{}},
		"fettle_classes":[],"fettle_liveness":"alive"}`
	web := `{"fettle":` + webFacts + `,"fettle_classes":[],"fettle_liveness":"alive"`
	w.wantJSON(`{"_meta":{"hostvars":{"web1":`+web+`},"evil1":`+evil+`}},
		"all":{"hosts":["evil1","web1"],"children":["environment_production","os_family_Debian","os_family_Red_Hat","roles_front_end","roles_web"]},
		"environment_production":{"hosts":["web1"]},"os_family_Debian":{"hosts":["web1"]},"os_family_Red_Hat":{"hosts":["evil1"]},
		"roles_front_end":{"hosts":["web1"]},"roles_web":{"hosts":["web1"]}}`, "ansible-inventory", "--list", "--group-by", "os.family,facts.environment,roles")
	w.wantJSON(`{"_meta":{"hostvars":{"web1":`+web+`,"ansible_host":"10.0.0.1"}}},"all":{"hosts":["web1"],"children":["os_family_Debian"]},"os_family_Debian":{"hosts":["web1"]}}`,
		"ansible-inventory", "--list", "-W", "environment=production", "--address", "networking.ip")
	w.wantJSON(`{"_meta":{"hostvars":{}},"all":{}}`, "ansible-inventory", "--list", "false")
	w.wantJSON(evil, "ansible-inventory", "--host", "evil1", "--address", "networking.ip")
	if got := w.ask("ansible-inventory", "--host", "web1").out; !json.Valid([]byte(got)) || !strings.Contains(got, `"big": 9007199254740993`) {
		t.Errorf("a large number is not whole: %s", got)
	}
	w.wantFault(exitFault, "there is no node web2, did you mean \"web1\"?", "ansible-inventory", "--host", "web2")
	w.wantFault(exitUsage, "one of --list and --host", "ansible-inventory")
	w.wantFault(exitUsage, "one of --list and --host", "ansible-inventory", "--list", "--host", "web1")
	w.wantFault(exitUsage, "--host and a filter exclude each other", "ansible-inventory", "--host", "web1", "true")
}

func TestGroupName(t *testing.T) {
	for text, want := range map[string]string{"class_apache::server": "class_apache__server", "9/test": "_9_test", "größe": "gr__e", "-": "_"} {
		if got := groupName(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
