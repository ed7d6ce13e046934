package main

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fettle-dev/fettle/server/passive"
)

// docsCommand prints pages of the documentation. It is hidden: those who read the documentation have them, and a test holds them to it.
func (a *app) docsCommand(root *cobra.Command) *cobra.Command {
	pages := map[string]func(io.Writer){
		"cli":    func(w io.Writer) { cliPage(w, root, a.pluginCommand(&verdictOrder{}, &clientContext{}, new(string))) },
		"config": configPage, "actions": actionsPage,
	}
	return &cobra.Command{
		Use: "docs cli|config|actions", Short: "print a page of the documentation", Hidden: true, GroupID: groupOther,
		Example: "  fettle docs cli > docs/cli.md",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || pages[args[0]] == nil {
				return fmt.Errorf("say which page: cli, config or actions")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var page bytes.Buffer
			pages[args[0]](&page)
			_, err := a.stdout.Write(page.Bytes())
			return err
		},
	}
}

const cliIntro = `# Command line

One program, ` + "`fettle`" + `, is server, agent and command line. Called by the name ` + "`check_fettle`" + ` it is a Nagios plugin. This page is printed by
` + "`fettle docs cli`" + `; ` + "`fettle COMMAND --help`" + ` says the same.

## Where the server is

The first of these that is given:

1. ` + "`--context FILE`" + `
2. ` + "`FETTLE_URL` and `FETTLE_TOKEN`" + `
3. ` + "`$FETTLE_CONTEXT`" + `, a file
4. ` + "`~/.config/fettle/context.yaml`" + `, which a server or ` + "`fettle dev`" + ` on this machine writes for the user who starts it

A context file has the keys ` + "`url`, `token` and `ca`" + `. It holds a secret: mode 0600. ` + "`ca`" + ` is whose certificates are trusted, in PEM or as a file of it;
without it those that the system trusts. ` + "`--ca FILE` and `FETTLE_CA`" + ` come before it.

## Which nodes

| flag | means |
|---|---|
| ` + "`-S CEL`" + ` | a [filter](filters.md) in CEL; MCollective's ` + "`a=b and (/c/ or not d=e)`" + ` is taken too |
| ` + "`-W TERMS`" + ` | the short form: ` + "`environment=production mysql::master /^db/ cores>=8`" + ` |
| ` + "`-F FACT=VALUE`" + ` | also ` + "`!= < <= > >=` and `=/regex/`" + ` |
| ` + "`-C CLASS`, `-I IDENTITY`" + ` | or ` + "`/regex/`" + ` |
| ` + "`--all`" + ` | every node, on purpose |

All that is given has to hold together. Except in ` + "`run`" + `, where positionals are inputs, a bare positional is CEL. An empty filter never means
every node.

## What is printed

` + "`-o table|wide|json|jsonl|yaml|csv|names`" + `. Answers go to stdout, all else to stderr; progress and colour are for terminals only, and ` + "`NO_COLOR`" + `
switches colour off. In a JSON mode an error is one RFC 9457 object on stderr, and stdout is empty or valid.

| exit code | |
|---|---|
| 0 | all well |
| 1 | a fault, or some nodes failed |
| 2 | the command line is wrong; so is a filter that cannot be |
| 3 | some nodes did not answer, and none failed |
| 4 | nobody matched |
| 130 | Ctrl-C; a run goes on without the terminal that began it |

` + "`fettle check` and `check_fettle`" + ` exit as Nagios plugins do: 0 ok, 1 warning, 2 critical, 3 unknown, and every fault is unknown.

## Completion

` + "`fettle completion bash|zsh|fish|powershell`" + ` prints what the shell reads; it then completes commands and flags, and asks the server for nodes,
fact paths, checks, actions and runs.

## Commands
`

// cliPage documents every command as --help does.
func cliPage(w io.Writer, root, plugin *cobra.Command) {
	fmt.Fprint(w, cliIntro)
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.HasParent() {
			commandSection(w, cmd, "###")
		}
		subs := slices.Clone(cmd.Commands())
		slices.SortFunc(subs, func(x, y *cobra.Command) int { return strings.Compare(x.Name(), y.Name()) })
		for _, sub := range subs {
			if sub.IsAvailableCommand() {
				walk(sub)
			}
		}
	}
	walk(root)
	commandSection(w, plugin, "##")
}

