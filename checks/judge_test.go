package checks

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

func TestJudge(t *testing.T) {
	facts, err := filter.ParseDocument([]byte(`{"env":"prod","memory":{"free":512},"role":"db"}`))
	if err != nil {
		t.Fatal(err)
	}
	used := func(n string) Outcome {
		return Outcome{Message: "done", Data: map[string]any{"used": json.Number(n), "mounts": []any{map[string]any{"path": "/", "used": json.Number("95")}}}}
	}
	rules := &fettle.CheckRules{Warning: "data.used > 80", Critical: "data.used > 90", Output: "{{data.used}} % in use on {{facts.role}}", Perfdata: map[string]fettle.Filter{"used": "data.used"}}
	for name, c := range map[string]struct {
		check   fettle.Check
		outcome Outcome
		code    fettle.CheckCode
		line    string
	}{
		"success without rules is ok":                {fettle.Check{Action: "a.b"}, Outcome{Message: "fine"}, 0, "fine"},
		"failure without rules is critical":          {fettle.Check{Action: "a.b"}, Outcome{Status: fettle.StatusFailed, Message: "no"}, 2, "no"},
		"a timeout is unknown":                       {fettle.Check{Action: "a.b", Rules: rules}, Outcome{Status: fettle.StatusTimeout}, 3, "timed out"},
		"no rule is true":                            {fettle.Check{Action: "a.b", Rules: rules}, used("80"), 0, "80 % in use on db"},
		"a warning":                                  {fettle.Check{Action: "a.b", Rules: rules}, used("80.5"), 1, "80.5 % in use on db"},
		"critical is asked first":                    {fettle.Check{Action: "a.b", Rules: rules}, used("91"), 2, "91 % in use on db"},
		"an undefined rule is unknown":               {fettle.Check{Action: "a.b", Rules: rules}, Outcome{}, 3, "data.used > 90 is undefined"},
		"a macro over a list":                        {fettle.Check{Action: "a.b", Rules: &fettle.CheckRules{Critical: "data.mounts.exists(m, m.used > 90)"}}, used("1"), 2, "done"},
		"a status by word":                           {fettle.Check{Action: "a.b", Rules: &fettle.CheckRules{Status: `data.used > 5 ? "warning" : "ok"`}}, used("6"), 1, "done"},
		"a status by number":                         {fettle.Check{Action: "a.b", Rules: &fettle.CheckRules{Status: "2"}}, used("6"), 2, "done"},
		"a status that is none":                      {fettle.Check{Action: "a.b", Rules: &fettle.CheckRules{Status: `"loud"`}}, used("6"), 3, `"loud" gives loud, which is neither`},
		"an output that is undefined keeps the code": {fettle.Check{Action: "a.b", Rules: &fettle.CheckRules{Warning: "true", Output: "{{facts.none}}"}}, used("6"), 1, "done ({{facts.none}} is undefined"},
		"an expression that is true":                 {fettle.Check{Expression: `facts.env == "prod"`}, Outcome{}, 0, "true"},
		"an expression that is false":                {fettle.Check{Expression: `facts.env != "prod"`}, Outcome{}, 2, "false"},
		"an expression that is undefined":            {fettle.Check{Expression: `facts.zone == "a"`}, Outcome{}, 3, `is undefined: `},
		"an expression with rules over its value": {
			fettle.Check{Expression: "facts.memory.free", Rules: &fettle.CheckRules{Warning: "value < 1024", Critical: "value < 256", Output: "{{value}} MiB free"}}, Outcome{}, 1, "512 MiB free",
		},
		"a plugin's own word":        {fettle.Check{Action: "nrpe.check"}, Outcome{Output: &fettle.CheckOutput{Code: 1, Line: "hm"}}, 1, "hm"},
		"rules over a plugin's data": {fettle.Check{Action: "nrpe.check", Rules: &fettle.CheckRules{Critical: "data.exitcode != 0"}}, Outcome{Data: map[string]any{"exitcode": int64(1)}, Output: &fettle.CheckOutput{Code: 1, Line: "hm"}}, 2, "hm"},
	} {
		t.Run(name, func(t *testing.T) {
			j, err := NewJudge(c.check)
			if err != nil {
				t.Fatal(err)
			}
			got := j.Judge(t.Context(), filter.Record{Identity: "n1", Facts: facts}, c.outcome)
			if got.Code != c.code || !strings.Contains(got.Line, c.line) {
				t.Errorf("%d %q, want %d %q", got.Code, got.Line, c.code, c.line)
			}
		})
	}
	j, err := NewJudge(fettle.Check{Action: "a.b", Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	if got := j.Judge(t.Context(), filter.Record{Facts: facts}, used("12.5")).Perfdata; len(got) != 1 || got[0].Label != "used" || *got[0].Value != 12.5 {
		t.Errorf("perfdata: %v", got)
	}
	for _, bad := range []fettle.Check{
		{Rules: &fettle.CheckRules{Warning: "data.used >"}},
		{Rules: &fettle.CheckRules{Status: "1", Warning: "true"}},
		{Rules: &fettle.CheckRules{Output: "{{data.used"}},
		{Rules: &fettle.CheckRules{Critical: "1"}},
		{Expression: "nonsense"},
		{Rules: &fettle.CheckRules{Perfdata: map[string]fettle.Filter{"a": ")"}}},
	} {
		if _, err := NewJudge(bad); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
