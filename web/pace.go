package web

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// paceRows says in which order and how fast a run asks, and what stops it; nothing, where it asks everybody at once.
func paceRows(p *fettle.Pace) (out []property) {
	if p == nil {
		return nil
	}
	add := func(name, text string) {
		if text != "" {
			out = append(out, property{name, text})
		}
	}
	span := func(ms int64) string { return spanOf(time.Duration(ms) * time.Millisecond) }
	add("Order", p.Order)
	if p.SpreadBy != "" {
		add("Spread by", p.SpreadBy)
	}
	add("Of the roster", string(p.Limit))
	if p.Canary > 0 {
		add("First", nodes(p.Canary)+", and all have to do well")
	}
	if p.Batch != "" {
		text := string(p.Batch) + " at a time"
		if p.BatchSleep > 0 {
			text += ", " + span(p.BatchSleep) + " between"
		}
		add("Batches", text)
	}
	if p.Concurrency > 0 {
		add("At once", strconv.Itoa(p.Concurrency))
	}
	if p.MaxFailed != "" {
		add("Stops", "when more than "+string(p.MaxFailed)+" fail")
	}
	if p.MaxSilent != "" {
		add("Stops", "when more than "+string(p.MaxSilent)+" are silent")
	}
	if p.While != "" {
		text := cut(string(p.While), widestValue)
		if p.WhileTimeout > 0 {
			text += ", for " + span(p.WhileTimeout) + " at most"
		}
		add("Gate", text)
	}
	var locks []string
	for _, name := range slices.Sorted(maps.Keys(p.Locks)) {
		locks = append(locks, fmt.Sprintf("%s: %d at once", name, p.Locks[name]))
	}
	add("Locks", strings.Join(locks, ", "))
	return out
}