func commandSection(w io.Writer, cmd *cobra.Command, level string) {
	fmt.Fprintf(w, "\n%s %s\n\n%s%s.\n", level, cmd.CommandPath(), strings.ToUpper(cmd.Short[:1]), cmd.Short[1:])
	if cmd.Long != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(cmd.Long))
	}
	fmt.Fprintf(w, "\n```\n%s\n```\n", cmd.UseLine())
	if cmd.Example != "" {
		fmt.Fprintf(w, "\n```\n%s\n```\n", unindent(cmd.Example))
	}
	var rows strings.Builder
	settings := false
	cmd.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || f.Name == "version" {
			return
		}
		if _, is := f.Annotations[isSetting]; is {
			settings = true
			return
		}
		kind, text := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if kind != "" {
			name += " " + kind
		}
		if f.DefValue != "" && f.DefValue != "[]" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
			text += "; default: " + f.DefValue
		}
		fmt.Fprintf(&rows, "| `%s` | %s |\n", name, cell(text))
	})
	if rows.Len() > 0 {
		fmt.Fprintf(w, "\n| flag | |\n|---|---|\n%s", rows.String())
	}
	if settings {
		fmt.Fprintln(w, "\nEach of its [settings](config.md) is a flag too.")
	}
}

const configIntro = `# Configuration

` + "`fettle server`, `fettle agent` and `fettle dev`" + ` have settings. Each can be given in four places; the later wins: its default, the file, the
environment, a flag. The names are derived from one another: ` + "`beat-interval`, `FETTLE_BEAT_INTERVAL`, `--beat-interval`" + `.

The file is YAML, ` + "`/etc/fettle/server.yaml` or `/etc/fettle/agent.yaml`" + `, or what ` + "`--config` or `FETTLE_CONFIG`" + ` names, of at most 128 KiB. Keys that do
not exist are refused. Every fault is reported at once, with file, line and key. ` + "`fettle config server|agent`" + ` prints what holds and where each value
came from, with secrets masked, and fails as the role itself would.

Times are written ` + "`30s`, `5m`, `12h`, `7d`" + `. Lists are YAML lists in the file, and words with commas between elsewhere. This page is printed by
` + "`fettle docs config`" + `.
`

// checkKeys are the keys of one check in the server's file.
var checkKeys = [][2]string{
	{"name", "what it is called; needed"},
	{"command", "the check command of the nodes; default: the name"},
	{"args", "list of arguments, where the nodes allow them"},
	{"filter", "which nodes, in CEL or the short form; default: those that offer the command"},
	{"interval", "how often; default: 1m"},
	{"timeout", "on each node; default: 30s"},
	{"attempts", "how often in a row it has to be bad before that counts; default: 1"},
	{"retry", "how soon it is tried again while it is bad and does not count yet; default: the interval"},
	{"undefined", "`unknown`: nodes of which it cannot be said whether the filter means them count as unknown"},
}

// configPage documents every setting.
func configPage(w io.Writer) {
	fmt.Fprint(w, configIntro)
	srv, agt := defaultServerSettings(), defaultAgentSettings()
	settingsTable(w, "server", settingsOf("server", &srv))
	fmt.Fprintf(w, "\n### A check of the server\n\n`checks` is a list; each check has these keys ([checks](checks.md)).\n\n| key | |\n|---|---|\n")
	for _, key := range checkKeys {
		fmt.Fprintf(w, "| `%s` | %s |\n", key[0], cell(key[1]))
	}
	passiveKeys(w)
	settingsTable(w, "agent", settingsOf("agent", &agt))
	fmt.Fprintf(w, "\n## fettle dev\n\nHas the settings of both, with `./var` as the state directory.\n")
}

// passiveKeys documents one of those who are told without asking.
func passiveKeys(w io.Writer) {
	fmt.Fprintf(w, "\n### A target of passive results\n\n`passive` is a list; each target has these keys ([Nagios](nagios.md#passive-results)).\n\n| key | |\n|---|---|\n")
	for i, t := 0, reflect.TypeFor[passive.Target](); i < t.NumField(); i++ {
		help := t.Field(i).Tag.Get("help")
		if t.Field(i).Tag.Get("secret") == "true" {
			help += " (secret)"
		}
		fmt.Fprintf(w, "| `%s` | %s |\n", yamlKey(t.Field(i)), cell(help))
	}
}

func settingsTable(w io.Writer, role string, s *settings) {
	fmt.Fprintf(w, "\n## fettle %s\n\n| key | default | |\n|---|---|---|\n", role)
	for _, one := range s.list {
		value := ""
		if one.plain() && one.text() != "" {
			value = "`" + strings.Join(strings.Split(one.text(), ","), "` `") + "`"
		}
		help := one.help
		if one.secret {
			help += " (secret)"
		}
		fmt.Fprintf(w, "| `%s` | %s | %s |\n", one.key, value, cell(help))
	}
}

// cell makes text fit into a table of Markdown.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// unindent takes two blanks off each line.
func unindent(text string) string {
	return strings.ReplaceAll(strings.TrimPrefix(text, "  "), "\n  ", "\n")
}
