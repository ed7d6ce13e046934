package facts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
)

// bom may stand before the text of files that were written on Windows.
const bom = "\uFEFF"

// parseText reads lines of key=value; the key ends at the first '=', and every value is a string, blanks and all, as in facter. Empty lines and
// those that begin with '#' are passed over. Lines that say nothing are an error, and the others hold nevertheless.
func parseText(raw []byte) (object, error) {
	if !utf8.Valid(raw) {
		return nil, errText
	}
	out := object{}
	var bad []string
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(raw), bom)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed[0] == '#' {
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		switch {
		case key != "" && value != "":
			out[key] = value
		case len(bad) < 5:
			bad = append(bad, strconv.Itoa(number))
		}
	}
	if len(bad) > 0 {
		return out, fmt.Errorf("line %s: not key=value: %w", strings.Join(bad, ", "), fettle.ErrInvalid)
	}
	return out, nil
}

// parseJSON reads one object.
func parseJSON(raw []byte) (object, error) {
	raw = bytes.TrimPrefix(raw, []byte(bom))
	if !utf8.Valid(raw) {
		return nil, errText
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, jsonError(raw, decoder.InputOffset(), err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("more than one JSON value: %w", fettle.ErrInvalid)
	}
	if value == nil {
		return object{}, nil
	}
	top, ok := value.(object)
	if !ok {
		return nil, fmt.Errorf("the JSON is no object: %w", fettle.ErrInvalid)
	}
	return plainObject(top, 1)
}

// jsonError says at which line of raw a fault stands.
func jsonError(raw []byte, offset int64, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = syntax.Offset
	}
	line := 1 + bytes.Count(raw[:min(max(offset, 0), int64(len(raw)))], []byte("\n"))
	return fmt.Errorf("line %d: %w: %w", line, err, fettle.ErrInvalid)
}

// plain makes a decoded value one that a document holds: numbers are int64, uint64 or float64, and a key whose value is null is absent.
func plain(value any, levels int) (any, error) {
	switch v := value.(type) {
	case object:
		return plainObject(v, levels+1)
	case []any:
		if levels >= MaxLevels {
			return nil, errDeep
		}
		for i := range v {
			one, err := plain(v[i], levels+1)
			if err != nil {
				return nil, err
			}
			v[i] = one
		}
		return v, nil
	case json.Number:
		return number(string(v))
	}
	return value, nil
}

func plainObject(o object, levels int) (object, error) {
	if levels > MaxLevels {
		return nil, errDeep
	}
	for key, value := range o {
		if value == nil {
			delete(o, key)
			continue
		}
		one, err := plain(value, levels)
		if err != nil {
			return nil, err
		}
		o[key] = one
	}
	return o, nil
}

// number keeps whole numbers exact while they fit 64 bits.
func number(s string) (any, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, errNumber
	}
	return f, nil
}

// parseOutput reads what a program printed: JSON or YAML where it is an object, and key=value lines otherwise.
func parseOutput(raw []byte) (object, error) {
	if text := bytes.TrimSpace(raw); len(text) > 0 && text[0] == '{' {
		if out, err := parseJSON(raw); err == nil {
			return out, nil
		}
	}
	if out, err := parseYAML(raw); err == nil {
		return out, nil
	}
	return parseText(raw)
}

// lowerKeys gives the names of facts in lower case, as facter has them; keys inside of facts stay.
func lowerKeys(facts object) object {
	out := make(object, len(facts))
	for _, key := range sortedKeys(facts) {
		out[strings.ToLower(key)] = facts[key]
	}
	return out
}
