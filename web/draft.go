package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks/files"
)

// draft is a definition as a form has it: what is common in fields, and the rest as YAML. Both are read as one text, so that a fault means the same
// in either, and in a file.
type draft struct {
	Fields []field
	Rest   string // YAML
	Whole  bool   // all of it is in Rest
	Faults []draftFault
}

// field is one key of a definition as a form has it.
type field struct {
	Key   string // of the definition
	Name  string // of the form's field, where that is another one
	Label string
	Hint  string
	Kind  fieldKind
	Value string
	Eg    string // an example
	Fault string // empty: none that is known
}

// ID gives the name under which a form sends the field.
func (f field) ID() string {
	if f.Name != "" {
		return f.Name
	}
	return f.Key
}

// fieldKind says what stands in a field.
type fieldKind string

const (
	kindText   fieldKind = ""
	kindLong   fieldKind = "long"   // text of many lines
	kindNumber fieldKind = "number" // a whole number
	kindList   fieldKind = "list"   // words between commas or blanks
	kindLabels fieldKind = "labels" // key=value, between commas or blanks
	kindWhat   fieldKind = "what"   // its key is chosen beside it
)

// draftFault is something wrong with the YAML of a draft, or with all of it.
type draftFault struct {
	Line   int // of the YAML; zero: nowhere in particular
	Text   string
	Source string // the line
}

// longestDraft bounds what of a draft is looked at.
const longestDraft = 256 << 10

// fill takes the values of a form.
func (d *draft) fill(v url.Values) {
	for i := range d.Fields {
		d.Fields[i].Value = strings.TrimSpace(strings.ReplaceAll(v.Get(d.Fields[i].ID()), "\r\n", "\n"))
	}
	d.Rest = strings.ReplaceAll(v.Get("rest"), "\r\n", "\n")
}

// text gives all of it as YAML: a line for each field, in their order, then the rest; and the number of those lines.
func (d *draft) text() (text string, lines int) {
	if d.Whole {
		return d.Rest, 0
	}
	var b strings.Builder
	for _, f := range d.Fields {
		if f.Value != "" {
			b.WriteString(f.Key + ": " + f.yaml() + "\n")
			lines++
		}
	}
	return b.String() + d.Rest, lines
}

// yaml gives the value in one line.
func (f field) yaml() string {
	between := func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' }
	switch f.Kind {
	case kindNumber:
		if len(f.Value) < 10 && strings.Trim(f.Value, "0123456789") == "" {
			return f.Value
		}
	case kindList:
		return quoteJSON(strings.FieldsFunc(f.Value, between))
	case kindLabels:
		labels := map[string]string{}
		for _, one := range strings.FieldsFunc(f.Value, between) {
			key, value, is := strings.Cut(one, "=")
			if !is {
				return quoteJSON(f.Value) // which is no mapping, and said to be none
			}
			labels[key] = value
		}
		return quoteJSON(labels)
	}
	return quoteJSON(f.Value)
}

// quoteJSON writes what YAML reads as JSON does.
func quoteJSON(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return `""`
	}
	return strings.TrimSpace(b.String())
}

// check reads the draft of a check. False: it has faults, and each is put where it belongs.
func (d *draft) check() (fettle.CheckDefinition, bool) {
	text, lines := d.text()
	if len(text) > longestDraft {
		d.bad(0, fmt.Sprintf("it has %d bytes, and %d are allowed", len(text), longestDraft))
		return fettle.CheckDefinition{}, false
	}
	if !utf8.ValidString(text) {
		d.bad(0, "it is no text in UTF-8")
		return fettle.CheckDefinition{}, false
	}
	set, err := files.Read("form", []byte(text))
	if err == nil && (len(set.Checks) != 1 || len(set.Groups) > 0) {
		d.bad(0, fmt.Sprintf("there are %d checks and %d groups in it, and a form is for one check", len(set.Checks), len(set.Groups)))
	}
	for _, fault := range fettle.Faults(err) {
		var f *files.Fault
		if errors.As(fault, &f) {
			d.place(f.Line-lines, f.Key, f.Reason)
			continue
		}
		d.bad(0, said(fault))
	}
	if d.broken() {
		return fettle.CheckDefinition{}, false
	}
	return set.Checks[0].CheckDefinition, true
}

// place puts a fault to the field that has its key, or to the line of the YAML.
func (d *draft) place(line int, key, reason string) {
	top, _, _ := strings.Cut(key, ".")
	top, _, _ = strings.Cut(top, "[")
	if line <= 0 && !d.Whole {
		if i := slices.IndexFunc(d.Fields, func(f field) bool { return f.Key == top || f.Kind == kindWhat && slices.Contains(asked(), top) }); i >= 0 {
			if top != key {
				reason = key + ": " + reason
			}
			d.Fields[i].Fault = joined(d.Fields[i].Fault, reason)
			return
		}
	}
	if key != "" {
		reason = key + ": " + reason
	}
	d.bad(max(line, 0), reason)
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

func (d *draft) bad(line int, text string) {
	f := draftFault{Line: line, Text: text}
	if lines := strings.Split(d.Rest, "\n"); line > 0 && line <= len(lines) {
		f.Source = cut(lines[line-1], maxCell)
	}
	d.Faults = append(d.Faults, f)
}

// refuse puts what the server says to the fields that it is about.
func (d *draft) refuse(err error) {
	for _, one := range fettle.Faults(err) {
		var f *fettle.Fault
		if errors.As(one, &f) {
			d.place(d.lineOf(f.Key), f.Key, f.Reason)
			continue
		}
		text := said(one)
		key, reason, is := strings.Cut(text, ": ")
		if is && !strings.Contains(key, " ") {
			d.place(d.lineOf(key), key, reason)
			continue
		}
		d.bad(0, text)
	}
}

// lineOf gives the line of the YAML at which a key begins; zero: it is not there.
func (d *draft) lineOf(key string) int {
	top, _, _ := strings.Cut(key, ".")
	top, _, _ = strings.Cut(top, "[")
	for i, line := range strings.Split(d.Rest, "\n") {
		if strings.HasPrefix(line, top+":") {
			return i + 1
		}
	}
	return 0
}

// broken tells whether a fault is known.
func (d *draft) broken() bool {
	return len(d.Faults) > 0 || slices.ContainsFunc(d.Fields, func(f field) bool { return f.Fault != "" })
}
