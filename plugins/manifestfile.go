package plugins

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	fettle "github.com/fettle-dev/fettle"
)

// ManifestName is the file in a plugin's folder that says what it offers.
const ManifestName = "plugin.yaml"

// Bounds of a manifest.
const (
	MaxManifest  = 64 << 10 // bytes of the file
	maxActions   = 200
	maxFields    = 100 // inputs, and outputs, of an action
	maxText      = 2000
	maxPlatforms = 4096
)

var (
	pluginName    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	pluginVersion = regexp.MustCompile(`^[0-9][0-9A-Za-z.+-]{0,63}$`)
)

// The file as it is written. What it leaves out is zero.
type manifestFile struct {
	Name        string       `yaml:"name"`
	Version     string       `yaml:"version"`
	Description string       `yaml:"description"`
	Licence     string       `yaml:"licence"`
	Icon        string       `yaml:"icon"`
	Timeout     string       `yaml:"timeout"` // such as 30s; of each action that has none
	Platforms   string       `yaml:"platforms"`
	Executable  string       `yaml:"executable"`
	Run         Limits       `yaml:"run"`
	Actions     []actionFile `yaml:"actions"`
}

type actionFile struct {
	Name        string        `yaml:"name"` // without the plugin's
	Description string        `yaml:"description"`
	Timeout     string        `yaml:"timeout"`
	Idempotent  bool          `yaml:"idempotent"`
	Busy        string        `yaml:"busy"` // a filter: on these nodes it goes already
	Inputs      []inputFile   `yaml:"inputs"`
	Outputs     []outputFile  `yaml:"outputs"`
	Summaries   []summaryFile `yaml:"summaries"`
	Display     Display       `yaml:"display"`
}

type inputFile struct {
	Name        string   `yaml:"name"`
	Description string   `yaml:"description"`
	Type        Type     `yaml:"type"`
	Required    bool     `yaml:"required"`
	Default     any      `yaml:"default"`
	Pattern     string   `yaml:"pattern"`
	Enum        []string `yaml:"enum"`
	Min         *float64 `yaml:"min"`
	Max         *float64 `yaml:"max"`
	MaxLength   int      `yaml:"max_length"`
	Secret      bool     `yaml:"secret"`
	From        string   `yaml:"from"`
}

type outputFile struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	Type        Type   `yaml:"type"`
	Display     string `yaml:"display"`
	Unit        string `yaml:"unit"`
}

type summaryFile struct {
	Output   string   `yaml:"output"`
	Function Function `yaml:"function"`
}

// ParseManifest reads a plugin.yaml. The error names every fault with its line, and is ErrInvalid. Whether Platforms is a filter, and whether the
// executable is there, is not looked at.
func ParseManifest(raw []byte) (m Manifest, err error) {
	bad := func(format string, args ...any) (Manifest, error) {
		return Manifest{}, fmt.Errorf(ManifestName+format+": %w", append(args, fettle.ErrInvalid)...)
	}
	switch {
	case len(raw) > MaxManifest:
		return bad(": it has %d bytes, and %d are allowed", len(raw), MaxManifest)
	case !utf8.Valid(raw):
		return bad(": it is not UTF-8")
	case nested(raw):
		return bad(": it is nested more than %d deep", maxNesting)
	}
	defer func() { // the reader of YAML is not ours
		if recover() != nil {
			m, err = bad(": the YAML cannot be read")
		}
	}()
	file, err := parser.ParseBytes(raw, 0)
	if err != nil {
		return bad(":%s", yamlFault(err))
	}
	if node := aliased(file); node != nil {
		return bad(":%d: anchors and aliases are not for manifests", node.GetToken().Position.Line)
	}
	var f manifestFile
	if err := yaml.UnmarshalWithOptions(raw, &f, yaml.Strict()); err != nil {
		return bad(":%s", yamlFault(err))
	}
	m, faults := f.manifest()
	if faults = append(faults, m.faults()...); len(faults) > 0 {
		errs := make([]error, len(faults))
		for i, fault := range faults {
			errs[i] = fmt.Errorf("%s:%s %s: %w", ManifestName, lineOf(file, fault.path), fault.text, fettle.ErrInvalid)
		}
		return Manifest{}, errors.Join(errs...)
	}
	return m, nil
}

// maxNesting bounds brackets within brackets, and lists within lists on one line: the reader takes time that grows with the square of it.
const maxNesting = 32

// nested tells whether raw is nested too deep, or may be: brackets in text count.
func nested(raw []byte) bool {
	for line := range bytes.Lines(raw) {
		if bytes.HasPrefix(bytes.TrimLeft(line, " "), bytes.Repeat([]byte("- "), maxNesting)) {
			return true
		}
	}
	depth := 0
	for _, c := range raw {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		}
		if depth > maxNesting {
			return true
		}
	}
	return false
}

