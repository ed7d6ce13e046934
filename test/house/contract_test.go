//go:build integration

package house

import (
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// problem is an error as RFC 9457 has it.
type problem struct {
	Title, Detail string
	Status        int
}

// oneProblem reads stderr, which has to hold one problem and nothing else.
func oneProblem(t *testing.T, a answer) (p problem) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(a.stderr))
	if err := d.Decode(&p); err != nil || p.Title == "" || p.Detail == "" {
		t.Fatalf("stderr is no problem: %v\n%s", err, a.stderr)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Errorf("something stands after the problem: %s", a.stderr)
	}
	return p
}

// valid tells whether text is nothing, or one or more values of JSON.
func valid(text string) bool {
	d := json.NewDecoder(strings.NewReader(text))
	for {
		var v any
		switch err := d.Decode(&v); {
		case errors.Is(err, io.EOF):
			return true
		case err != nil:
			return false
		}
	}
}

func TestWhatScriptsRelyOn(t *testing.T) {
	p := newPlace(t)
	server := p.open()
	nrpe := write(t, 0o644, t.TempDir(), "nrpe.cfg", "command[well]=/bin/echo OK\ncommand[broken]=/bin/sh -c 'echo BROKEN; exit 2'\n")
	start(t, p.agent("n1", "--nrpe-config", nrpe)...)
	p.alive("n1")

	for name, row := range map[string]struct {
		args   string // separated by |
		code   int
		status int // of the problem; zero: there is none
	}{
		"a question that is answered":     {`find|facts.kernel == "Linux"`, 0, 0},
		"a count":                         {`find|facts.kernel == "Linux"|--count`, 0, 0},
		"nobody matches":                  {`find|facts.kernel == "Plan9"`, 4, 0},
		"it is undefined for all":         {`find|facts.nosuch == 1`, 4, 0},
		"a filter that is none":           {`find|facts.kernel ==`, 2, 422},
		"a short form that is none":       {`find|-W|kernel=`, 2, 422},
		"a filter of the wrong type":      {`find|1 + 1`, 2, 422},
		"a flag that is none":             {`find|--nonsense`, 2, 422},
		"a limit that is none":            {`find|true|--limit|-1`, 2, 422},
		"values of a fact":                {`facts|kernel`, 0, 0},
		"a path that is none":             {`facts|a..b`, 2, 422},
		"a node":                          {`show|n1`, 0, 0},
		"a node that is none":             {`show|nobody`, 1, 404},
		"all is well":                     {`run|agent.ping|--all`, 0, 0},
		"some failed":                     {`run|nrpe.check|command=nosuch|--all`, 1, 0},
		"a run of nobody":                 {`run|agent.ping|-S|facts.kernel == "Plan9"`, 4, 0},
		"a run without a filter":          {`run|agent.ping`, 2, 422},
		"a run with a filter and all":     {`run|agent.ping|--all|-S|true`, 2, 422},
		"an input that is missing":        {`run|nrpe.check|--all`, 2, 422},
		"an input that nobody knows":      {`run|agent.ping|x=1|--all`, 2, 422},
		"a timeout that is none":          {`run|agent.ping|--all|--timeout|soon`, 2, 422},
		"a roster that is none":           {`run|agent.ping|--roster|nothing`, 1, 404},
		"a check that is well":            {`check|well`, 0, 0},
		"a check that is critical":        {`check|broken`, 2, 0},
		"a check that is none":            {`check|nosuch`, 3, 404},
		"a check of nobody":               {`check|well|facts.kernel == "Plan9"`, 3, 0},
		"a check with a threshold of air": {`check|well|--critical|nonsense >`, 3, 422},
	} {
		t.Run(name, func(t *testing.T) {
			a := ask(t, server, append(strings.Split(row.args, "|"), "-o", "json")...)
			if a.code != row.code {
				t.Errorf("exit code %d, want %d", a.code, row.code)
			}
			if !valid(a.stdout) {
				t.Errorf("stdout is no JSON: %q", a.stdout)
			}
			if row.status == 0 {
				if a.stderr != "" || a.stdout == "" {
					t.Errorf("stdout %q, stderr %q", a.stdout, a.stderr)
				}
				return
			}
			if got := oneProblem(t, a); got.Status != row.status {
				t.Errorf("status %d, want %d: %s", got.Status, row.status, got.Detail)
			}
			if a.stdout != "" {
				t.Errorf("stdout %q beside a problem", a.stdout)
			}
		})
	}

	t.Run("an action that is none is named, with those there are", func(t *testing.T) {
		a := ask(t, server, "run", "no.such", "--all", "-o", "json")
		if got := oneProblem(t, a); a.code == 0 || got.Status != 404 || !strings.Contains(a.stderr, "agent.ping") {
			t.Errorf("exit %d, %s", a.code, a.stderr)
		}
	})
	t.Run("a wrong token", func(t *testing.T) {
		a := command(t, []string{"FETTLE_URL=" + server.ready["http"], "FETTLE_TOKEN=fettle_guess"}, fettleBin, "find", "true", "-o", "json").want(t, 1)
		if got := oneProblem(t, a); got.Status != 401 || a.stdout != "" {
			t.Errorf("%+v, stdout %q", got, a.stdout)
		}
	})
	t.Run("a server that is away", func(t *testing.T) {
		a := command(t, []string{"FETTLE_URL=http://" + freeAddress(t), "FETTLE_TOKEN=x"}, fettleBin, "find", "true", "-o", "json").want(t, 1)
		if got := oneProblem(t, a); got.Status != 503 || a.stdout != "" {
			t.Errorf("%+v, stdout %q", got, a.stdout)
		}
	})
	t.Run("a context that is none", func(t *testing.T) {
		a := command(t, nil, fettleBin, "find", "true", "-o", "json", "--context", filepath.Join(t.TempDir(), "none.yaml")).want(t, 1)
		oneProblem(t, a)
	})
	t.Run("a line for each result, and the tally last", func(t *testing.T) {
		a := ask(t, server, "run", "agent.ping", "--all", "-o", "jsonl").want(t, 0)
		all := strings.Split(strings.TrimSuffix(a.stdout, "\n"), "\n")
		if len(all) != 2 || !strings.Contains(all[0], `"node":"n1"`) || !strings.Contains(all[1], `"tally":{"roster":1,"ok":1`) {
			t.Errorf("%q", all)
		}
	})
	t.Run("for people an error is text, with the place in the filter", func(t *testing.T) {
		a := ask(t, server, "find", "facts.kernel ==").want(t, 2)
		if json.Valid([]byte(a.stderr)) || !strings.Contains(a.stderr, "^") || a.stdout != "" {
			t.Errorf("stderr %q, stdout %q", a.stderr, a.stdout)
		}
	})
}

