package web

import (
	"encoding/json"
	"regexp"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// maxCell is the number of characters of a value that a table shows.
const maxCell = 120

// cells gives what n has in each column.
func cells(n fettle.Node, columns []string) []cell {
	var document any
	if needFacts(columns) {
		document = parse(n.Facts)
	}
	out := make([]cell, len(columns))
	for i, name := range columns {
		value, ok := valueOf(n, document, name)
		if !ok {
			out[i] = cell{Label: name, Missing: true}
			continue
		}
		text, number := shown(value)
		out[i] = cell{Label: name, Text: cut(text, maxCell), Number: number}
	}
	return out
}

// valueOf gives what n has in the column of that name.
func valueOf(n fettle.Node, document any, name string) (any, bool) {
	switch name {
	case "classes":
		return strings.Join(n.Classes, " "), len(n.Classes) > 0
	case "agent":
		return n.Agent.Version, n.Agent.Version != ""
	case "commands":
		return strings.Join(n.Commands, " "), len(n.Commands) > 0
	case "pools":
		return strings.Join(n.Pools, " "), len(n.Pools) > 0
	case "labels":
		return n.Labels, len(n.Labels) > 0
	}
	path, err := fettle.ParsePath(name)
	if err != nil { // parseQuestion has let it pass
		return nil, false
	}
	for _, key := range path {
		object, ok := document.(map[string]any)
		if !ok {
			return nil, false
		}
		if document, ok = object[key]; !ok {
			return nil, false
		}
	}
	return document, true
}

// parse reads a document as the agent sent it: numbers keep their digits. What cannot be read is no document.
func parse(raw json.RawMessage) any {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	var v any
	if len(raw) == 0 || dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// cut shortens text to n characters, and shows that it did.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return string(runes[:n]) + "…"
}

// escapes are what a terminal would be told: colours, titles, where to write.
var escapes = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[ -/]*[0-~])")

// clean gives what a program wrote as a page shows it: without what only a terminal understands.
func clean(text string) string {
	if strings.IndexFunc(text, isControl) < 0 {
		return text
	}
	return strings.Map(func(r rune) rune {
		if isControl(r) {
			return -1
		}
		return r
	}, escapes.ReplaceAllString(text, ""))
}

// isControl tells whether r is shown as nothing, or turns the line round.
func isControl(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
