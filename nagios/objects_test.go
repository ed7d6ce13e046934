package nagios

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
)

func TestWriteObjects(t *testing.T) {
	o := Objects{
		Plugin: "/usr/local/bin/check_fettle", VerdictHost: "fleet", HostTemplate: "generic-host",
		Verdicts: []ObjectService{{Name: "disk _a_", Check: "disk (a)$!;"}, {Name: "load", Check: "load", Passive: true}},
		Hosts: []ObjectHost{{
			Name: "web1", Node: "web1", Address: "10.0.0.1", Groups: []string{"os_Debian"},
			Services: []ObjectService{{Name: "load", Check: "load", Passive: true}, {Name: "mem", Check: "mem"}},
		}},
		Groups: []ObjectGroup{{Name: "os_Debian", Alias: "a;b\nc", Hosts: []string{"web1", "web2"}}},
	}
	var b strings.Builder
	if err := WriteObjects(&b, DefaultObjects, o); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"define command {\n  command_name  fettle-verdict\n  command_line  /usr/local/bin/check_fettle --check '$ARG1$'\n}",
		"define host {\n  use                     generic-host\n  host_name               fleet\n",
		"define service {\n  host_name               fleet\n  service_description     disk _a_\n  check_command           fettle-verdict!disk (a)$$\\!\\;\n}",
		"  service_description     load\n  check_command           fettle-told\n  active_checks_enabled   0\n  passive_checks_enabled  1\n  max_check_attempts      1\n}",
		"  host_name               web1\n  alias                   web1\n  address                 10.0.0.1\n  check_command           fettle-told\n  active_checks_enabled   0\n",
		"  service_description     mem\n  check_command           fettle-node!mem!web1\n}",
		"define hostgroup {\n  hostgroup_name          os_Debian\n  alias                   a\\;b c\n  members                 web1,web2\n}",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("not in the file:\n%s\n", want)
		}
	}
	if strings.Contains(b.String(), "\n\n\n") || t.Failed() {
		t.Errorf("the file:\n%s", b.String())
	}
}

func TestWriteObjectsByATemplateOfOnesOwn(t *testing.T) {
	o := Objects{Hosts: []ObjectHost{{Name: "a", Facts: map[string]any{"os": map[string]any{"family": "Debian; x"}}}, {Name: "b", Facts: map[string]any{}}}}
	var b strings.Builder
	if err := WriteObjects(&b, `{{range .Hosts}}{{.Name}}={{with .Facts.os}}{{value .family}}{{end}} {{end}}`, o); err != nil || b.String() != `a=Debian\; x b= ` {
		t.Errorf("got %q, %v", b.String(), err)
	}
	for _, text := range []string{"{{", "{{.Nothing}}", "{{arg \"it's\"}}", "{{index .Hosts 7}}"} {
		if err := WriteObjects(&b, text, o); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestUniqueNames(t *testing.T) {
	got := UniqueNames([]string{"a;b", "c", "a|b", "a_b"})
	if diff := cmp.Diff([]string{"a_b", "c", "a_b_3", "a_b_2"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
