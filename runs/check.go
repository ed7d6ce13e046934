package runs

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Orders that have a name. Any other is a path of facts.
const (
	ByIdentity = "identity"
	Random     = "random"
)

// Bounds of a pace.
const (
	MaxLocks    = 16
	MaxSleep    = 24 * time.Hour
	MaxGateWait = 31 * 24 * time.Hour
	DefaultWait = time.Hour // for a gate, where the pace does not say
)

var lockName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$`)

// Paced tells whether a pace is more than to ask everybody at once.
func Paced(p fettle.Pace) bool {
	return p.Order != "" || p.SpreadBy != "" || p.Limit != "" || p.LimitRandom || p.Canary != 0 || p.Batch != "" || p.BatchSleep != 0 || p.Concurrency != 0 ||
		p.MaxFailed != "" || p.MaxSilent != "" || p.While != "" || p.WhileTimeout != 0 || len(p.Locks) > 0
}

// Check tells everything that is wrong with a pace, each fault by its key; nil: nothing. The gate is compiled by whoever can.
func Check(p fettle.Pace) error {
	var faults []error
	bad := func(key, format string, args ...any) {
		faults = append(faults, &fettle.Fault{Key: "pace." + key, Reason: fmt.Sprintf(format, args...)})
	}
	for key, share := range map[string]fettle.Share{"limit": p.Limit, "batch": p.Batch} {
		if n, _, err := ParseShare(share); share != "" && (err != nil || n == 0) {
			bad(key, "%q is neither a number of nodes such as 10 nor a part of them such as 25%%", share)
		}
	}
	for key, share := range map[string]fettle.Share{"max_failed": p.MaxFailed, "max_silent": p.MaxSilent} {
		if _, _, err := ParseShare(share); share != "" && err != nil {
			bad(key, "%q is neither a number of nodes such as 0 nor a part of them such as 5%%", share)
		}
	}
	for key, n := range map[string]int{"canary": p.Canary, "concurrency": p.Concurrency} {
		if n < 0 || n > math.MaxInt32 {
			bad(key, "%d is no number of nodes", n)
		}
	}
	if p.BatchSleep < 0 || p.BatchSleep > MaxSleep.Milliseconds() {
		bad("batch_sleep_ms", "%d is not between 0 and %d, which is a day", p.BatchSleep, MaxSleep.Milliseconds())
	}
	if p.BatchSleep > 0 && p.Batch == "" && p.Canary == 0 {
		bad("batch_sleep_ms", "there are no batches to sleep between: give batch, or canary")
	}
	if p.WhileTimeout < 0 || p.WhileTimeout > MaxGateWait.Milliseconds() {
		bad("while_timeout_ms", "%d is not between 0 and %d, which is 31 days", p.WhileTimeout, MaxGateWait.Milliseconds())
	}
	if p.WhileTimeout > 0 && p.While == "" {
		bad("while_timeout_ms", "there is no gate to wait for: give while")
	}
	if p.LimitRandom && p.Limit == "" {
		bad("limit_random", "how many are drawn is not said: give limit")
	}
	checkOrder(p, bad)
	checkLocks(p, bad)
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(faults...)
}

func checkOrder(p fettle.Pace, bad func(key, format string, args ...any)) {
	if p.Order != "" && p.Order != ByIdentity && p.Order != Random {
		if _, err := FactPath(p.Order); err != nil {
			bad("order", "%q is neither identity nor random nor a fact such as facts.rack", p.Order)
		}
	}
	if p.SpreadBy != "" {
		if _, err := FactPath(p.SpreadBy); err != nil {
			bad("spread_by", "%q is no fact such as facts.rack", p.SpreadBy)
		}
	}
}

func checkLocks(p fettle.Pace, bad func(key, format string, args ...any)) {
	if len(p.Locks) > MaxLocks {
		bad("locks", "there are %d, and %d are allowed", len(p.Locks), MaxLocks)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Locks)) {
		if !lockName.MatchString(name) {
			bad("locks", "%q is no name of a lock, which is made of letters, digits and _ . : -", name)
		}
		if p.Locks[name] < 1 {
			bad("locks", "%s=%d: at least one node has to be able to hold it", name, p.Locks[name])
		}
	}
}

// FactPath reads the path of a fact, with or without facts. before it.
func FactPath(text string) (fettle.Path, error) {
	path, err := fettle.ParsePath(strings.TrimPrefix(text, "facts."))
	if err == nil && len(path) == 0 {
		err = fmt.Errorf("the path is empty: %w", fettle.ErrInvalid)
	}
	return path, err
}