// yamlFault gives a fault of the YAML on one line: [3:5] unknown field "x" becomes 3: unknown field "x".
func yamlFault(err error) string {
	text, _, _ := strings.Cut(strings.TrimSpace(yaml.FormatError(err, false, false)), "\n")
	if place, rest, found := strings.Cut(strings.TrimPrefix(text, "["), "] "); found && strings.HasPrefix(text, "[") {
		line, _, _ := strings.Cut(place, ":")
		return line + ": " + rest
	}
	return " " + text
}

// aliased gives the first anchor or alias of a file: a few lines of them could stand for any amount of memory.
func aliased(file *ast.File) (found ast.Node) {
	for _, doc := range file.Docs {
		ast.Walk(visitor(func(n ast.Node) {
			switch n.(type) {
			case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
				if found == nil {
					found = n
				}
			}
		}), doc.Body)
	}
	return found
}

type visitor func(ast.Node)

// Visit implements ast.Visitor.
func (v visitor) Visit(n ast.Node) ast.Visitor { v(n); return v }

// lineOf gives "12:", the line on which a path of the file stands; empty: it is not there.
func lineOf(file *ast.File, at string) string {
	for ; at != ""; at = at[:max(0, strings.LastIndexAny(at, ".["))] {
		p, err := yaml.PathString("$" + at)
		if err != nil {
			continue
		}
		if node, err := p.FilterFile(file); err == nil && node != nil {
			return fmt.Sprintf("%d:", node.GetToken().Position.Line)
		}
	}
	return "1:"
}

// manifest gives the file as a Manifest, and which spans of time in it are none.
func (f manifestFile) manifest() (m Manifest, faults []manifestFault) {
	span := func(path, text string) int64 {
		d, err := time.ParseDuration(cmp.Or(text, "0s"))
		if err != nil || d < 0 || d > fettle.MaxExpiry {
			faults = append(faults, manifestFault{path, fmt.Sprintf("timeout %q is no span of time such as 30s or 5m, of a day at most", clip(text))})
		}
		return d.Milliseconds()
	}
	timeout := span(".timeout", f.Timeout)
	m = Manifest{
		Name: f.Name, Version: f.Version, Description: strings.TrimSpace(f.Description), Licence: f.Licence, Icon: f.Icon,
		Platforms: fettle.Filter(strings.TrimSpace(f.Platforms)), Executable: f.Executable, Run: f.Run,
	}
	for i, af := range f.Actions {
		a := Action{
			Name: f.Name + "." + af.Name, Description: strings.TrimSpace(af.Description), Idempotent: af.Idempotent, Display: af.Display, Busy: strings.TrimSpace(af.Busy),
			Timeout: cmp.Or(span(fmt.Sprintf(".actions[%d].timeout", i), af.Timeout), timeout),
		}
		for _, in := range af.Inputs {
			a.Inputs = append(a.Inputs, Input{
				Name: in.Name, Description: in.Description, Type: in.Type, Required: in.Required, Default: plain(in.Default), Pattern: in.Pattern, Enum: in.Enum,
				Min: in.Min, Max: in.Max, MaxLength: in.MaxLength, Secret: in.Secret, From: in.From,
			})
		}
		for _, o := range af.Outputs {
			a.Outputs = append(a.Outputs, Output(o))
		}
		for _, s := range af.Summaries {
			a.Summaries = append(a.Summaries, Summary(s))
		}
		m.Actions = append(m.Actions, a.withOwn())
	}
	return m, faults
}

// plain gives a default as JSON would.
func plain(v any) any {
	if n, is := v.(uint64); is && n < 1<<63 {
		return int64(n)
	}
	return v
}

// manifestFault is something wrong at a path of the file, such as .actions[0].inputs[1].
type manifestFault struct{ path, text string }

