package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/pflag"
)

// A setting is one field of a role's configuration. Its name in YAML is its tag; the environment variable and the flag are derived from that,
// never chosen: beat-interval, FETTLE_BEAT_INTERVAL, --beat-interval. Later sources win: default, file, environment, flag.
type setting struct {
	key    string
	help   string
	secret bool
	value  reflect.Value
	also   []reflect.Value // the same setting of another part: server and agent of dev have one state directory
	source string          // where its value came from
}

// settings are those of one role, in the order of the struct's fields.
type settings struct {
	role    string
	configs []validator
	list    []*setting
	file    string    // the file that was read; empty: none
	tree    *ast.File // of file
}

// settingsOf finds the settings in configs, pointers to structs; embedded structs are part of them.
func settingsOf(role string, configs ...validator) *settings {
	s := &settings{role: role, configs: configs}
	for _, config := range configs {
		s.collect(reflect.ValueOf(config).Elem())
	}
	return s
}

func (s *settings) collect(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key := strings.Split(field.Tag.Get("yaml"), ",")[0]
		switch {
		case field.Anonymous:
			s.collect(v.Field(i))
		case key == "-" || key == "":
		case s.find(key) != nil:
			one := s.find(key)
			one.also = append(one.also, v.Field(i))
		default:
			s.list = append(s.list, &setting{key: key, help: field.Tag.Get("help"), secret: field.Tag.Get("secret") == "true", value: v.Field(i), source: "default"})
		}
	}
}

func (s *settings) find(key string) *setting {
	for _, one := range s.list {
		if one.key == key {
			return one
		}
	}
	return nil
}

func (s *setting) env() string {
	return "FETTLE_" + strings.ToUpper(strings.ReplaceAll(s.key, "-", "_"))
}

// plain tells whether a setting can be written as one word, and so have a flag and an environment variable.
func (s *setting) plain() bool {
	switch s.value.Interface().(type) {
	case string, bool, int, int64, time.Duration, []string:
		return true
	}
	return false
}

// text writes the value as the flag and the environment take it.
func (s *setting) text() string {
	switch v := s.value.Interface().(type) {
	case []string:
		return strings.Join(v, ",")
	case time.Duration:
		return v.String()
	}
	return fmt.Sprint(s.value.Interface())
}

// set reads the value as the flag and the environment give it.
func (s *setting) set(text string) error {
	switch s.value.Interface().(type) {
	case string:
		s.value.SetString(text)
	case []string:
		var words []string
		for word := range strings.SplitSeq(text, ",") {
			if word = strings.TrimSpace(word); word != "" {
				words = append(words, word)
			}
		}
		s.value.Set(reflect.ValueOf(words))
	case bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		s.value.SetBool(b)
	case time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is no duration such as 30s or 5m", text)
		}
		s.value.SetInt(int64(d))
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is no whole number", text)
		}
		s.value.SetInt(n)
	}
	return nil
}

// flags adds a flag for each plain setting.
func (s *settings) flags(set *pflag.FlagSet) {
	for _, one := range s.list {
		if one.plain() {
			set.String(one.key, one.text(), one.help)
			if _, is := one.value.Interface().(bool); is {
				set.Lookup(one.key).NoOptDefVal = "true"
			}
		}
	}
}

// load reads the file, the environment and the flags. Every fault is reported at once, each with where it stands. explicit says that the file
// was named by the user, so that its absence is a fault.
func (s *settings) load(file string, explicit bool, flags *pflag.FlagSet) error {
	var faults []error
	if err := s.readFile(file, explicit); err != nil {
		faults = append(faults, err)
	}
	for _, one := range s.list {
		if text, ok := os.LookupEnv(one.env()); ok && one.plain() {
			if err := one.set(text); err != nil {
				faults = append(faults, &fettle.Fault{Key: one.env(), Reason: err.Error()})
			}
			one.source = "environment " + one.env()
		}
		if flag := flags.Lookup(one.key); flag != nil && flag.Changed {
			if err := one.set(flag.Value.String()); err != nil {
				faults = append(faults, &fettle.Fault{Key: "--" + one.key, Reason: err.Error()})
			}
			one.source = "flag --" + one.key
		}
		for _, other := range one.also {
			other.Set(one.value)
		}
	}
	return errors.Join(faults...)
}

