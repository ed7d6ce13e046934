//go:build integration

package house

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// monitor is a real Nagios of a test.
type monitor struct {
	dir string
}

// newMonitor makes a folder that Nagios reaches, with check_fettle and the context of a server in it.
func newMonitor(t *testing.T, p *process) *monitor {
	t.Helper()
	dir, err := os.MkdirTemp(service(t, "FETTLE_TEST_NAGIOS_DIR"), "house-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, sub := range []string{"conf.d", "var"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m := &monitor{dir: dir}
	copyFile(t, fettleBin, m.file("check_fettle"), 0o755, nil)
	copyFile(t, p.ready["context"], m.file("nagios.yaml"), 0o600, nil)
	return m
}

func (m *monitor) file(parts ...string) string {
	return filepath.Join(append([]string{m.dir}, parts...)...)
}

// example copies the file of examples/nagios, with its paths as they are here.
func (m *monitor) example(t *testing.T) {
	t.Helper()
	copyFile(t, "../../examples/nagios/fettle.cfg", m.file("conf.d", "fettle.cfg"), 0o644, func(text string) string {
		return strings.NewReplacer("/usr/local/bin/check_fettle", m.file("check_fettle"), "/etc/fettle/nagios.yaml", m.file("nagios.yaml")).Replace(text)
	})
}

// objects writes a file of objects.
func (m *monitor) objects(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(m.file("conf.d", name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// start runs Nagios until the test ends.
func (m *monitor) start(t *testing.T) {
	t.Helper()
	daemon(t, service(t, "FETTLE_TEST_NAGIOS"), m.dir)
	eventually(t, "Nagios runs", func() bool {
		info, err := os.Stat(m.file("var", "nagios.cmd"))
		return err == nil && info.Mode()&os.ModeNamedPipe != 0
	})
}

// field gives what Nagios' status says of a service; of a host where service is empty.
func (m *monitor) field(host, service, name string) string {
	text, err := os.ReadFile(m.file("var", "status.dat"))
	if err != nil {
		return ""
	}
	kind, within := "hoststatus {", "\thost_name="+host+"\n"
	if service != "" {
		kind, within = "servicestatus {", "\thost_name="+host+"\n\tservice_description="+service+"\n"
	}
	for block := range strings.SplitSeq(string(text), "\n\t}\n") {
		if strings.Contains(block, kind) && strings.Contains(block, within) {
			if found := regexp.MustCompile(`(?m)^\s*` + name + `=(.*)$`).FindStringSubmatch(block); found != nil {
				return found[1]
			}
		}
	}
	return ""
}

// passiveObjects are services that only wait for results.
func passiveObjects(host string, services ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "define host {\n  host_name %s\n  check_command notify-nobody\n  active_checks_enabled 0\n  passive_checks_enabled 1\n  max_check_attempts 1\n  check_period 24x7\n  contacts operator\n}\n", host)
	for _, s := range services {
		fmt.Fprintf(&b, "define service {\n  host_name %s\n  service_description %s\n  check_command notify-nobody\n  active_checks_enabled 0\n  passive_checks_enabled 1\n  max_check_attempts 1\n  check_period 24x7\n  contacts operator\n}\n", host, s)
	}
	return b.String()
}

// houseChecks is an NRPE configuration whose commands say what the file beside it holds.
func houseChecks(t *testing.T) (config, state string) {
	t.Helper()
	dir := t.TempDir()
	config, state = filepath.Join(dir, "nrpe.cfg"), filepath.Join(dir, "state")
	setState(t, state, "0", "all is well")
	text := fmt.Sprintf("command[check_house]=read c t <%s; echo \"HOUSE $$t|temp=21;30;40 doors=2\"; echo \"second line; with \\\\ and all\"; exit $$c\n", state)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return config, state
}

// setState has check_house exit with code from now on.
func setState(t *testing.T, file, code, text string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(code+" "+text+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// TestNagios has a real Nagios ask for a fleet by check_fettle, and be told by its command file and by a real NSCA daemon.
func TestNagios(t *testing.T) {
	config, state := houseChecks(t)
	nscaAt := freeAddress(t)
	home, err := os.MkdirTemp(service(t, "FETTLE_TEST_NAGIOS_DIR"), "pipe-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	pipe := filepath.Join(home, "nagios.cmd") // a link: the server is told where before there is a Nagios
	settings := filepath.Join(t.TempDir(), "server.yaml")
	text := "checks:\n  - {name: house, command: check_house, interval: 1s}\n  - {name: '" + oddName + "', command: check_house, interval: 1s}\n" +
		"passive:\n" +
		"  - {name: file, kind: command-file, file: " + pipe + ", verdict-host: told, nodes: 'true', verdicts: ['*'], by: facts.os.family, hosts: true, interval: 5s, text-interval: 1s}\n" +
		"  - {name: nsca, kind: nsca, address: '" + nscaAt + "', encryption: rijndael-128, password: sesame, verdict-host: by nsca, interval: 5s}\n" +
		"  - {name: des, kind: nsca, address: '" + nscaAt + "', encryption: 3des, password: sesame, verdict-host: wrong, interval: 5s}\n"
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	classes := filepath.Join(t.TempDir(), "classes.txt") // that make host groups
	if err := os.WriteFile(classes, []byte("mysql::master\nweb;server\nit's $HOME, isn't it!\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := dev(t, "--identity", "n1.example.net", "--nrpe-config", config, "--config", settings, "--classes", classes, "--beat-interval", "1s")
	m := newMonitor(t, p)
	if err := os.Symlink(m.file("var", "nagios.cmd"), pipe); err != nil {
		t.Fatal(err)
	}
	m.example(t)
	m.objects(t, "house.cfg", "define service {\n  host_name fleet\n  service_description asked\n  check_command check_fettle!house\n  check_interval 1\n  retry_interval 1\n  max_check_attempts 1\n  check_period 24x7\n  contacts operator\n}\n"+
		passiveObjects("by nsca", "house")+passiveObjects("wrong", "house")+genericObjects)
	m.start(t)
	startNSCA(t, m, nscaAt)

	families := into[struct{ Values []struct{ Value string } }](t, ask(t, p, "facts", "os.family", "-o", "json").want(t, 0)).Values
	if len(families) != 1 {
		t.Fatalf("families: %v", families)
	}
	family := families[0].Value // it stands for one customer of several
	is := func(t *testing.T, host, service, name, want string) {
		t.Helper()
		// a target that was away, as the NSCA daemon before it is started, is tried again after a minute at most
		ok := within(2*patience, func() bool { return regexp.MustCompile(want).MatchString(m.field(host, service, name)) })
		if !ok {
			t.Fatalf("%s of %s on %s is %q, not %s; it says %q and %q", name, service, host, m.field(host, service, name), want, m.field(host, service, "plugin_output"), m.field(host, service, "long_plugin_output"))
		}
	}
	t.Run("a fleet that is well", func(t *testing.T) {
		is(t, "fleet", "asked", "plugin_output", `^house: OK: 1 WARNING: 0 CRITICAL: 0 UNKNOWN: 0$`)
		is(t, "fleet", "asked", "performance_data", `^total=1 ok=1 warn=0 crit=0 unknown=0`)
		is(t, "fleet", "asked", "current_state", `^0$`)
		is(t, "fleet", "load", "plugin_output", `^check_load: OK: \d WARNING: \d CRITICAL: \d UNKNOWN: \d$`)
		is(t, "fleet", "disks of Linux", "current_state", "^"+disks(t, p)+"$")
	})
	t.Run("what nagios config writes is taken by Nagios, odd names too", func(t *testing.T) { m.configure(t, p) })
	t.Run("its results come by the command file", func(t *testing.T) {
		is(t, "told", "house", "plugin_output", `^house: OK: 1 WARNING: 0`)
		is(t, "told", "house "+family, "plugin_output", `^house `+family+`: OK: 1 WARNING: 0`)
		is(t, "n1.example.net", "house", "plugin_output", `^HOUSE all is well$`)
		is(t, "n1.example.net", "house", "performance_data", `^temp=21;30;40 doors=2$`)
		is(t, "n1.example.net", oddName, "plugin_output", `^HOUSE all is well$`)
		is(t, "n1.example.net", "", "plugin_output", `^the agent is alive$`)
	})
	t.Run("a check with an odd name is asked for", func(t *testing.T) {
		is(t, "asked fleet", oddName, "plugin_output", `^doors:front-1\.x_y: OK: 1 WARNING: 0`)
	})
	t.Run("and by NSCA", func(t *testing.T) {
		is(t, "by nsca", "house", "plugin_output", `^house: OK: 1 WARNING: 0`)
		is(t, "by nsca", "house", "performance_data", `^total=1 ok=1`)
	})
	setState(t, state, "2", "fire; in the | kitchen")
	t.Run("a node that is critical", func(t *testing.T) {
		is(t, "fleet", "asked", "current_state", `^2$`)
		is(t, "fleet", "asked", "plugin_output", `^house: OK: 0 WARNING: 0 CRITICAL: 1 UNKNOWN: 0$`)
		is(t, "fleet", "asked", "long_plugin_output", `n1\.example\.net: HOUSE fire; in the`)
		is(t, "told", "house", "current_state", `^2$`)
		is(t, "told", "house "+family, "current_state", `^2$`)
		is(t, "told", "house", "long_plugin_output", `n1\.example\.net: HOUSE fire; in the`)
		is(t, "n1.example.net", "house", "current_state", `^2$`)
		is(t, "by nsca", "house", "current_state", `^2$`)
		is(t, "by nsca", "house", "long_plugin_output", `\\n? *n1\.example\.net: HOUSE fire; in the`)
	})
	t.Run("a cipher that the daemon does not have is told", func(t *testing.T) {
		if !within(2*patience, func() bool { return strings.Contains(p.log.String(), "decryption_method") }) {
			t.Fatalf("the log does not say why:\n%s", p.log)
		}
		if got := m.field("wrong", "house", "has_been_checked"); got != "0" {
			t.Errorf("it was taken all the same: %q", got)
		}
		// each for itself: a daemon that is busy hangs up too late for one round, and in time for the next
		for _, series := range []string{`fettle_passive_up{target="nsca"} 1`, `fettle_passive_up{target="file"} 1`, `fettle_passive_up{target="des"} 0`, `fettle_passive_sent_total{target="nsca"} `} {
			eventually(t, series+" on the page", func() bool { return strings.Contains(get(t, p.ready["http"]+"/metrics", ""), series) })
		}
	})
	p.stop()
	t.Run("a server that is away", func(t *testing.T) {
		is(t, "fleet", "asked", "current_state", `^3$`)
		is(t, "fleet", "asked", "plugin_output", `^house: UNKNOWN: http://127\.0\.0\.1:\d+ cannot be reached`)
	})
}

// oddName is the name of a check with all that such a name may have.
const oddName = "doors:front-1.x_y"

// genericObjects are the templates that Debian's nagios4 brings.
const genericObjects = `define host {
  name generic-host
  register 0
  max_check_attempts 3
  check_period 24x7
  contacts operator
}
define service {
  name generic-service
  register 0
  check_interval 1
  retry_interval 1
  max_check_attempts 1
  check_period 24x7
  contacts operator
}
`

// configure has fettle write two files of objects, verified by Nagios, which reads them then. What is told, and what is asked for.
func (m *monitor) configure(t *testing.T, p *process) {
	verify := "nagios4 -v " + m.file("nagios.cfg")
	if os.Getuid() == 0 {
		verify = "setpriv --reuid=nagios --regid=nagios --init-groups " + verify
	}
	config := func(name string, more ...string) answer {
		return ask(t, p, append([]string{"nagios", "config", "--out", m.file("conf.d", name), "--verify", verify, "--group-by", "os.family,os.release.major", "--plugin", m.file("check_fettle") + " --context " + m.file("nagios.yaml")}, more...)...)
	}
	eventually(t, "the node has states", func() bool {
		return strings.Count(ask(t, p, "nagios", "config", "--all", "--verdicts", "none").stdout, "define service {") == 2
	})
	config("told.cfg", "--all", "--verdicts", "passive", "--verdict-host", "told", "--by", "facts.os.family").want(t, 0)
	if got := config("twice.cfg", "--all", "--verdicts", "passive", "--verdict-host", "told"); got.code != 1 || !strings.Contains(got.stderr, "does not take the new one") {
		t.Errorf("commands that are defined twice: %d, %s", got.code, got.stderr)
	}
	if _, err := os.Stat(m.file("conf.d", "twice.cfg")); err == nil {
		t.Error("a file that Nagios does not take is left where it was written")
	}
	pid := m.itself("nagios_pid")
	own := m.file("own.tmpl")
	if err := os.WriteFile(own, []byte(strings.ReplaceAll(ask(t, p, "nagios", "config", "--print-template").want(t, 0).stdout, "fettle-", "asked-")), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"-S", `identity == "nobody"`, "--verdict-host", "asked fleet", "--template", own, "--reload", "kill -HUP " + pid}
	config("asked.cfg", args...).want(t, 0)
	before, err := os.Stat(m.file("conf.d", "asked.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	config("asked.cfg", append(args, "--reload", "false")...).want(t, 0) // nothing has changed: nothing is run
	if after, err := os.Stat(m.file("conf.d", "asked.cfg")); err != nil || !os.SameFile(before, after) {
		t.Errorf("a file is written anew that has not changed: %v", err)
	}
	if got := config("told.cfg", "-S", `identity == "nobody"`, "--verdicts", "none"); got.code != 1 || !strings.Contains(got.stderr, "--max-shrink is 20%") {
		t.Errorf("a fleet that is gone: %d, %s", got.code, got.stderr)
	}
}

// itself gives what Nagios says of itself.
func (m *monitor) itself(name string) string {
	text, err := os.ReadFile(m.file("var", "status.dat"))
	if err != nil {
		return ""
	}
	if found := regexp.MustCompile(`(?m)^\s*` + name + `=(.*)$`).FindSubmatch(text); found != nil {
		return string(found[1])
	}
	return ""
}

// startNSCA runs Debian's NSCA daemon before m, as the user that Nagios is.
func startNSCA(t *testing.T, m *monitor, at string) {
	t.Helper()
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(m.file("var", "nagios.cmd"))
	if err != nil {
		t.Fatal(err)
	}
	owner, is := info.Sys().(*syscall.Stat_t)
	if !is {
		t.Fatal("no owner")
	}
	text := fmt.Sprintf("server_address=%s\nserver_port=%s\nnsca_user=#%d\nnsca_group=#%d\ncommand_file=%s\nalternate_dump_file=%s\nmax_packet_age=30\npassword=sesame\ndecryption_method=14\n",
		host, port, owner.Uid, owner.Gid, m.file("var", "nagios.cmd"), m.file("var", "nsca.dump"))
	text = strings.NewReplacer("nsca_user=#", "nsca_user=", "nsca_group=#", "nsca_group=").Replace(text)
	config := m.file("nsca.cfg")
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	daemon(t, service(t, "FETTLE_TEST_NSCA"), "-c", config, "--single", "-f")
}