// faults gives all that is wrong with what a manifest says, apart from its YAML.
func (m Manifest) faults() (faults []manifestFault) {
	bad := func(path, format string, args ...any) {
		faults = append(faults, manifestFault{path, fmt.Sprintf(format, args...)})
	}
	if !pluginName.MatchString(m.Name) {
		bad(".name", "name %q is not of a-z 0-9 _, beginning with a letter", clip(m.Name))
	} else if slices.ContainsFunc(builtin(), func(a Action) bool { return strings.HasPrefix(a.Name, m.Name+".") }) {
		bad(".name", "name %s is that of built-in actions", m.Name)
	}
	if !pluginVersion.MatchString(m.Version) {
		bad(".version", "version %q is not of the kind 1.2.3", clip(m.Version))
	}
	if m.Description == "" {
		bad(".description", "description is missing: one sentence that says what it is for")
	}
	for key, text := range map[string]string{"description": m.Description, "licence": m.Licence, "icon": m.Icon} {
		if len(text) > maxText {
			bad("."+key, "%s has %d bytes, and %d are allowed", key, len(text), maxText)
		}
	}
	if len(m.Platforms) > maxPlatforms {
		bad(".platforms", "platforms has %d bytes, and %d are allowed", len(m.Platforms), maxPlatforms)
	}
	if fault := executableFault(m.Executable); fault != "" {
		bad(".executable", "executable %s", fault)
	}
	if fault := m.Run.fault(); fault != "" {
		bad(".run", "run: %s", fault)
	}
	if len(m.Actions) == 0 || len(m.Actions) > maxActions {
		bad(".actions", "it has %d actions, and 1 to %d are allowed", len(m.Actions), maxActions)
		return faults
	}
	seen := map[string]bool{}
	for i, a := range m.Actions {
		at := fmt.Sprintf(".actions[%d]", i)
		if seen[a.Name] {
			bad(at, "action %s is there twice", a.Name)
		}
		seen[a.Name] = true
		a.placed(at, bad)
	}
	return faults
}

// placed tells what is wrong with an action, each fault where it stands.
func (a Action) placed(at string, bad func(path, format string, args ...any)) {
	if a.Description == "" {
		bad(at, "action %s has no description", a.Name)
	}
	if len(a.Inputs) > maxFields || len(a.Outputs) > maxFields {
		bad(at, "action %s has more than %d inputs or outputs", a.Name, maxFields)
		return
	}
	for i, o := range a.Outputs {
		if o.own() && o.Description != ownOutputs[o.Name].Description {
			bad(fmt.Sprintf("%s.outputs[%d]", at, i), "action %s: output %s is there by itself, and is not declared", a.Name, o.Name)
		}
	}
	for _, fault := range fettle.Faults(a.Check()) {
		text := strings.TrimSuffix(fault.Error(), ": "+fettle.ErrInvalid.Error())
		bad(at+a.placeOf(strings.TrimPrefix(text, "action "+a.Name+": ")), "%s", text)
	}
}

// placeOf gives where in an action stands what a fault speaks of.
func (a Action) placeOf(fault string) string {
	for i, in := range slices.Backward(a.Inputs) {
		if strings.HasPrefix(fault, "input "+in.Name+":") || strings.HasPrefix(fault, "input "+in.Name+" ") || strings.HasPrefix(fault, fmt.Sprintf("input %q", in.Name)) {
			return fmt.Sprintf(".inputs[%d]", i)
		}
	}
	for i, o := range slices.Backward(a.Outputs) {
		if strings.HasPrefix(fault, "output "+o.Name+":") || strings.HasPrefix(fault, "output "+o.Name+" ") || strings.HasPrefix(fault, fmt.Sprintf("output %q", o.Name)) {
			return fmt.Sprintf(".outputs[%d]", i)
		}
	}
	for i, s := range a.Summaries {
		if strings.HasPrefix(fault, "summary of "+s.Output+":") || strings.HasPrefix(fault, fmt.Sprintf("summary of %q", s.Output)) {
			return fmt.Sprintf(".summaries[%d]", i)
		}
	}
	return ""
}

// executableFault tells what is wrong with the path of an executable; empty: nothing.
func executableFault(name string) string {
	clean := path.Clean(name)
	switch {
	case name == "":
		return "is missing: the program that does the actions, below this folder"
	case len(name) > 255 || strings.ContainsAny(name, "\\\x00\n"):
		return fmt.Sprintf("%q is no path", clip(name))
	case path.IsAbs(name) || clean == ".." || strings.HasPrefix(clean, "../"):
		return fmt.Sprintf("%q leads out of the plugin's folder", clip(name))
	}
	return ""
}

// ExecutableFor gives the path of the executable below the plugin's folder, with slashes, on a system as Go names it.
func (m Manifest) ExecutableFor(goos, goarch string) string {
	return path.Clean(strings.NewReplacer("{os}", goos, "{arch}", goarch).Replace(m.Executable))
}

// fault gives what is wrong with limits; empty: nothing.
func (l Limits) fault() string {
	switch {
	case l.Nice < -20 || l.Nice > 19:
		return "nice is not between -20 and 19"
	case l.IO != "" && l.IO != "low" && l.IO != "idle":
		return "io is neither low nor idle"
	case l.Memory < 0 || l.Memory > 1<<30 || l.CPU < 0 || l.CPU > 100_000 || l.Processes < 0 || l.Processes > 1<<22:
		return "memory (MiB), cpu (percent) or processes is out of bounds"
	case len(l.User) > 64 || strings.ContainsAny(l.User, " \n\x00/"):
		return "user is no name"
	}
	return ""
}

func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 80)], "") }
