package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

// origin says where a value came from; the zero value is the default.
type origin struct {
	kind int
	name string // of the file, the variable or the flag
	line int    // in the file; zero: none
}

// Kinds of origin, in the order in which they win and in which faults are listed.
const (
	fromDefault = iota
	fromFile
	fromEnvironment
	fromFlag
)

// String is for people.
func (o origin) String() string {
	switch {
	case o.kind == fromFile && o.line > 0:
		return fmt.Sprintf("%s:%d", o.name, o.line)
	case o.kind == fromFile:
		return o.name
	case o.kind == fromEnvironment:
		return "environment " + o.name
	case o.kind == fromFlag:
		return "flag " + o.name
	}
	return "default"
}

// fault is something wrong with a setting, where it stands.
type fault struct {
	from   origin
	key    string // empty: from says enough
	reason string
}

// String is for people: place, key, reason.
func (f fault) String() string {
	if f.key == "" {
		return f.from.String() + ": " + f.reason
	}
	return fmt.Sprintf("%s: %s: %s", f.from, f.key, f.reason)
}

// faults are all that is wrong with the settings of a role.
type faults []fault

// settingsError reports all faults at once.
type settingsError struct {
	role   string
	faults faults
}

// Error lists the faults, one a line.
func (e *settingsError) Error() string {
	lines := make([]string, 1, 1+len(e.faults))
	lines[0] = "settings of " + e.role + ":"
	for _, f := range e.faults {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

func (e *settingsError) Unwrap() error { return fettle.ErrInvalid }

// details are the faults for programs.
func (e *settingsError) details() []client.ErrorDetail {
	out := make([]client.ErrorDetail, len(e.faults))
	for i, f := range e.faults {
		out[i] = client.ErrorDetail{Location: pointer(f.from.String()), Message: pointer(strings.TrimPrefix(f.key+": "+f.reason, ": "))}
	}
	return out
}

// err gives all faults in the order of the file, then those of the environment and the flags; nil, if there are none.
func (s *settings) err() error {
	if len(s.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(s.faults, func(x, y fault) int {
		return cmp.Or(cmp.Compare(x.from.kind, y.from.kind), cmp.Compare(x.from.line, y.from.line), cmp.Compare(x.from.name, y.from.name), cmp.Compare(x.key, y.key))
	})
	return &settingsError{role: s.role, faults: slices.CompactFunc(s.faults, func(x, y fault) bool { return x == y })}
}

// check adds the faults that a validation found, each with the place of its key.
func (s *settings) check(err error) {
	for _, found := range fettle.Faults(err) {
		var one *fettle.Fault
		if !errors.As(found, &one) {
			s.faults = append(s.faults, fault{reason: firstLine(found)})
			continue
		}
		if s.misread(one.Key) {
			continue // it has been said what is wrong, and the default stands in its place
		}
		s.faults = append(s.faults, fault{from: s.place(one.Key), key: one.Key, reason: reason(errors.New(one.Reason))})
	}
}

// misread tells whether a fault of key, or of a part of it, was found before.
func (s *settings) misread(key string) bool {
	return slices.ContainsFunc(s.faults, func(f fault) bool {
		rest, under := strings.CutPrefix(key, f.key)
		return f.key != "" && under && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// place says where the value of a key such as checks[2].interval came from.
func (s *settings) place(key string) origin {
	top, _, _ := strings.Cut(strings.ReplaceAll(key, "[", "."), ".")
	one := s.find(top)
	if one == nil || one.from.kind != fromFile {
		if one == nil {
			return origin{}
		}
		return one.from
	}
	for k := key; k != ""; k = k[:max(strings.LastIndexAny(k, ".["), 0)] {
		if line, known := s.lines[k]; known {
			return origin{kind: fromFile, name: s.file, line: line}
		}
	}
	return one.from
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return line
}
