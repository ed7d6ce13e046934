package filter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle"
)

func TestGate(t *testing.T) {
	verdicts := func(_ context.Context, check string, where fettle.Filter) (fettle.Verdict, error) {
		switch {
		case check == "http" && where == "":
			return fettle.Verdict{Status: fettle.CheckCritical, Tally: fettle.CheckTally{Total: 20, OK: 18, Critical: 2}}, nil
		case check == "http" && where == "@web":
			return fettle.Verdict{Status: fettle.CheckOK, Tally: fettle.CheckTally{Total: 10, OK: 10}}, nil
		}
		return fettle.Verdict{}, fmt.Errorf("unknown check %q: %w", check, fettle.ErrNotFound)
	}
	for _, c := range []struct {
		text  fettle.Filter
		truth Truth
		why   string
	}{
		{`verdict("http", "@web") == "ok"`, True, ""},
		{`verdict("http") == "ok"`, False, ""},
		{`verdict("http") in ["ok", "warning"] || verdict("http", "@web") == "ok"`, True, ""},
		{`tally("http").critical <= 0.1 * tally("http").total`, True, ""},
		{`tally("http").critical * 20 > tally("http").total`, True, ""},
		{`tally("http", "@web").critical == 0 && now > timestamp("2020-01-01T00:00:00Z")`, True, ""},
		{`verdict("htp") == "ok"`, Undefined, "unknown check"},
		{`verdict("http") == "critical" || verdict("htp") == "ok"`, True, ""},
		{`tally("http").crit == 0`, Undefined, "crit"},
	} {
		p, err := Compile(Gate, c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		truth, why, _ := p.Open(t.Context(), 1_800_000_000_000, verdicts)
		if truth != c.truth || !strings.Contains(why, c.why) || (why == "") != (c.why == "") {
			t.Errorf("%s: %v, %q; want %v, %q", c.text, truth, why, c.truth, c.why)
		}
	}
}

func TestGateRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`verdict("http")`, "true or false"},
		{`verdict("http") == 3`, "=="},
		{`verdict() == "ok"`, "verdict"},
		{`facts.x == 1`, "facts"},
		{``, "empty"},
	} {
		_, err := Compile(Gate, fettle.Filter(c.text))
		if !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
}
