package remedy

import (
	"fmt"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/store"
)

// Times that bound what is done about a change of a state.
const (
	maxWait    = 15 * time.Minute // a change that is older calls for nothing any more: people have looked, or something else is wrong
	boardDelay = 10 * time.Second // between the commit of a change and the moment at which it is on the board, at most
	anHour     = time.Hour
)

// doing is what is done about a change.
type doing int

const (
	doWait doing = iota
	doSkip
	doRun
)

// Why something was left out, waits or did not help, in one word. They are stored, and labels of metrics.
const (
	kindPaused   = "paused"         // by a person
	kindStopped  = "stopped"        // by itself, because it did not mend
	kindOld      = "old"            // it waited for too long
	kindGone     = "gone"           // the check, its remedy, or the node in it
	kindOver     = "over"           // the state has changed again
	kindFlapping = "flapping"       // the state cannot be believed
	kindSilenced = "silenced"       // by a silence
	kindShadowed = "shadowed"       // by what the check depends on
	kindStale    = "stale"          // nothing is known of the state any more
	kindSilent   = "silent"         // the node is not there
	kindBusy     = "busy"           // another remedy of the check is at work on the node
	kindPerHour  = "per_hour"       // limit of the node
	kindNodes    = "nodes_per_hour" // limit of the check
	kindCooldown = "cooldown"       // limit of the node
	kindAtOnce   = "at_once"        // limit of the check
	kindSettling = "settling"       // the server has just started
	kindCommit   = "commit"         // the change is not on the board yet
	kindRefused  = "refused"        // by policy, or because its owner has no rights any more
	kindInputs   = "inputs"         // they cannot be filled in
	kindAway     = "away"           // something of ours cannot be asked
	kindCrowd    = "crowd"          // too many go on
	kindRun      = "run"            // the run did not go well
	kindTime     = "time"           // the state did not become ok in time
)

// kinds are those for which remedies are left out.
func kinds() []string {
	return []string{
		kindPaused, kindStopped, kindOld, kindGone, kindOver, kindFlapping, kindSilenced, kindShadowed, kindStale, kindSilent, kindBusy, kindPerHour, kindNodes,
		kindCooldown, kindAtOnce, kindSettling, kindCommit, kindRefused, kindInputs, kindAway, kindCrowd,
	}
}

// decision is what is done, and why.
type decision struct {
	do   doing
	kind string
	why  string
}

func skip(kind, format string, args ...any) decision {
	return decision{doSkip, kind, fmt.Sprintf(format, args...)}
}

func wait(kind, format string, args ...any) decision {
	return decision{doWait, kind, fmt.Sprintf(format, args...)}
}

// situation is all that a decision is made of.
type situation struct {
	now      fettle.Millis
	remedy   *fettle.Remedy // with nothing left open; nil: the check has none any more
	at       fettle.Millis  // when the state changed
	to       fettle.CheckStatus
	paused   *Pause
	said     server.Said
	settling bool
	past     past
	allowed  int // nodes of the check within an hour
}

// past is what remedies of the same check have done before.
type past struct {
	busy   int64         // the remedy that is at work on the node; zero: none
	last   fettle.Millis // when one was started on the node; zero: never
	onNode int           // started on the node within an hour
	nodes  int           // other nodes on which one was started within an hour
	going  int           // that go, or of which it is not known yet whether they mended
}

// decide applies the rules, those first that nothing can change any more.
func (s situation) decide() decision {
	if d := s.meant(); d.do != doRun {
		return s.inTime(d)
	}
	if d := s.believed(); d.do != doRun {
		return s.inTime(d)
	}
	return s.inTime(s.limited())
}

// inTime ends what has waited for too long.
func (s situation) inTime(d decision) decision {
	if d.do == doWait && s.now.Sub(s.at) > maxWait {
		return skip(kindOld, "it waited for %s: %s", fettle.Span(maxWait), d.why)
	}
	return d
}

