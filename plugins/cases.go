package plugins

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	fettle "github.com/fettle-dev/fettle"
)

// CasesFolder is the folder below a plugin's in which its cases are, each a file of YAML.
const CasesFolder = "cases"

// Case is one thing that a plugin is tried with, and what has to come of it.
type Case struct {
	Name     string            `yaml:"-"`        // of its file, without .yaml
	Action   string            `yaml:"action"`   // without the plugin's name
	Inputs   map[string]any    `yaml:"inputs"`   //
	Facts    map[string]any    `yaml:"facts"`    // of the node that it pretends to be on; nil: none
	Identity fettle.NodeID     `yaml:"identity"` // of that node; empty: localhost
	Timeout  time.Duration     `yaml:"timeout"`  // zero: the manifest's
	Status   string            `yaml:"status"`   // the word for the status; empty: ok
	Message  string            `yaml:"message"`  // a regular expression for some part of the message; empty: any
	Data     map[string]any    `yaml:"data"`     // outputs that have to be exactly so; others may be what they are
	Absent   []string          `yaml:"absent"`   // outputs that must not be there
	Matches  map[string]string `yaml:"matches"`  // outputs, as text, that match a regular expression in some part
}

// ReadCases reads the cases of a plugin's folder, by name. ErrInvalid names the file and the line.
func ReadCases(dir string) ([]Case, error) {
	var cases []Case
	files, err := filepath.Glob(filepath.Join(dir, CasesFolder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		c, err := parseCase(raw)
		if err != nil {
			return nil, fmt.Errorf("%s/%s:%w", CasesFolder, filepath.Base(file), err)
		}
		c.Name = strings.TrimSuffix(filepath.Base(file), ".yaml")
		cases = append(cases, c)
	}
	return cases, nil
}

func parseCase(raw []byte) (c Case, err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf(" the YAML cannot be read: %w", fettle.ErrInvalid)
		}
	}()
	if len(raw) > MaxManifest || nested(raw) {
		return c, fmt.Errorf(" it has more than %d bytes, or is nested too deep: %w", MaxManifest, fettle.ErrInvalid)
	}
	if err := yaml.UnmarshalWithOptions(raw, &c, yaml.Strict()); err != nil {
		return c, fmt.Errorf("%s: %w", yamlFault(err), fettle.ErrInvalid)
	}
	for name, v := range c.Inputs {
		c.Inputs[name] = plain(v)
	}
	if c.Action == "" {
		return c, fmt.Errorf(" it names no action: %w", fettle.ErrInvalid)
	}
	if _, known := statusOf(c.Status); !known {
		return c, fmt.Errorf(" status %q is none of the words for one, such as ok and failed: %w", c.Status, fettle.ErrInvalid)
	}
	for _, text := range append(slices.Collect(mapValues(c.Matches)), c.Message) {
		if _, err := regexp.Compile(text); err != nil {
			return c, fmt.Errorf(" %w: %w", err, fettle.ErrInvalid)
		}
	}
	return c, nil
}

func mapValues(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// statusOf gives the status of a word.
func statusOf(word string) (fettle.Status, bool) {
	if word == "" {
		return fettle.StatusOK, true
	}
	for s := fettle.StatusOK; s.Valid(); s++ {
		if s.String() == word {
			return s, true
		}
	}
	return 0, false
}

// Judge tells everything in which what came is not what the case says; none: it is.
func (c Case) Judge(status fettle.Status, message string, data map[string]any) (faults []string) {
	if want, _ := statusOf(c.Status); status != want {
		faults = append(faults, fmt.Sprintf("status is %s, want %s: %s", status, want, message))
	}
	if re, err := regexp.Compile(c.Message); err == nil && !re.MatchString(message) {
		faults = append(faults, fmt.Sprintf("message is %q, want one that matches %s", message, c.Message))
	}
	for name, want := range c.Data {
		if got, is := data[name]; !is || !alike(got, want) {
			faults = append(faults, fmt.Sprintf("output %s is %v, want %v", name, shown(got, is), want))
		}
	}
	for name, text := range c.Matches {
		got, is := data[name]
		if re, err := regexp.Compile(text); err == nil && (!is || !re.MatchString(fmt.Sprint(got))) {
			faults = append(faults, fmt.Sprintf("output %s is %v, want one that matches %s", name, shown(got, is), text))
		}
	}
	for _, name := range c.Absent {
		if got, is := data[name]; is {
			faults = append(faults, fmt.Sprintf("output %s is %v, want none", name, got))
		}
	}
	slices.Sort(faults)
	return faults
}

func shown(v any, is bool) any {
	if !is {
		return "not there"
	}
	return v
}

// alike compares values whose numbers may be of different types of Go.
func alike(a, b any) bool {
	x, isX := toFloat(a)
	if u, is := b.(uint64); is {
		b = float64(u)
	}
	if y, isY := toFloat(b); isX && isY {
		return x == y
	}
	return reflect.DeepEqual(listed(a), listed(b))
}

// listed gives a list of any kind as one of anything.
func listed(v any) any {
	list, is := v.([]string)
	if !is {
		return v
	}
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
