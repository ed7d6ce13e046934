package plugins

import (
	"encoding/json"
	"fmt"
	"math"
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
