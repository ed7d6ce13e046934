//go:build integration && unix

package actions

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// The programs of Debian's nagios-nrpe-server and nagios-nrpe-plugin.
const (
	nrpeDaemon = "/usr/sbin/nrpe"
	nrpeClient = "/usr/lib/nagios/plugins/check_nrpe"
)

// realCommands are run by a real daemon and by us. Each has to give the same code, line, long output and perfdata.
const realCommands = `command[plain]=/bin/echo plain
command[sp1] = /bin/echo spaces around equals
command[ sp2 ]=/bin/echo spaces inside brackets
  command[lead]=/bin/echo leading blanks
command[trail]=/bin/echo trailing blanks   
command[hash]=/bin/echo a # b
command[quo]=/bin/echo "double  quoted" 'single'
command[dup]=/bin/echo first
command[dup]=/bin/echo second
command[eq]=/bin/echo a=b c=[d]
command[pipe]=/bin/echo one | /usr/bin/tr o 0
command[arg]=/bin/echo got:$ARG1$:$ARG2$
command[dollar]=/bin/echo a b | awk '{print $$2}'
command[home]=/bin/echo $HOME
command[homes]=/bin/echo $$HOME
command[odd]=/bin/echo $USER$ x$
command[who]=id -un; id -gn
command[where]=pwd
command[path]=/bin/echo $$PATH
command[warn]=/bin/echo "WARN | 'a b'=1;2;3"; exit 1
command[crit]=/bin/echo CRIT; exit 2
command[unknown]=/bin/echo UNKNOWN; exit 3
command[four]=/bin/echo four; exit 4
command[minus]=/bin/echo minus; exit 255
command[silent]=exit 0
command[noise]=/bin/echo noise >&2; exit 2
command[missing]=/no/such/plugin
command[long]=printf 'OK|a=1\nline two\nline three|b=2\nc=3\n'
command[killed]=/bin/echo dying; kill -9 $$$$
command[childkilled]=sh -c 'kill -9 $$$$'; /bin/echo after
command[stdin]=cat; /bin/echo end
command[load]=/usr/lib/nagios/plugins/check_dummy 1 "from a real plugin"
command[cont]=/bin/echo one \
command[aftercont]=/bin/echo two
command[tab]	=	/bin/echo tab
command[percent]=/bin/echo -w 15% -c 30,25, 20 -p /
Command[upper]=/bin/echo upper
#command[off]=/bin/echo off
command[größe]=/bin/echo größe
command[macros]=/bin/echo $HOSTNAME$ $ARG0$ $ARG1$ $ARG17$ end
command[quoted]=/bin/sh -c "echo \"in quotes\"; exit 1"
command[redirect]=/bin/echo hidden >/dev/null 2>&1; /bin/echo shown
command[glob]=/bin/echo /bin/ech*
command[assign]=A=5; /bin/echo a is $$A
command[/usr/bin/id]=/bin/echo a path as a name
include=/nowhere/missing.cfg
unknown_keyword=1
`

var realNames = []string{
	"plain", "sp1", " sp2 ", "sp2", "lead", "trail", "hash", "quo", "dup", "eq", "pipe", "arg", "dollar", "home", "homes", "odd", "who", "where", "path", "warn",
	"crit", "unknown", "four", "minus", "silent", "noise", "missing", "long", "killed", "childkilled", "stdin", "load", "nosuch", "PLAIN",
	"cont", "aftercont", "tab", "tab\t", "percent", "upper", "off", "größe", "macros", "quoted", "redirect", "glob", "assign", "/usr/bin/id",
}

// startNRPE starts a real daemon with a configuration, and gives its port.
func startNRPE(t *testing.T, config string) (file, port string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ = net.SplitHostPort(ln.Addr().String())
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "nrpe") // not t.TempDir: the daemon's user has to reach it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "nrpe.cfg")
	head := fmt.Sprintf("server_address=127.0.0.1\nserver_port=%s\npid_file=%s/nrpe.pid\nnrpe_user=nagios\nnrpe_group=nagios\nallowed_hosts=127.0.0.1\n", port, dir)
	if err := os.WriteFile(file, []byte(head+config), 0o644); err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command(nrpeDaemon, "-c", file, "-f")
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	})
	eventually(t, "the daemon to answer", func() bool {
		return exec.Command(nrpeClient, "-H", "127.0.0.1", "-p", port).Run() == nil
	})
	return file, port
}

// TestAgainstRealNRPE holds us to what a real daemon makes of the same configuration.
func TestAgainstRealNRPE(t *testing.T) {
	file, port := startNRPE(t, realCommands)
	table := checkTable(t, Config{NRPEConfig: file})
	for _, name := range realNames {
		t.Run(name, func(t *testing.T) {
			client := exec.Command(nrpeClient, "-H", "127.0.0.1", "-p", port, "-c", name)
			var stdout bytes.Buffer
			client.Stdout = &stdout
			var exit *exec.ExitError
			if err := client.Run(); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			want := nagios.ParseOutput(stdout.Bytes(), client.ProcessState.ExitCode())
			out := nrpe(t, table, name)
			if diff := cmp.Diff(&want, out.Output); diff != "" {
				t.Errorf("(-nrpe +fettle):\n%s", diff)
			}
			if out.Status != fettle.StatusOK && out.Status != fettle.StatusInvalidInput {
				t.Errorf("status %s, %s", out.Status, out.Message)
			}
		})
	}
}
