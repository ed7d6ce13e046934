package nagios

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"

	fettle "github.com/fettle-dev/fettle"
)

// Objects is what a template of Nagios' object configuration is over.
type Objects struct {
	Hosts           []ObjectHost    // by name
	Groups          []ObjectGroup   // by name
	Verdicts        []ObjectService // of VerdictHost, by name
	VerdictHost     string          // empty: there are no verdicts
	Plugin          string          // check_fettle with its options, for the commands that the default template defines
	HostTemplate    string          // what hosts use
	ServiceTemplate string          // what services use
}

// ObjectHost is a node.
type ObjectHost struct {
	Name     string // as Nagios takes it
	Node     string // its identity
	Address  string
	Groups   []string       // names of its host groups, sorted
	Classes  []string       // sorted
	Liveness string         // alive, late or silent
	Facts    map[string]any // the whole document
	Services []ObjectService
}

// ObjectGroup is the nodes of one class, or that have one value of a field.
type ObjectGroup struct {
	Name, Alias string
	Hosts       []string // sorted
}

// ObjectService is a check.
type ObjectService struct {
	Name    string // as Nagios takes it
	Check   string // as Fettle has it
	Passive bool   // Nagios is told; otherwise it asks, by check_fettle
}

// DefaultObjects is the template that holds where none is given.
const DefaultObjects = `{{- define "use"}}{{if .}}  use                     {{.}}
{{end}}{{end -}}
{{- define "waits"}}  active_checks_enabled   0
  passive_checks_enabled  1
  max_check_attempts      1
{{end -}}
define command {
  command_name  fettle-verdict
  command_line  {{.Plugin}} --check '$ARG1$'
}

define command {
  command_name  fettle-node
  command_line  {{.Plugin}} --check '$ARG1$' -I '$ARG2$'
}

define command {
  command_name  fettle-told
  command_line  /bin/sh -c 'echo "UNKNOWN: Fettle has told nothing for too long"; exit 3'
}
{{- if .VerdictHost}}

define host {
{{template "use" .HostTemplate}}  host_name               {{.VerdictHost}}
  alias                   all nodes that Fettle knows
  address                 127.0.0.1
  check_command           fettle-told
  active_checks_enabled   0
  max_check_attempts      1
}
{{- end}}
{{- range .Verdicts}}

define service {
{{template "use" $.ServiceTemplate}}  host_name               {{$.VerdictHost}}
  service_description     {{.Name}}
{{- if .Passive}}
  check_command           fettle-told
{{template "waits"}}
{{- else}}
  check_command           fettle-verdict!{{arg .Check}}
{{end -}}
}
{{- end}}
{{- range .Hosts}}
{{- $host := .}}

define host {
{{template "use" $.HostTemplate}}  host_name               {{.Name}}
  alias                   {{value .Node}}
  address                 {{value .Address}}
  check_command           fettle-told
{{template "waits"}}}
{{- range .Services}}

define service {
{{template "use" $.ServiceTemplate}}  host_name               {{$host.Name}}
  service_description     {{.Name}}
{{- if .Passive}}
  check_command           fettle-told
{{template "waits"}}
{{- else}}
  check_command           fettle-node!{{arg .Check}}!{{arg $host.Node}}
{{end -}}
}
{{- end}}
{{- end}}
{{- range .Groups}}

define hostgroup {
  hostgroup_name          {{.Name}}
  alias                   {{value .Alias}}
  members                 {{join .Hosts}}
}
{{- end}}
`

// maxObjects bounds what a template may write, in bytes: a million services, about.
const maxObjects = 512 << 20

// WriteObjects writes o by a template, which may use name (as Nagios takes a name), value (one line, comments escaped), arg (an argument of
// check_command) and join (with commas between). ErrInvalid: the template is none, or fails.
func WriteObjects(w io.Writer, text string, o Objects) error {
	t, err := template.New("objects").Option("missingkey=zero").Funcs(template.FuncMap{
		"name": ObjectName, "value": objectValue, "arg": objectArg, "join": func(words []string) string { return strings.Join(words, ",") },
	}).Parse(text)
	if err != nil {
		return fmt.Errorf("%w: %w", err, fettle.ErrInvalid)
	}
	if err := t.Execute(&boundedWriter{w, maxObjects}, o); err != nil {
		return fmt.Errorf("%w: %w", err, fettle.ErrInvalid)
	}
	return nil
}

// boundedWriter refuses what is beyond its bytes: a template can write without end.
type boundedWriter struct {
	w    io.Writer
	left int
}

func (b *boundedWriter) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, fmt.Errorf("more than %d bytes", maxObjects)
	}
	return b.w.Write(p)
}

// objectValue gives text as the value of a directive: one line, in which ';' begins no comment.
func objectValue(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "�")), " ")
	return strings.ReplaceAll(text, ";", `\;`)
}

// objectArg gives text as an argument of check_command that stands between quotes of the shell, as the default template has it. What Nagios or
// the shell would make something of is escaped; quotes and backslashes cannot be, and such a text is refused.
func objectArg(text string) (string, error) {
	if !Askable(text) {
		return "", fmt.Errorf("%q cannot be an argument of a command of Nagios", text)
	}
	return strings.NewReplacer("!", `\!`, ";", `\;`, "$", "$$").Replace(text), nil
}

// PartName names the service of one value of a verdict's fact, as "shop acme": a service for each customer, say.
func PartName(check, value string) string { return ObjectName(check + " " + value) }

// Askable tells whether a check of that name can be an argument of a command of Nagios: others can only be passive.
func Askable(name string) bool {
	return name != "" && strings.TrimSpace(name) == name && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\'' || r == '\\' })
}

// UniqueNames makes of texts names that Nagios takes, no two alike: those that fall together have a number behind them, in the order of the texts.
func UniqueNames(texts []string) []string {
	used := map[string]bool{}
	names := make([]string, len(texts))
	for _, i := range byText(texts) {
		name := ObjectName(texts[i])
		for n := 2; used[name]; n++ {
			name = fmt.Sprintf("%s_%d", ObjectName(texts[i]), n)
		}
		used[name] = true
		names[i] = name
	}
	return names
}

// byText gives the indexes of texts in the order of the texts.
func byText(texts []string) []int {
	order := make([]int, len(texts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(texts[a], texts[b]) })
	return order
}
