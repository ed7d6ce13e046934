package plugins

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ParseInputs reads inputs as they are written on a command line, name=value, and gives each its declared type. A list is written as JSON
// (["a","b"]), as a,b or by naming it again and again. The values are not yet held to the manifest: that is Validate's. The error is an
// *InputError that names every word that cannot be read.
func ParseInputs(action Action, words []string) (map[string]any, error) {
	out := make(map[string]any, len(words))
	var faults []Fault
	bad := func(name, format string, args ...any) {
		faults = append(faults, Fault{name, Invalid, fmt.Sprintf(format, args...)})
	}
	for _, word := range words {
		name, text, found := strings.Cut(word, "=")
		if !found || name == "" {
			bad(strconv.Quote(word[:min(len(word), 80)]), "has to be written name=value")
			continue
		}
		in, declared := action.input(name)
		if !declared {
			faults = append(faults, undeclared(action, name))
			continue
		}
		v, fault := in.parse(text)
		if fault != "" {
			bad(name, "%s", fault)
			continue
		}
		before, again := out[name]
		listed, isList := before.([]string)
		more, _ := v.([]string)
		switch {
		case again && isList:
			out[name] = append(listed, more...)
		case again:
			bad(name, "is given twice")
		default:
			out[name] = v
		}
	}
	return out, inputError(action, faults)
}

// parse reads one value.
func (in Input) parse(text string) (v any, fault string) {
	var err error
	switch in.Type {
	case String:
		return text, ""
	case Int:
		v, err = strconv.ParseInt(text, 10, 64)
	case Float:
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		if v = f; math.IsNaN(f) || math.IsInf(f, 0) {
			err = strconv.ErrRange
		}
	case Bool:
		switch strings.ToLower(text) {
		case "true", "yes", "on", "1":
			return true, ""
		case "false", "no", "off", "0":
			return false, ""
		}
		err = strconv.ErrSyntax
	case List:
		return parseList(text)
	}
	if err != nil {
		shown := strconv.Quote(text[:min(len(text), 80)])
		if in.Secret {
			shown = "its value"
		}
		return nil, fmt.Sprintf("has to be %s, and %s is none", map[Type]string{Int: "a whole number", Float: "a number", Bool: "true or false"}[in.Type], shown)
	}
	return v, ""
}

func parseList(text string) (any, string) {
	if strings.HasPrefix(text, "[") {
		var list []string
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return nil, "is not a JSON list of strings"
		}
		return list, ""
	}
	if text == "" {
		return []string{}, ""
	}
	return strings.Split(text, ","), ""
}

// FormatInputs writes inputs as ParseInputs reads them, sorted, each quoted as a shell needs it, with one blank between.
func FormatInputs(inputs map[string]any) string {
	words := make([]string, 0, len(inputs))
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		words = append(words, ShellWord(name+"="+inputText(inputs[name])))
	}
	return strings.Join(words, " ")
}

func inputText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case nil, []string, []any, map[string]any:
		if raw, err := json.Marshal(v); err == nil {
			return string(raw)
		}
	}
	return fmt.Sprint(v)
}

// shellPlain is what a shell takes as it is.
var shellPlain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]+$`)

// ShellWord writes s as one word of a POSIX shell.
func ShellWord(s string) string {
	if shellPlain.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
