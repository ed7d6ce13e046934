package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fettle-dev/fettle/plugins"
)

const actionsIntro = `# Actions

What every agent can do, without a plugin. This page is printed by ` + "`fettle docs actions`" + ` from the manifests by which server and agent both hold
inputs to what they have to be. Inputs are written ` + "`name=value`" + `, a list as ` + "`a,b`" + `, as JSON or by naming it again:

    fettle run shell.run command='uptime' -W environment=development
    fettle run package.install name=nginx version=1.22.1-9 -C role::web
    fettle run service.restart name=nginx -F country=de
    fettle run process.grep pattern='java.*-Xmx' --all
    fettle run file.push path=/etc/motd content@=motd.txt --all

` + "`name@=FILE`" + ` gives what a file of yours holds.

## How it is done

- A result comes of everything. Its status is 0 when it went well, 1 when the action says no, 3 and 4 when inputs are missing or wrong, 5 for what the node
  cannot do at all, 6 when it is refused, 7 when the time was up, 8 when the agent ended meanwhile and nobody knows, 9 when it was taken back.
- A program runs in a process group of its own. When its time is up, or when it is taken back, all of the group is sent TERM, and KILL two seconds later.
  A service that was started stays.
- Its environment has PATH, LANG, HOME, USER and LOGNAME only, and FETTLE_CHILD, by which the next agent finds what a killed one left. It runs in the root folder, without input, as the agent's own user.
- What it prints is kept up to a limit, beginning and end, and the result says how much is left out. While it runs for longer than a second, it is sent as it
  comes, 256 KiB at most.
- Limits of memory, processor and processes need cgroups of version 2 that are delegated to the agent: ` + "`Delegate=yes`" + ` in its unit. Where they cannot be had,
  the action runs without, and ` + "`notes`" + ` says so.
- *read only* marks actions that change nothing. If a connection breaks they may be done twice; all others are done once at most.
- Nothing passes through a shell but ` + "`shell.run`" + `, and what the node's own administrator has written.

## The node has the last word

The file /etc/fettle/policy.yaml, or what ` + "`policy-file`" + ` names, says what may be done on a node, whoever asks. The first rule that is true decides. A rule that is
undefined refuses, and while the file cannot be read, everything is refused. Rules are [filters](filters.md) over ` + "`identity facts classes agent now`" + `, and
` + "`action`, `inputs`, `user.name`" + `; the last is empty for checks.

    default: allow
    rules:
      - name: administrators
        allow: user.name in ["anna", "berta"]
      - name: no-shell-in-production
        deny: action.startsWith("shell.") && facts.environment == "production"

Every task is noted in the agent's own log, audit.log in its state folder, or what ` + "`audit-file`" + ` names: a line of JSON when it is begun and one when it has ended, with who
asked, what, and what came of it; secrets are masked. Checks are noted when they are refused. At 8 MiB it is put aside, four old ones are kept.
`

// actionsPage prints every built-in action from its manifest.
func actionsPage(w io.Writer) {
	fmt.Fprint(w, actionsIntro)
	last := ""
	for _, a := range plugins.Builtin() {
		plugin, _, _ := strings.Cut(a.Name, ".")
		if plugin != last {
			fmt.Fprintf(w, "\n## %s\n", plugin)
			last = plugin
		}
		printAction(w, a)
	}
}

// printAction writes what an action takes and gives.
func printAction(w io.Writer, a plugins.Action) {
	fmt.Fprintf(w, "\n### %s\n\n%s\n\n", a.Name, a.Description)
	marks := []string{"within " + plainSpan(a.Limit())}
	if a.Idempotent {
		marks = append(marks, "read only")
	}
	if a.Slotless {
		marks = append(marks, "a busy node does it too")
	}
	fmt.Fprintf(w, "*%s*\n", strings.Join(marks, ", "))
	if len(a.Inputs) > 0 {
		fmt.Fprint(w, "\n| input | | |\n|---|---|---|\n")
		for _, in := range a.Inputs {
			fmt.Fprintf(w, "| `%s` | %s | %s |\n", in.Name, inputKind(in), cell(in.Description))
		}
	}
	if len(a.Outputs) > 0 {
		fmt.Fprint(w, "\n| output | | |\n|---|---|---|\n")
		for _, o := range a.Outputs {
			kind := string(o.Type)
			if o.Unit != "" {
				kind += ", " + o.Unit
			}
			fmt.Fprintf(w, "| `%s` | %s | %s |\n", o.Name, kind, cell(o.Description))
		}
	}
	if len(a.Summaries) > 0 {
		var words []string
		for _, s := range a.Summaries {
			words = append(words, fmt.Sprintf("%s of `%s`", s.Function, s.Output))
		}
		fmt.Fprintf(w, "\nOf all nodes: %s.\n", strings.Join(words, ", "))
	}
}

// inputKind tells what an input may be.
func inputKind(in plugins.Input) string {
	words := []string{string(in.Type)}
	if in.Required {
		words = append(words, "**required**")
	}
	if in.Secret {
		words = append(words, "secret")
	}
	if len(in.Enum) > 0 {
		words = append(words, strings.Join(in.Enum, " "))
	}
	if in.Min != nil && in.Max != nil {
		words = append(words, fmt.Sprintf("%s to %s", strconv.FormatFloat(*in.Min, 'f', -1, 64), strconv.FormatFloat(*in.Max, 'f', -1, 64)))
	}
	if in.Default != nil && !slices.Contains([]any{false, ""}, in.Default) {
		words = append(words, fmt.Sprintf("else %v", in.Default))
	}
	return strings.Join(words, ", ")
}

// plainSpan gives 90s, 5m.
func plainSpan(d time.Duration) string {
	if d >= 2*time.Minute && d%time.Minute == 0 {
		return strconv.Itoa(int(d.Minutes())) + " min"
	}
	return strconv.Itoa(int(d.Seconds())) + " s"
}