// meant tells whether somebody wants a remedy.
func (s situation) meant() decision {
	switch {
	case s.remedy == nil || !slices.Contains(s.remedy.When, s.to):
		return skip(kindGone, "the check has no remedy for it any more")
	case s.paused != nil && s.paused.Stopped:
		return skip(kindStopped, "%s; resume it when it is known why", s.paused.Reason)
	case s.paused != nil:
		return skip(kindPaused, "paused by %s: %s", s.paused.By, s.paused.Reason)
	case s.now.Sub(s.at) > maxWait+boardDelay:
		return skip(kindOld, "the state changed %s ago", s.now.Sub(s.at).Round(time.Second))
	}
	return decision{do: doRun}
}

// believed tells whether the state is what it was said to be, and has a say.
func (s situation) believed() decision {
	state := s.said.State
	switch {
	case s.settling:
		return wait(kindSettling, "the server has just started, and is hearing the nodes")
	case state.At < s.at && s.now.Sub(s.at) < boardDelay:
		return wait(kindCommit, "the change is being committed")
	case s.said.Status == "":
		return skip(kindGone, "the node is not one of the check's any more")
	case s.said.Silent:
		return skip(kindSilent, "the node is silent")
	case s.said.Stale:
		return skip(kindStale, "the state is stale")
	case state.Status != s.to:
		return skip(kindOver, "it is %s by now", state.Status)
	case state.Flapping:
		return skip(kindFlapping, "the state is flapping")
	case s.said.Silenced != nil:
		return skip(kindSilenced, "silenced by %s: %s", s.said.Silenced.Author, s.said.Silenced.Reason)
	case s.said.Shadowed:
		return skip(kindShadowed, "something that the check depends on is critical")
	}
	return decision{do: doRun}
}

// limited tells whether the limits allow it.
func (s situation) limited() decision {
	r, p := s.remedy, s.past
	if p.busy != 0 {
		return skip(kindBusy, "remedy %d is at work on the node", p.busy)
	}
	if p.onNode >= r.PerHour {
		return skip(kindPerHour, "%d were started on the node within an hour, and per_hour is %d", p.onNode, r.PerHour)
	}
	if p.onNode == 0 && p.nodes >= s.allowed {
		return skip(kindNodes, "%d other nodes were touched within an hour, and nodes_per_hour is %s", p.nodes, r.NodesPerHour)
	}
	if until := p.last.Add(r.Cooldown.Duration()); p.last != 0 && s.now < until {
		if until.Sub(s.at) > maxWait {
			return skip(kindCooldown, "the last one was started on the node %s ago, and cooldown is %s", s.now.Sub(p.last).Round(time.Second), r.Cooldown)
		}
		return wait(kindCooldown, "the last one was started on the node less than %s ago", r.Cooldown)
	}
	if p.going >= r.AtOnce {
		return wait(kindAtOnce, "%d of the check go, and at_once is %d", p.going, r.AtOnce)
	}
	return decision{do: doRun}
}

// outcome is what a remedy has come to.
func outcome(run fettle.Run, message string) (phase fettle.RemedyPhase, why string) {
	switch {
	case run.Tally.OK == run.Tally.Roster && run.Tally.Roster > 0:
		return fettle.RemedyWatching, "the action went well; it is watched whether the state becomes ok"
	case len(run.Refused) > 0:
		return fettle.RemedyFailed, run.Refused[0].Reason
	case run.Tally.Roster == 0:
		return fettle.RemedyFailed, "the node is gone"
	case run.Tally.Silent > 0:
		return fettle.RemedyFailed, "the node did not answer"
	case run.Tally.Never > 0:
		return fettle.RemedyFailed, "the node was not asked"
	case message == "":
		return fettle.RemedyFailed, "the action failed"
	}
	return fettle.RemedyFailed, message
}

// stateFor is what expressions in the inputs of a remedy know as state.
func stateFor(r store.Remedy, said server.Said) map[string]any {
	perf := map[string]any{}
	for _, p := range said.State.Perfdata {
		if p.Value != nil {
			perf[p.Label] = *p.Value
		}
	}
	return map[string]any{
		"check": r.Check, "status": string(r.To), "from": string(r.From), "at": r.At.Time(), "output": r.Output, "attempt": int64(said.State.Attempt), "perfdata": perf,
	}
}
