//go:build unix

package actions

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// nrpeTable gives a table with an NRPE configuration, and the file that it is in. PLUGINS stands for the folder of test plugins.
func nrpeTable(t *testing.T, config string) (*Table, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nrpe.cfg")
	writeConfig(t, file, config)
	return checkTable(t, Config{NRPEConfig: file}), file
}

func writeConfig(t *testing.T, file, config string) {
	t.Helper()
	config = strings.ReplaceAll(config, "PLUGINS", filepath.Dir(testPlugin(t, "x")))
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
}

func nrpe(t *testing.T, table *Table, command string, args ...string) Outcome {
	t.Helper()
	return table.Do(t.Context(), Call{Action: "nrpe.check", Inputs: map[string]any{"command": command, "args": args}})
}

// TestNRPECheck holds the node to what a real nrpe 4.1.0 answered for the same lines.
func TestNRPECheck(t *testing.T) {
	table, _ := nrpeTable(t, `dont_blame_nrpe=1
command[plain]=/bin/echo plain
command[sp1] = /bin/echo spaces around equals
command[ sp2 ]=/bin/echo spaces inside brackets
command[hash]=/bin/echo a # b
command[quo]=/bin/echo "double  quoted" 'single'
command[eq]=/bin/echo a=b c=[d]
command[pipe]=/bin/echo one | /usr/bin/tr o 0
command[arg]=/bin/echo got:$ARG1$:$ARG2$
command[bad]=PLUGINS/check_state 2
command[five]=PLUGINS/check_state 5
command[silent]=PLUGINS/check_silent
command[missing]=/no/such/plugin
command[dies]=kill -9 $$$$
command[env]=PLUGINS/check_env
`)
	tests := []struct {
		command string
		args    []string
		code    fettle.CheckCode
		line    string
	}{
		{"plain", nil, 0, "plain"},
		{"sp1", nil, 0, "spaces around equals"},
		{" sp2 ", nil, 0, "spaces inside brackets"},
		{"hash", nil, 0, "a"},
		{"quo", nil, 0, "double  quoted single"},
		{"eq", nil, 0, "a=b c=[d]"},
		{"pipe", nil, 0, "0ne"},
		{"arg", nil, 0, "got::"},
		{"arg", []string{"1", "x y"}, 0, "got:1:x y"},
		{"arg!1!2", nil, 0, "got:1:2"},
		{"bad", nil, 2, "STATE is 2"},
		{"five", nil, 3, "STATE is 5"},
		{"silent", nil, 3, "NRPE: Unable to read output"},
		{"missing", nil, 3, "NRPE: Unable to read output"},
		{"dies", nil, 3, "NRPE: Unable to read output"},
	}
	for _, tt := range tests {
		out := nrpe(t, table, tt.command, tt.args...)
		if out.Status != fettle.StatusOK || out.Output == nil || out.Output.Code != tt.code || out.Output.Line != tt.line {
			t.Errorf("%s %q: got %+v %+v", tt.command, tt.args, out, out.Output)
		}
	}
	t.Setenv("FETTLE_SECRET", "x")
	out := nrpe(t, table, "env")
	if strings.Contains(out.Output.Line, "FETTLE_SECRET") || !strings.Contains(out.Output.Line, "NRPE_MULTILINESUPPORT=1") || !strings.HasSuffix(out.Output.Line, " /") {
		t.Errorf("environment and folder: %s", out.Output.Line)
	}
}