func TestSomeAreSilent(t *testing.T) {
	p := newPlace(t)
	server := p.open()
	start(t, p.agent("n1")...)
	gone := start(t, p.agent("n2")...)
	p.alive("n1")
	p.alive("n2")
	gone.kill()
	type run struct {
		Tally struct{ Roster, OK, Failed, Silent, Never, Pending int }
	}
	t.Run("a node that is away is not waited for, and not left out", func(t *testing.T) {
		a := ask(t, server, "run", "agent.ping", "--all", "--timeout", "1s", "-o", "json").want(t, 3)
		if got := into[run](t, a).Tally; got.Roster != 2 || got.OK != 1 || got.Silent+got.Never != 1 || a.stderr != "" {
			t.Errorf("%+v, stderr %q", got, a.stderr)
		}
	})
	t.Run("the plugin counts it as unknown", func(t *testing.T) {
		env := []string{"FETTLE_CONTEXT=" + server.ready["context"]}
		a := command(t, env, pluginBin, "--check", "check_uptime", "--timeout", "2s").want(t, 3)
		if !strings.HasPrefix(a.stdout, "check_uptime: OK: 1 WARNING: 0 CRITICAL: 0 UNKNOWN: 1|total=2 ok=1") || a.stderr != "" {
			t.Errorf("stdout %q, stderr %q", a.stdout, a.stderr)
		}
	})
}
