package web

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server"
)

// command is the same question for a shell.
type command struct {
	Name string // of what is called: CLI, REST
	Text string
}

// commandsOf gives what shows the explorer's page elsewhere.
func commandsOf(r *http.Request, q question, read reading) []command {
	find, rest := "fettle find"+aimOf(read), []string{}
	if read.Text != "" {
		key := "where="
		if read.Short {
			key = "short="
		}
		rest = append(rest, key+read.Text)
	}
	if !q.plain() {
		find += " --fields " + shellQuote(strings.Join(q.Columns, ","))
	}
	if q.Sort != "" {
		find += " --sort " + shellQuote(q.Sort)
	}
	if q.Desc {
		find += " --desc"
	}
	if len(q.Columns) > 0 {
		rest = append(rest, "fields="+strings.Join(q.Columns, ","))
	}
	if q.Sort != "" {
		rest = append(rest, "sort="+q.Sort)
	}
	if q.Desc {
		rest = append(rest, "desc=true")
	}
	asOf := ""
	if q.AsOf != 0 {
		asOf = " --as-of " + stampOf(q.AsOf)
		find += asOf
		rest = append(rest, "as_of="+stampOf(q.AsOf))
	}
	out := []command{{"CLI", find}, {"REST", curl(r, "/api/v1/nodes", rest)}}
	if q.Facet != "" {
		out = append(out, command{"CLI", "fettle facts " + shellQuote(q.Facet) + aimOf(read) + asOf})
	}
	return out
}

// aimOf gives the filter as an argument.
func aimOf(read reading) string {
	switch {
	case read.Text == "":
		return ""
	case read.Short:
		return " -W " + shellQuote(read.Text)
	}
	return " " + shellQuote(read.Text)
}

// commandsOfNode gives what shows a node elsewhere.
func commandsOfNode(r *http.Request, id fettle.NodeID, at fettle.Millis) []command {
	show, rest := "fettle show "+string(id), []string(nil)
	if at != 0 {
		show += " --as-of " + stampOf(at)
		rest = append(rest, "as_of="+stampOf(at))
	}
	return []command{{"CLI", show}, {"REST", curl(r, "/api/v1/nodes/"+string(id), rest)}}
}

// commandsOfBoard gives what shows the board elsewhere.
func commandsOfBoard(r *http.Request) []command {
	return []command{{"CLI", "fettle checks list"}, {"REST", curl(r, "/api/v1/verdicts", nil)}}
}

// commandsOfCheck gives what shows a check elsewhere.
func commandsOfCheck(r *http.Request, name string, live bool) []command {
	check, rest := "fettle check "+shellQuote(name), []string(nil)
	if live {
		check += " --live"
		rest = []string{"live=true"}
	}
	return []command{{"CLI", check}, {"Nagios", "check_fettle --check " + shellQuote(name)}, {"REST", curl(r, "/api/v1/verdicts/"+name, rest)}}
}

// commandsOfMap gives what shows a map elsewhere: one fact at a time for people, both for programs.
func commandsOfMap(r *http.Request, name, x, y string) []command {
	if x == "" || y == "" {
		return commandsOfCheck(r, name, false)
	}
	return []command{
		{"CLI", "fettle check " + shellQuote(name) + " --by " + shellQuote(y)},
		{"CLI", "fettle check " + shellQuote(name) + " --by " + shellQuote(x)},
		{"REST", curl(r, "/api/v1/verdicts/"+name+"/map", []string{"x=" + x, "y=" + y})},
	}
}

// commandsOfHistory gives what shows the history of a check elsewhere.
func commandsOfHistory(r *http.Request, name string, node fettle.NodeID, span string, from moment) []command {
	words, rest := shellQuote(name), []string{"since=" + from.ISO}
	if node != "" {
		words += " " + string(node)
		rest = append(rest, "node="+string(node))
	}
	return []command{
		{"CLI", "fettle checks history " + words + " --since -" + span + " --hard"},
		{"CLI", "fettle checks availability " + words + " --since -" + span},
		{"REST", curl(r, "/api/v1/checks/"+name+"/history", rest)},
		{"REST", curl(r, "/api/v1/checks/"+name+"/availability", rest)},
	}
}

// commandsOfSilences gives what lists silences elsewhere.
func commandsOfSilences(r *http.Request) []command {
	return []command{{"CLI", "fettle silence list"}, {"REST", curl(r, "/api/v1/silences", nil)}}
}

// commandsOfRuns gives what lists runs elsewhere.
func commandsOfRuns(r *http.Request) []command {
	return []command{{"CLI", "fettle runs"}, {"REST", curl(r, "/api/v1/runs", nil)}}
}

// commandsOfRun gives what shows a run elsewhere.
func commandsOfRun(r *http.Request, id fettle.RunID) []command {
	return []command{{"CLI", "fettle runs show " + string(id)}, {"CLI", "fettle runs results " + string(id) + " -o csv"}, {"REST", curl(r, "/api/v1/runs/"+string(id), nil)}}
}

// commandsOfBroker gives what lists connections, or destinations, elsewhere.
func commandsOfBroker(r *http.Request, what, text, sort string) []command {
	cli, rest := "fettle broker "+what+" --sort "+sort, []string{"sort=" + sort}
	if text != "" && what == "connections" {
		cli += " --node " + shellQuote("*"+text+"*")
		rest = append(rest, "node=*"+text+"*")
	}
	return []command{{"CLI", cli}, {"REST", curl(r, "/api/v1/broker/"+what, rest)}}
}

// commandsOfLetters gives what lists dead letters elsewhere.
func commandsOfLetters(r *http.Request, ask letterAsk) []command {
	cli, rest := "fettle broker dead-letters", []string(nil)
	for _, one := range []struct{ name, value string }{{"sender", ask.Sender}, {"kind", ask.Kind}, {"reason", ask.Reason}} {
		if one.value != "" {
			cli += " --" + one.name + " " + shellQuote(one.value)
			rest = append(rest, one.name+"="+one.value)
		}
	}
	return []command{{"CLI", cli}, {"REST", curl(r, "/api/v1/dead-letters", rest)}}
}

// commandsOfRunForm gives what runs the same from a shell.
func commandsOfRunForm(_ *http.Request, f runForm) []command {
	if f.Action == "" {
		return []command{{"CLI", "fettle plugin list"}}
	}
	run := "fettle run " + shellQuote(f.Action)
	for _, name := range slices.Sorted(maps.Keys(f.Inputs)) {
		run += " " + shellQuote(name+"="+f.Inputs[name])
	}
	switch _, err := server.ShortForm(f.Where); {
	case f.Where == "":
		run += " --all"
	case err == nil && !celSigns.MatchString(f.Where):
		run += " -W " + shellQuote(f.Where)
	default:
		run += " -S " + shellQuote(f.Where)
	}
	if f.Timeout != "" {
		run += " --timeout " + shellQuote(f.Timeout)
	}
	return []command{{"CLI", run}}
}

// curl writes a call of REST so that it can be read, and pasted.
func curl(r *http.Request, path string, data []string) string {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	text := `curl -sG -H "Authorization: Bearer $FETTLE_TOKEN" ` + shellQuote(scheme+r.Host+path)
	for _, d := range data {
		text += " --data-urlencode " + shellQuote(d)
	}
	return text
}

// shellQuote writes s as one word of a POSIX shell.
func shellQuote(s string) string { return plugins.ShellWord(s) }
