package checks

import (
	"fmt"

	fettle "github.com/fettle-dev/fettle"
)

// standing is how a member of a check is counted.
type standing uint8

const (
	absent    standing = iota // not counted
	undefined                 // beside the total: the filter is undefined for the node
	ok
	warning
	critical
	unknown
	stale    // inside unknown
	silent   // inside unknown; a node that is silent is not counted as stale too
	silenced // not ok, and left out by a silence
	shadowed // not ok, and left out because of what it depends on
)

// standingOf gives how a check's state on a node that ought to have one is counted; the zero state stands for none.
func standingOf(state fettle.CheckState, check fettle.Check, isSilent bool, now fettle.Millis) standing {
	switch {
	case isSilent:
		return silent
	case state.Status == "":
		return unknown
	case isStale(state, check, now):
		return stale
	}
	return standingFor(state.Status)
}

func standingFor(s fettle.CheckStatus) standing {
	switch s {
	case fettle.CheckOK:
		return ok
	case fettle.CheckWarning:
		return warning
	case fettle.CheckCritical:
		return critical
	case fettle.CheckStale:
		return stale
	}
	return unknown
}

// bad tells whether a standing is one that a verdict would have to do with, were it not left out.
func (s standing) bad() bool { return s.status() != "" }

// status gives the word for a standing that is not ok and has a say; empty: it is none.
func (s standing) status() fettle.CheckStatus {
	switch s {
	case warning:
		return fettle.CheckWarning
	case critical:
		return fettle.CheckCritical
	case unknown, stale, silent:
		return fettle.CheckUnknown
	}
	return ""
}

// add counts n nodes of standing s.
func (s standing) add(t *fettle.CheckTally, n int) {
	switch s {
	case absent:
		return
	case undefined:
		t.Undefined += n
		return
	case ok:
		t.OK += n
	case warning:
		t.Warning += n
	case critical:
		t.Critical += n
	case silent:
		t.Silent += n
		t.Unknown += n
	case stale:
		t.Stale += n
		t.Unknown += n
	case unknown:
		t.Unknown += n
	case silenced:
		t.Silenced += n
	case shadowed:
		t.Shadowed += n
	}
	t.Total += n
}

// outputOf gives the line that a verdict shows of a member, and nothing for one that is well.
func outputOf(s standing, state fettle.CheckState, attempts int) string {
	last := ""
	if state.Status != "" {
		last = fmt.Sprintf("; last was %s: %s", state.Soft, state.Output)
	}
	soft := isSoft(s, state)
	switch {
	case s == silent:
		return "silent" + last
	case s == stale:
		return "stale" + last
	case s == unknown && state.Status == "":
		return "no result yet"
	case s == undefined || s == absent || s == ok && !soft:
		return ""
	case soft:
		return fmt.Sprintf("soft %s, %d of %d: %s", state.Soft, state.Attempt, attempts, state.Output)
	}
	return state.Output
}

// isSoft tells whether the last result of a state that counts disagrees with it.
func isSoft(s standing, state fettle.CheckState) bool {
	switch s {
	case absent, undefined, stale, silent:
		return false
	}
	return state.Status != "" && level{state.Status, state.Soft, state.Attempt}.isSoft()
}

// isFlapping tells whether a state that counts changes too often.
func isFlapping(s standing, state fettle.CheckState) bool {
	return state.Flapping && s != stale && s != silent
}
