package main

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

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
	from   origin          // where its value came from
}

// settings are those of one role, in the order of the struct's fields.
type settings struct {
	role    string
	configs []validator
	list    []*setting
	file    string         // the file that was read; empty: none
	lines   map[string]int // of each key in the file, checks[0].interval too
	faults  faults
}

// settingsOf finds the settings in configs, pointers to structs; embedded structs are part of them.
func settingsOf(role string, configs ...validator) *settings {
	s := &settings{role: role, configs: configs, lines: map[string]int{}}
	for _, config := range configs {
		s.collect(reflect.ValueOf(config).Elem())
	}
	return s
}

func (s *settings) collect(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key := yamlKey(field)
		switch {
		case field.Anonymous:
			s.collect(v.Field(i))
		case key == "":
		case s.find(key) != nil:
			one := s.find(key)
			one.also = append(one.also, v.Field(i))
		default:
			s.list = append(s.list, &setting{key: key, help: field.Tag.Get("help"), secret: field.Tag.Get("secret") == "true", value: v.Field(i)})
		}
	}
}

// yamlKey is how a field is called in a file; empty: it is no setting.
func yamlKey(field reflect.StructField) string {
	key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
	return strings.TrimPrefix(key, "-")
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
		return spell(v)
	}
	return fmt.Sprint(s.value.Interface())
}

// set reads the value as the flag and the environment give it.
func (s *setting) set(text string) error {
	if s.value.Type() != reflect.TypeFor[[]string]() {
		return setScalar(s.value, text)
	}
	var words []string
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	s.value.Set(reflect.ValueOf(words))
	return nil
}

// setScalar reads one word into v.
func setScalar(v reflect.Value, text string) error {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		d, err := longSpan(text)
		if err != nil {
			return fmt.Errorf("%q is no duration such as 30s, 5m or 7d", text)
		}
		v.SetInt(int64(d))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(b)
	default:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is no whole number", text)
		}
		v.SetInt(n)
	}
	return nil
}

// isSetting marks the flags of settings: docs/config.md has them.
const isSetting = "setting"

// settingFlag is the flag of a setting. It takes any text: load reads it, so that all faults are reported at once.
type settingFlag struct {
	of   *setting
	text string
}

func (f *settingFlag) Set(text string) error { f.text = text; return nil }
func (f *settingFlag) String() string        { return f.text }

// Type is what --help calls the value.
func (f *settingFlag) Type() string {
	switch f.of.value.Interface().(type) {
	case bool:
		return "bool"
	case time.Duration:
		return "TIME"
	case []string:
		return "LIST"
	case string:
		return "TEXT"
	}
	return "NUMBER"
}

// flags adds a flag for each plain setting.
func (s *settings) flags(set *pflag.FlagSet) {
	for _, one := range s.list {
		if !one.plain() {
			continue
		}
		flag := set.VarPF(&settingFlag{of: one, text: one.text()}, one.key, "", one.help)
		flag.Annotations = map[string][]string{isSetting: nil}
		if one.value.Kind() == reflect.Bool {
			flag.NoOptDefVal = "true"
		}
		if list, is := one.value.Interface().([]string); is && len(list) > 2 {
			flag.DefValue = fmt.Sprintf("%s,… %d in all", list[0], len(list))
		}
	}
}

// load reads the file, the environment and the flags, and collects every fault. explicit says that the file was named by the user, so that
// its absence is a fault.
func (s *settings) load(file string, explicit bool, flags *pflag.FlagSet) {
	s.readFile(file, explicit)
	for _, one := range s.list {
		if text, ok := os.LookupEnv(one.env()); ok && one.plain() {
			one.take(s, origin{kind: fromEnvironment, name: one.env()}, text)
		}
		if flag := flags.Lookup(one.key); flag != nil && flag.Changed {
			one.take(s, origin{kind: fromFlag, name: "--" + one.key}, flag.Value.String())
		}
		for _, other := range one.also {
			other.Set(one.value)
		}
	}
}

// take reads a value from the environment or a flag.
func (s *setting) take(all *settings, from origin, text string) {
	s.from = from
	if err := s.set(text); err != nil {
		all.faults = append(all.faults, fault{from: from, reason: err.Error()})
	}
}