func (s *settings) readFile(name string, explicit bool) error {
	if name == "" {
		return nil
	}
	raw, err := readBounded(name)
	switch {
	case errors.Is(err, os.ErrNotExist) && !explicit:
		return nil
	case err != nil:
		return fmt.Errorf("configuration: %w", err)
	}
	if s.tree, err = parser.ParseBytes(raw, 0); err != nil {
		return fmt.Errorf("%s:%s: %w", name, yaml.FormatError(err, false, true), fettle.ErrInvalid)
	}
	s.file = name
	var faults []error
	for _, one := range s.list {
		node := s.node(one.key)
		if node == nil {
			continue
		}
		one.source = s.place(one.key)
		if err := yaml.NodeToValue(node, one.value.Addr().Interface(), yaml.Strict()); err != nil {
			faults = append(faults, s.misread(one.key, err))
		}
	}
	return errors.Join(append(faults, s.unknownKeys()...)...)
}

// misread says what of a setting in the file cannot be read, and on which line.
func (s *settings) misread(key string, err error) error {
	place, reason := s.place(key), firstLine(err)
	if m := yamlPlace.FindStringSubmatch(reason); m != nil {
		place, reason = s.file+":"+m[1], m[2]
	}
	return fmt.Errorf("%s: %s: %s: %w", place, key, reason, fettle.ErrInvalid)
}

// yamlPlace is how the YAML library begins its errors: [line:column].
var yamlPlace = regexp.MustCompile(`^\[(\d+):\d+\] (.*)$`)

// unknownKeys refuses what no setting is called, and suggests the nearest.
func (s *settings) unknownKeys() (faults []error) {
	known := map[string]bool{}
	names := make([]string, 0, len(s.list))
	for _, one := range s.list {
		known[one.key] = true
		names = append(names, one.key)
	}
	for _, doc := range s.tree.Docs {
		mapping, is := doc.Body.(*ast.MappingNode)
		if !is {
			if doc.Body != nil && doc.Body.Type() != ast.NullType {
				faults = append(faults, fmt.Errorf("%s:1: settings ought to stand here, a key and a value a line: %w", s.file, fettle.ErrInvalid))
			}
			continue
		}
		for _, entry := range mapping.Values {
			key := entry.Key.GetToken()
			if !known[key.Value] {
				faults = append(faults, fmt.Errorf("%s:%d: there is no setting %q%s: %w", s.file, key.Position.Line, key.Value, didYouMean(key.Value, names), fettle.ErrInvalid))
			}
		}
	}
	return faults
}

// node finds the value of a key such as checks[2].interval in the file; nil, if it is not there.
func (s *settings) node(key string) ast.Node {
	if s.tree == nil {
		return nil
	}
	path, err := yaml.PathString("$." + key)
	if err != nil {
		return nil
	}
	node, err := path.FilterFile(s.tree)
	if err != nil {
		return nil
	}
	return node
}

// place says where a key's value came from: file and line, environment, flag or default.
func (s *settings) place(key string) string {
	for k := key; k != ""; k = parentKey(k) {
		if node := s.node(k); node != nil {
			return fmt.Sprintf("%s:%d", s.file, node.GetToken().Position.Line)
		}
	}
	return "default"
}

func parentKey(key string) string {
	return key[:max(strings.LastIndexAny(key, ".["), 0)]
}

// located gives each fault of a validation the place of its key.
func (s *settings) located(err error) error {
	if err == nil {
		return nil
	}
	if many, is := err.(interface{ Unwrap() []error }); is {
		var out []error
		for _, one := range many.Unwrap() {
			out = append(out, s.located(one))
		}
		return errors.Join(out...)
	}
	var fault *fettle.Fault
	if !errors.As(err, &fault) {
		return err
	}
	top, _, _ := strings.Cut(strings.ReplaceAll(fault.Key, "[", "."), ".")
	for _, one := range s.list {
		if one.key == top && !strings.HasPrefix(one.source, s.file+":") || one.key == top && s.file == "" {
			return fmt.Errorf("%s: %w", one.source, err)
		}
	}
	return fmt.Errorf("%s: %w", s.place(fault.Key), err)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return line
}
