package checks

import (
	"cmp"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// vanishedFor is how long a verdict that counts nobody any more stays on the page. An alert on it stays as long, and is not taken for mended.
const vanishedFor = 24 * time.Hour

// verdictName names a verdict on the page.
type verdictName struct{ check, name string }

// pastVerdicts are the verdicts that have been on the page, and when each was there last.
type pastVerdicts map[verdictName]time.Time

// vanished gives the verdicts that were on the page and are not among those of now, as unknown ones that count nobody. When all verdicts of a check
// are gone, the check is: then its series end. When only some are, such as that of a customer whose last node is gone, they stay for a day.
func (c *Collector) vanished(now []NamedVerdict) []NamedVerdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := time.Now()
	defined := map[string]bool{}
	there := make(map[verdictName]bool, len(now))
	for _, v := range now {
		defined[v.Verdict.Check] = true
		there[verdictName{v.Verdict.Check, v.Name}] = true
		c.past[verdictName{v.Verdict.Check, v.Name}] = at
	}
	var out []NamedVerdict
	for key, seen := range c.past {
		switch {
		case there[key]:
		case !defined[key.check] || at.Sub(seen) > vanishedFor || len(there)+len(out) >= MaxVerdicts:
			delete(c.past, key)
		default:
			out = append(out, NamedVerdict{Name: key.name, Verdict: fettle.Verdict{Check: key.check, Status: fettle.CheckUnknown}})
		}
	}
	slices.SortFunc(out, func(x, y NamedVerdict) int {
		return cmp.Or(cmp.Compare(x.Verdict.Check, y.Verdict.Check), cmp.Compare(x.Name, y.Name))
	})
	return out
}
