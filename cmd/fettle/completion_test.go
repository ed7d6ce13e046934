package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// everyCommand goes over all commands that a person can see.
func everyCommand(t *testing.T, do func(t *testing.T, cmd *cobra.Command)) {
	t.Helper()
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard}
	root := a.root()
	root.InitDefaultHelpCmd()
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		t.Run(cmd.CommandPath(), func(t *testing.T) { do(t, cmd) })
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				walk(sub)
			}
		}
	}
	walk(root)
}

func TestHelp(t *testing.T) {
	everyCommand(t, func(t *testing.T, cmd *cobra.Command) {
		if !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("--help has no example of it: %q", cmd.Example)
		}
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("short text %q", cmd.Short)
		}
		if cmd.HasParent() && !cmd.Parent().HasParent() && cmd.GroupID == "" {
			t.Error("it stands in no group of --help")
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			kind, text := pflag.UnquoteUsage(f)
			if text == "" {
				t.Errorf("--%s says nothing", f.Name)
			}
			if kind != strings.ToUpper(kind) {
				t.Errorf("--%s %s: the type of Go's says nothing to a person; put a word into `backquotes`", f.Name, kind)
			}
		})
		if cmd.RunE == nil && cmd.HasParent() {
			t.Error("it does nothing")
		}
	})
}

func TestCompletion(t *testing.T) {
	f := newFleet(t, acme())
	f.ask(t, "run", "agent.ping", "-F", "role=db").wants(t, exitOK)
	f.ask(t, "run", "agent.ping", "-F", "role=nobody", "--every", "720h", "--name", "daily").wants(t, exitOK)
	runs, _, err := f.m.server.Runs(t.Context(), 1, "")
	if err != nil || len(runs) != 1 {
		t.Fatal(err)
	}
	run := string(runs[0].ID)
	for words, want := range map[string][]string{
		"show web":                     {"web01.acme.net", "web02.acme.net", "web03.acme.net"},
		"ssh db":                       {"db1.acme.net"},
		"find -I mut":                  {"mute1.acme.net"},
		"find -C ":                     {"apache::server", "mysql::master"},
		"facts os.release.":            {"os.release.full", "os.release.major"},
		"find --fields role,os.n":      {"role,os.name"},
		"find -F env":                  {"environment="},
		"find -F environment=":         {"environment=production", "environment=staging"},
		"ssh --address os.rel":         {"os.release.full", "os.release.major"},
		"show --history=note":          {"note"},
		"filter explain --node db":     {"db1.acme.net"},
		"check check_m":                {"check_mute", "check_mysql"},
		"run agent.p":                  {"agent.ping"},
		"run nrpe.check comm":          {"command="},
		"run nrpe.check command=check": {"command=check_disk", "command=check_load", "command=check_mute", "command=check_mysql"},
		"run shell.run io=":            {"io=low", "io=idle"},
		"run service.r":                {"service.reload", "service.restart"},

		"run agent.ping --spread-by facts.os.rel": {"facts.os.release.full", "facts.os.release.major"},
		"run agent.ping --order ran":              {"random"},
		"run agent.ping --display f":              {"failed"},

		"runs --state go":            {"going"},
		"runs --user lo":             {"local"},
		"runs results --only s":      {"silent"},
		"runs watch " + run[:8]:      {run},
		"runs retry " + run[:8]:      {run},
		"runs output " + run[:8]:     {run},
		"runs output " + run + " db": {"db1.acme.net"},
		"runs standing pa":           {"pause"},
		"runs standing pause da":     {"daily"},
		"runs show " + run[:8]:       {run},
		"runs cancel " + run[:8]:     {run},
		"find -o js":                 {"json", "jsonl"},
		"completion ba":              {"bash"},
		"help filter ex":             {"explain"},
		"fi":                         {"filter", "find"},
		"show web01.acme.net ":       nil,
	} {
		t.Run(words, func(t *testing.T) {
			parts := strings.Split(words, " ")
			got := f.ask(t, append([]string{"__complete"}, parts...)...).wants(t, exitOK)
			var names []string
			for line := range strings.SplitSeq(strings.TrimSpace(got.stdout), "\n") {
				name, _, _ := strings.Cut(line, "\t")
				if begun := parts[len(parts)-1]; !strings.HasPrefix(name, ":") && (strings.HasPrefix(name, begun) || strings.HasPrefix("--history="+name, begun)) {
					names = append(names, name)
				}
			}
			if !slices.Equal(names, want) {
				t.Errorf("got %q, want %q", names, want)
			}
		})
	}
	t.Run("a server that is away costs nothing but the names", func(t *testing.T) {
		t.Setenv("FETTLE_URL", "http://127.0.0.1:1")
		for _, words := range []string{"show", "facts", "check", "runs show"} {
			got := call(t, append([]string{"fettle", "__complete"}, append(strings.Fields(words), "")...)...).wants(t, exitOK)
			if got.stdout != ":4\n" {
				t.Errorf("%s: got %q", words, got.stdout)
			}
		}
		call(t, "fettle", "__complete", "run", "agent.").wants(t, exitOK, "agent.ping")
	})
}

// The printed script is read by a real bash, and completes there, also without the package bash-completion.
func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err) // the Makefile's scripts want it too
	}
	f := newFleet(t, acme())
	file := filepath.Join(t.TempDir(), "fettle.bash")
	write(t, file, call(t, "fettle", "completion", "bash").wants(t, exitOK).stdout)
	script := `source "$1"
compopt() { :; } # it wants a line that is typed
COMP_LINE=$2 COMP_POINT=${#2} COMP_TYPE=63 COMP_KEY=9 COLUMNS=80
__start_fettle; printf '%s\n' "${COMPREPLY[@]}"`
	for line, want := range map[string]string{
		"fettle fin":                            "find",
		"fettle show web0":                      "web01.acme.net",
		"fettle show ":                          "db1.acme.net",
		"fettle run nrpe.check command=check_m": "check_mute",
		"fettle find --fields os.release.":      "os.release.full",
	} {
		cmd := exec.CommandContext(t.Context(), bash, "--norc", "-c", script, "bash", file, line)
		cmd.Env = append(os.Environ(), "FETTLE_CONTEXT="+f.context)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.HasPrefix(strings.TrimSpace(string(out)), want) {
			t.Errorf("%s: %v: %q", line, err, out)
		}
	}
}
