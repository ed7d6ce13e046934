package emulate

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

func TestStatesKeepTheirShares(t *testing.T) {
	s := States{Warning: 10, Critical: 5, Unknown: 2, Last: time.Minute}
	began := time.Unix(1_795_000_000, 0)
	count := map[fettle.CheckCode]int{}
	changed, asked := 0, 0
	for key := range uint64(500) {
		before := s.at(7, key, began)
		for i := range 100 {
			code := s.at(7, key, began.Add(time.Duration(i)*20*time.Second))
			count[code]++
			asked++
			if code != before {
				changed++
			}
			before = code
		}
	}
	for code, share := range map[fettle.CheckCode]float64{fettle.CodeOK: 83, fettle.CodeWarning: 10, fettle.CodeCritical: 5, fettle.CodeUnknown: 2} {
		if got := 100 * float64(count[code]) / float64(asked); math.Abs(got-share) > 0.1*share {
			t.Errorf("%.1f %% are of code %d, want %.0f", got, code, share)
		}
	}
	// Every third question is in another minute, and finds another state as often as two draws differ.
	want := float64(asked) / 3 * (1 - 0.83*0.83 - 0.1*0.1 - 0.05*0.05 - 0.02*0.02)
	if math.Abs(float64(changed)-want) > 0.1*want {
		t.Errorf("%d changes, want about %.0f", changed, want)
	}
}

func TestStatesAreTheSameForTheSameSeed(t *testing.T) {
	s := States{Warning: 25, Critical: 25, Unknown: 25, Last: time.Hour}
	now := time.Unix(1_795_000_000, 0)
	same := 0
	for key := range uint64(400) {
		one := s.at(1, key, now)
		if again := s.at(1, key, now); again != one {
			t.Fatalf("node %d has two states", key)
		}
		if one == s.at(2, key, now) {
			same++
		}
	}
	if same > 200 {
		t.Errorf("with another seed %d of 400 are in the same state", same)
	}
}

func TestWhatAStateSays(t *testing.T) {
	for code, want := range map[fettle.CheckCode]string{fettle.CodeOK: "check_x: OK - ", fettle.CodeWarning: "check_x: WARNING - 8", fettle.CodeCritical: "check_x: CRITICAL - 9", fettle.CodeUnknown: "check_x: UNKNOWN - "} {
		s := States{Last: time.Minute}
		switch code {
		case fettle.CodeWarning:
			s.Warning = 100
		case fettle.CodeCritical:
			s.Critical = 100
		case fettle.CodeUnknown:
			s.Unknown = 100
		}
		var record bytes.Buffer
		tb := &table{machine: &machine{identity: "emu1", begun: time.Unix(0, 36)}, states: s, record: &record}
		out := tb.check("check_x", "disk")
		if out.Output.Code != code || !strings.HasPrefix(out.Output.Line, want) || !strings.HasSuffix(out.Output.Line, " #10-0") {
			t.Errorf("code %d, and it says %q; want %d and %q", out.Output.Code, out.Output.Line, code, want)
		}
		if (len(out.Output.Perfdata) == 0) != (code == fettle.CodeUnknown) {
			t.Errorf("of code %d perfdata is %v", code, out.Output.Perfdata)
		}
		if !strings.HasPrefix(record.String(), fmt.Sprintf("state emu1 disk 10-0 %d ", code)) || strings.Count(record.String(), "\n") != 1 {
			t.Errorf("on record is %q", record.String())
		}
	}
}

func TestAFailingNodeIsCriticalWhateverTheStates(t *testing.T) {
	tb := &table{machine: &machine{}, kind: failing, states: States{Unknown: 100, Last: time.Minute}}
	if out := tb.check("check_x", ""); out.Output.Code != fettle.CodeCritical {
		t.Errorf("it says %q", out.Output.Line)
	}
}

func TestStatesThatAreNone(t *testing.T) {
	for _, s := range []States{{Warning: 60, Critical: 41, Last: time.Minute}, {Warning: -1, Last: time.Minute}, {Unknown: math.NaN(), Last: time.Minute}, {Warning: 1}, {Last: 25 * time.Hour}} {
		if len(s.validate()) == 0 {
			t.Errorf("%+v is taken", s)
		}
	}
	if faults := (States{}).validate(); len(faults) > 0 {
		t.Errorf("none at all: %v", faults)
	}
}
