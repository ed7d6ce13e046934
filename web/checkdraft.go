package web

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks/files"
)

// asked are the keys of a definition of which one says what is asked.
func asked() []string { return []string{"nrpe", "action", "expression", "command"} }

// checkFields are the fields of a check's form.
func checkFields(asks string) []field {
	if !slices.Contains(asked(), asks) {
		asks = asked()[0]
	}
	return []field{
		{Key: "name", Label: "Name", Hint: "of its verdict: letters, digits, and _ - . : within", Eg: "disk"},
		{Key: asks, Name: "what", Label: "What is asked", Kind: kindWhat, Eg: "check_disk"},
		{Key: "filter", Label: "Of which nodes", Hint: "CEL or the short form, @names within; only nrpe may leave it out: the nodes that offer the command", Kind: kindLong, Eg: "role=web"},
		{Key: "interval", Label: "How often", Hint: "left empty: 1m", Eg: "5m"},
		{Key: "cron", Label: "Or whenever", Hint: "minute hour day month weekday, in UTC", Eg: "30 6 * * 1-5"},
		{Key: "timeout", Label: "Time for it on a node", Hint: "left empty: 30s", Eg: "30s"},
		{Key: "attempts", Label: "Bad results that count", Hint: "in a row; left empty: 1", Kind: kindNumber, Eg: "3"},
		{Key: "retry", Label: "How often until then", Hint: "left empty: as ever", Eg: "1m"},
		{Key: "runbook", Label: "Runbook", Hint: "a link to what is to be done", Eg: "https://wiki.acme.net/disk"},
		{Key: "owner", Label: "Owner", Hint: "left empty: you, or whose it is"},
		{Key: "labels", Label: "Labels", Hint: "key=value, between commas", Kind: kindLabels, Eg: "team=shop, tier=1"},
		{Key: "depends_on", Label: "Depends on", Hint: "checks and groups in whose shadow it stands", Kind: kindList},
		{Key: "notes", Label: "Notes", Hint: "for people", Kind: kindLong},
	}
}

// checkDraft gives the form of a definition.
func checkDraft(d fettle.CheckDefinition, whole bool) (draft, error) {
	if whole {
		text, err := written(d)
		return draft{Fields: checkFields(""), Rest: text, Whole: true}, err
	}
	values := map[string]string{
		"name": d.Name, "nrpe": d.NRPE, "action": d.Action, "expression": string(d.Expression), "command": d.Command, "filter": string(d.Filter), "cron": d.Cron,
		"runbook": d.Runbook, "owner": d.Owner, "labels": strings.Join(labelTexts(d.Labels), ", "), "depends_on": strings.Join(d.DependsOn, ", "), "notes": d.Notes,
	}
	for key, span := range map[string]fettle.Span{"interval": d.Interval, "timeout": d.Timeout, "retry": d.Retry} {
		if span != 0 {
			values[key] = span.String()
		}
	}
	if d.Attempts != 0 {
		values["attempts"] = strconv.Itoa(d.Attempts)
	}
	out := draft{Fields: checkFields(whatOfCheck(d))}
	for i, f := range out.Fields {
		out.Fields[i].Value = values[f.Key]
	}
	rest := d
	rest.Name, rest.NRPE, rest.Action, rest.Expression, rest.Command, rest.Filter, rest.Cron = "", "", "", "", "", "", ""
	rest.Interval, rest.Timeout, rest.Retry, rest.Attempts = 0, 0, 0, 0
	rest.Runbook, rest.Owner, rest.Labels, rest.DependsOn, rest.Notes = "", "", nil, nil, ""
	if oddLabels(d.Labels) {
		rest.Labels = d.Labels
		for i := range out.Fields {
			if out.Fields[i].Key == "labels" {
				out.Fields[i].Value = ""
			}
		}
	}
	text, err := written(rest)
	out.Rest = text
	return out, err
}

// oddLabels tells whether labels have what a field of one line cannot say.
func oddLabels(labels map[string]string) bool {
	for key, value := range labels {
		if strings.ContainsAny(key, ",= \n\t") || strings.ContainsAny(value, ", \n\t") {
			return true
		}
	}
	return false
}

// written gives a definition as YAML; empty, where nothing stands in it.
func written(d fettle.CheckDefinition) (string, error) {
	text, err := files.Write(d)
	if strings.TrimSpace(text) == "{}" {
		text = ""
	}
	return text, err
}

// whatOfCheck gives the key that says what a definition asks.
func whatOfCheck(d fettle.CheckDefinition) string {
	switch {
	case d.Command != "":
		return "command"
	case d.Action != "":
		return "action"
	case d.Expression != "":
		return "expression"
	}
	return "nrpe"
}

// defineForm is the form of a check.
type defineForm struct {
	draft
	Was  string // the name of the check that is edited; empty: a new one
	Rev  int64  // at which it was looked at
	Node string // on which it is tested; empty: the first that it means
}

// parseDefineForm reads what was sent.
func parseDefineForm(v url.Values) defineForm {
	f := defineForm{Was: v.Get("was"), Node: strings.TrimSpace(v.Get("node"))}
	f.Fields, f.Whole = checkFields(v.Get("asks")), v.Get("whole") != ""
	f.fill(v)
	f.Rev, _ = strconv.ParseInt(cmp.Or(v.Get("over"), v.Get("rev")), 10, 64) // what is no number is no rev, and in conflict with any
	if v.Get("over") == "new" {
		f.Was, f.Rev = "", 0
	}
	return f
}

// Asks gives the choices of what is asked, and which one is.
func (f defineForm) Asks() (out []link) {
	for _, key := range asked() {
		one := link{Label: key, Note: map[string]string{
			"nrpe": "a check command of the nodes", "action": "an action", "expression": "CEL over the node's facts", "command": "a command line (administrators)",
		}[key]}
		if slices.ContainsFunc(f.Fields, func(x field) bool { return x.Key == key }) {
			one.URL = key // chosen
		}
		out = append(out, one)
	}
	return out
}
