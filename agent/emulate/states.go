package emulate

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/agent"
)

// States says what check commands give on nodes that do not fail: how many of them are in a bad state at any time, in percent, and how long each
// stays as it is. Which ones is decided by the seed, node, command and time, so that the same fleet has the same weather.
type States struct {
	Warning, Critical, Unknown float64
	Last                       time.Duration // zero, with no shares: all are ok
}

// maxLast bounds States.Last.
const maxLast = 24 * time.Hour

func (s States) validate() (faults []error) {
	if !(s.Warning >= 0 && s.Critical >= 0 && s.Unknown >= 0 && s.Warning+s.Critical+s.Unknown <= 100) {
		faults = append(faults, fmt.Errorf("states: warning, critical and unknown are between 0 and 100, together too: %w", fettle.ErrInvalid))
	}
	if s != (States{}) && (s.Last < time.Second || s.Last > maxLast) {
		faults = append(faults, fmt.Errorf("states: %v is not between 1s and %v: %w", s.Last, maxLast, fettle.ErrInvalid))
	}
	return faults
}

// at draws the state that holds at a moment; key stands for a command on a node, whose turn to change comes at a time of its own.
func (s States) at(seed, key uint64, now time.Time) fettle.CheckCode {
	if s.Last <= 0 {
		return fettle.CodeOK
	}
	r := rand.New(rand.NewPCG(seed, key))
	epoch := (now.UnixNano() + r.Int64N(int64(s.Last))) / int64(s.Last)
	drawn := 100 * rand.New(rand.NewPCG(seed^uint64(epoch), key)).Float64()
	for _, one := range []struct {
		code  fettle.CheckCode
		share float64
	}{{fettle.CodeWarning, s.Warning}, {fettle.CodeCritical, s.Critical}, {fettle.CodeUnknown, s.Unknown}} {
		if drawn < one.share {
			return one.code
		}
		drawn -= one.share
	}
	return fettle.CodeOK
}

// check makes up what a check command says: a value that belongs to the node, the command and the minute, and fits the state. For is the check
// that asks, empty for none.
func (t *table) check(command, asks string) agent.Outcome {
	h := fnv.New64a()
	fmt.Fprint(h, command, " ", t.machine.identity)
	now := time.Now()
	code := t.states.at(t.machine.seed, h.Sum64(), now)
	if t.kind == failing {
		code = fettle.CodeCritical
	}
	r := rand.New(rand.NewPCG(t.machine.seed^h.Sum64(), uint64(now.Unix()/60)))
	out := fettle.CheckOutput{Code: code, Line: command + ": UNKNOWN - it cannot be read"}
	if code != fettle.CodeUnknown {
		out = measured(command, code, r)
	}
	if asks != "" && t.record != nil {
		number := t.number(t.told.Add(1) - 1)
		if _, err := fmt.Fprintf(t.record, "state %s %s %s %d %d\n", t.machine.identity, asks, number, code, now.UnixMilli()); err != nil {
			return agent.Outcome{Status: fettle.StatusFailed, Message: "it cannot be put on record: " + err.Error()}
		}
		out.Line += " #" + number
	}
	return agent.Outcome{Message: out.Line, Data: map[string]any{"code": int64(code), "output": out.Line}, Output: &out}
}

// measured gives a value that is in a state.
func measured(command string, code fettle.CheckCode, r *rand.Rand) fettle.CheckOutput {
	word, from, width := "OK", 10.0, 50.0
	switch code {
	case fettle.CodeWarning:
		word, from, width = "WARNING", 80, 10
	case fettle.CodeCritical:
		word, from, width = "CRITICAL", 91, 9
	}
	value := float64(int((from+width*r.Float64())*100)) / 100
	low, high := 0.0, 100.0
	return fettle.CheckOutput{
		Code: code, Line: fmt.Sprintf("%s: %s - %.2f%% used", command, word, value),
		Perfdata: []fettle.Perf{{Label: "used", Value: &value, Unit: "%", Warn: "80", Crit: "90", Min: &low, Max: &high}},
	}
}
