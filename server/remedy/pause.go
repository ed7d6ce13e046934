package remedy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// pausesKept is the setting in which pauses are kept.
const pausesKept = "remedies.pauses"

// Bounds of what is said of a pause.
const maxReason = 500

// Pause keeps remedies from being started: all, or those of one check.
type Pause struct {
	Check   string        `json:"check,omitempty"` // empty: all
	By      string        `json:"by"`
	Reason  string        `json:"reason"`
	At      fettle.Millis `json:"at"`
	Stopped bool          `json:"stopped,omitempty"` // it was not a person: too many in a row did not mend
}

// pauses are those that hold.
type pauses struct {
	All    *Pause            `json:"all,omitempty"`
	Checks map[string]*Pause `json:"checks,omitempty"`
	Since  map[string]int64  `json:"since,omitempty"` // by check: remedies up to this one do not count any more for when it stops

	rev int64 // of the setting; zero: it is not there
}

// of gives the pause that holds for a check; nil: none.
func (p pauses) of(check string) *Pause {
	if p.All != nil {
		return p.All
	}
	return p.Checks[check]
}

// list gives them in order: that of all first.
func (p pauses) list() (out []Pause) {
	if p.All != nil {
		out = append(out, *p.All)
	}
	for _, check := range slices.Sorted(maps.Keys(p.Checks)) {
		out = append(out, *p.Checks[check])
	}
	return out
}

func (r *Remedies) loadPauses(ctx context.Context) error {
	text, rev, err := r.Store.Setting(ctx, pausesKept)
	if errors.Is(err, fettle.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	p := pauses{rev: rev}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return fmt.Errorf("pauses of remedies: %w", err) // to go on as if there were none would do what somebody has forbidden
	}
	r.pauses = p
	return nil
}

// changePauses has others hold, once they are stored.
func (r *Remedies) changePauses(ctx context.Context, change func(*pauses) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.pauses
	next.Checks, next.Since = maps.Clone(next.Checks), maps.Clone(next.Since)
	if next.Checks == nil {
		next.Checks = map[string]*Pause{}
	}
	if next.Since == nil {
		next.Since = map[string]int64{}
	}
	if err := change(&next); err != nil {
		return err
	}
	text, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("pauses of remedies: %w", err)
	}
	if next.rev, err = r.Store.SetSetting(ctx, pausesKept, string(text), next.rev); err != nil {
		return err
	}
	r.pauses = next
	return nil
}

// Pauses gives those that hold, that of all remedies first.
func (r *Remedies) Pauses() []Pause {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pauses.list()
}

func (r *Remedies) pauseOf(check string) *Pause {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pauses.of(check)
}

// Pause has no remedies be started any more, of a check or, where that is empty, at all. What runs goes on. ErrInvalid: there is no reason;
// ErrNotFound: no such check; ErrConflict: it is paused already.
func (r *Remedies) Pause(ctx context.Context, p Pause) (Pause, error) {
	p.Reason = strings.TrimSpace(p.Reason)
	if p.Reason == "" || len(p.Reason) > maxReason {
		return p, &fettle.Fault{Key: "reason", Reason: fmt.Sprintf("say why, in at most %d bytes: whoever resumes it has to know", maxReason)}
	}
	if p.Check != "" {
		if _, err := r.Fleet.CheckDefinition(ctx, p.Check); err != nil {
			return p, err
		}
	}
	p.At = fettle.MillisOf(r.Now())
	err := r.changePauses(ctx, func(next *pauses) error {
		held := next.All
		if p.Check != "" {
			held = next.Checks[p.Check]
		}
		if held != nil {
			return fmt.Errorf("%s are paused already, by %s: %s: %w", remediesOf(p.Check), held.By, held.Reason, fettle.ErrConflict)
		}
		if p.Check == "" {
			next.All = &p
		} else {
			next.Checks[p.Check] = &p
		}
		return nil
	})
	if err == nil {
		r.Log.Info("remedies paused", "check", p.Check, "user", p.By)
	}
	return p, err
}

// Resume has remedies be started again, and gives the pause that is over; what was left out meanwhile stays so. ErrConflict: nothing is paused.
func (r *Remedies) Resume(ctx context.Context, check, by string) (over Pause, err error) {
	r.turn.Lock() // no remedy ends between what is counted and what counts no more
	defer r.turn.Unlock()
	last, err := r.lastOf(ctx, check)
	if err != nil {
		return over, err
	}
	err = r.changePauses(ctx, func(next *pauses) error {
		if check == "" {
			if next.All == nil {
				return fmt.Errorf("%s are not paused: %w", remediesOf(check), fettle.ErrConflict)
			}
			over, next.All = *next.All, nil
			return nil
		}
		if next.Checks[check] == nil {
			return fmt.Errorf("%s are not paused: %w", remediesOf(check), fettle.ErrConflict)
		}
		over = *next.Checks[check]
		delete(next.Checks, check)
		next.Since[check] = last
		return nil
	})
	if err == nil {
		delete(r.book.failed, check)
		r.Log.Info("remedies resumed", "check", check, "user", by)
	}
	return over, err
}

// stop has a check's remedies end by themselves.
func (r *Remedies) stop(ctx context.Context, check string, failed int) error {
	p := &Pause{Check: check, By: "server", Reason: fmt.Sprintf("%d remedies in a row did not mend it", failed), At: fettle.MillisOf(r.Now()), Stopped: true}
	err := r.changePauses(ctx, func(next *pauses) error {
		if next.Checks[check] == nil {
			next.Checks[check] = p
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.Log.Warn("the remedies of a check have stopped", "check", check, "reason", p.Reason)
	r.Audit.Note(ctx, p.By, "remedy.stop", check, map[string]any{"reason": p.Reason})
	return nil
}

func remediesOf(check string) string {
	if check == "" {
		return "remedies"
	}
	return "the remedies of " + check
}
