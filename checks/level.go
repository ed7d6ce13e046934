package checks

import fettle "github.com/fettle-dev/fettle"

// level is what counts as the status of a check on one node, and how the last results disagree with it.
type level struct {
	hard    fettle.CheckStatus // what counts; empty: there was no result yet
	soft    fettle.CheckStatus // of the last result
	attempt int                // results in a row that were not ok, up to the number that makes them count
}

// next gives the level after n results of status s, where attempts results in a row make a problem count. As Nagios has it: the first result
// of all counts at once, and so do a recovery and the change from one problem that counts to another.
func (l level) next(s fettle.CheckStatus, attempts, n int) level {
	attempts, n = max(attempts, 1), max(n, 1)
	if s == fettle.CheckOK {
		return level{hard: s, soft: s, attempt: 1}
	}
	if l.hard != fettle.CheckOK {
		return level{hard: s, soft: s, attempt: attempts}
	}
	count := n
	if l.soft != fettle.CheckOK {
		count += l.attempt
	}
	if count >= attempts {
		return level{hard: s, soft: s, attempt: attempts}
	}
	return level{hard: l.hard, soft: s, attempt: count}
}

func (l level) isSoft() bool { return l.soft != l.hard }