func TestNRPECheckRefuses(t *testing.T) {
	table, _ := nrpeTable(t, "command[arg]=/bin/echo $ARG1$\n")
	open, _ := nrpeTable(t, "dont_blame_nrpe=1\ncommand[arg]=/bin/echo $ARG1$\n")
	tests := []struct {
		name    string
		table   *Table
		command string
		args    []string
		status  fettle.Status
		message string
	}{
		{"an unknown command", table, "nosuch", nil, fettle.StatusInvalidInput, "NRPE: Command 'nosuch' not defined"},
		{"a name in other letters", table, "ARG", nil, fettle.StatusInvalidInput, "NRPE: Command 'ARG' not defined"},
		{"arguments where none are allowed", table, "arg", []string{"x"}, fettle.StatusRefused, "arguments are not allowed here"},
		{"nasty characters", open, "arg", []string{"x; id"}, fettle.StatusInvalidInput, "may not be in a request"},
		{"a substitution", open, "arg", []string{"$(id)"}, fettle.StatusInvalidInput, "may not be in an argument"},
		{"no command", table, "", nil, fettle.StatusInvalidInput, "no command"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := nrpe(t, tt.table, tt.command, tt.args...)
			if out.Status != tt.status || !strings.Contains(out.Message, tt.message) || out.Output == nil || out.Output.Code != fettle.CodeUnknown {
				t.Errorf("got %s, %s", out.Status, out.Message)
			}
		})
	}
}

func TestNRPECheckTimesOut(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	table, _ := nrpeTable(t, "command_timeout=1\ncommand[slow]=PLUGINS/check_stubborn "+pids+"\n")
	began := time.Now()
	out := nrpe(t, table, "slow")
	if out.Status != fettle.StatusTimeout || !strings.HasPrefix(out.Message, "NRPE: Command timed out after") || out.Output.Code != fettle.CodeUnknown {
		t.Errorf("got %+v", out)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %s", took)
	}
	for _, pid := range processes(t, pids, 2) {
		eventually(t, "the command to end", func() bool { return gone(pid) })
	}
}

func TestNRPEConfigIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	file, more := filepath.Join(dir, "nrpe.cfg"), filepath.Join(dir, "d")
	if err := os.Mkdir(more, 0o755); err != nil {
		t.Fatal(err)
	}
	table := checkTable(t, Config{NRPEConfig: file})
	has := func(command string) bool { return slices.Contains(table.Commands(), command) }
	if has("one") || !has("check_load") {
		t.Errorf("without a file: %v", table.Commands())
	}
	writeConfig(t, file, "command[one]=/bin/echo 1\ninclude_dir="+more+"\n")
	if !has("one") || has("two") {
		t.Errorf("a file that has come: %v", table.Commands())
	}
	writeConfig(t, filepath.Join(more, "two.cfg"), "command[two]=/bin/echo 2\n")
	if !has("two") {
		t.Errorf("a file that has come into a folder: %v", table.Commands())
	}
	writeConfig(t, file, "broken\n")
	if !has("one") || !has("two") {
		t.Errorf("a file that has been broken: %v", table.Commands())
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if has("one") {
		t.Errorf("a file that has gone: %v", table.Commands())
	}
	writeConfig(t, file, "command[one]=/bin/echo new\n")
	if out := nrpe(t, table, "one"); out.Output == nil || out.Output.Line != "new" {
		t.Errorf("a file that is back: %+v", out)
	}
}

func TestNRPEConfigThatIsBroken(t *testing.T) {
	table, file := nrpeTable(t, "command[a]=/bin/true\ncommand[check_load]=\n")
	out := nrpe(t, table, "check_load")
	if out.Status != fettle.StatusOther || out.Output.Code != fettle.CodeUnknown || !strings.Contains(out.Message, file+", line 2") {
		t.Errorf("got %+v", out)
	}
}

func TestNRPEConfigWinsOverBuiltins(t *testing.T) {
	table, _ := nrpeTable(t, "command[check_load]=/bin/echo mine\n")
	if out := nrpe(t, table, "check_load"); out.Output.Line != "mine" {
		t.Errorf("got %+v", out.Output)
	}
	out := table.Do(t.Context(), Call{Action: "nrpe.check", Inputs: map[string]any{"command": "check_load", "warning": "1"}})
	if out.Status != fettle.StatusInvalidInput {
		t.Errorf("a threshold for what is not built in: %+v", out)
	}
	if out := nrpe(t, table, "check_uptime"); out.Status != fettle.StatusOK || !strings.HasPrefix(out.Output.Line, "UPTIME OK - up ") {
		t.Errorf("a built-in one beside: %+v", out)
	}
}
