package filter_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// TestDocs holds docs/filters.md to the truth: its examples compile and can be decided for a real machine's facts, its short forms give the CEL
// that stands beside them.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/filters.md")
	if err != nil {
		t.Fatal(err)
	}
	facts, err := os.ReadFile("testdata/facts.json")
	if err != nil {
		t.Fatal(err)
	}
	rec := &filter.Record{
		Identity: "web1.acme.net", Facts: document(t, string(facts)), Classes: []string{"base"}, Agent: &fettle.AgentInfo{Version: "1.0"}, Now: 1763700600000,
		Checks: map[string]filter.CheckView{"check_load": {Status: fettle.CheckOK, Since: 1763700000000}}, Liveness: fettle.Alive, Seen: 1763700590000, Enrolled: 1763000000000,
	}
	examples := 0
	for _, block := range regexp.MustCompile("(?s)```cel\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for _, line := range strings.Split(strings.TrimSpace(block[1]), "\n") {
			examples++
			if truth, missing := compile(t, line).Match(t.Context(), rec); truth == filter.Undefined {
				t.Errorf("%s is undefined for a real machine: %v", line, missing)
			}
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `([^`]+)` \\|$").FindAllStringSubmatch(string(text), -1)
	for _, r := range rows {
		if got, err := filter.Parse(fettle.Filter(r[1])); err != nil || string(got) != r[2] {
			t.Errorf("%s is %s %v, and the page says %s", r[1], got, err, r[2])
		}
	}
	if examples < 20 || len(rows) < 10 {
		t.Errorf("the page has %d examples and %d short forms", examples, len(rows))
	}
}
