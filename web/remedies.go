package web

import (
	"context"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/remedy"
)

// Remedies tells what was run because states had changed; *remedy.Remedies does. Its methods are safe for concurrent use.
type Remedies interface {
	List(ctx context.Context, q remedy.Query) ([]remedy.One, error)            // the newest first
	Of(ctx context.Context, transitions []int64) (map[int64]remedy.One, error) // those of them that called for one
	Pauses() []remedy.Pause                                                    // that of all remedies first
}

// remedyLast is the last remedy of a check that was run, or left out, by itself.
type remedyLast struct {
	Phase fettle.RemedyPhase
	Class string // of its mark: a status of checks
	Node  fettle.NodeID
	Why   string
	At    moment
	Run   string // link to the run; empty: none was started
}

// markOf gives the status whose colour a phase has.
func markOf(p fettle.RemedyPhase) string {
	switch p {
	case fettle.RemedyMended:
		return string(fettle.CheckOK)
	case fettle.RemedyFailed, fettle.RemedyUnmended:
		return string(fettle.CheckCritical)
	case fettle.RemedySkipped:
		return string(fettle.CheckUnknown)
	}
	return string(fettle.CheckWarning)
}

func (s *site) remedyLast(r remedy.One) *remedyLast {
	last := &remedyLast{Phase: r.Phase, Class: markOf(r.Phase), Node: r.Node, Why: cut(r.Why, widestValue), At: s.moment(max(r.At, r.Started, r.Ended))}
	if r.Run != "" {
		last.Run = "/runs/" + string(r.Run)
	}
	return last
}

// fillRemedy adds to the button of a check what has been done without it, and what keeps that from being done.
func (s *site) fillRemedy(ctx context.Context, check string, shown *remedyShown) error {
	if shown == nil || s.cfg.Remedies == nil {
		return nil
	}
	for _, p := range s.cfg.Remedies.Pauses() {
		switch {
		case p.Check != "" && p.Check != check:
		case p.Stopped:
			shown.Paused = "It has stopped by itself: " + p.Reason
		default:
			shown.Paused = "Paused by " + p.By + ": " + p.Reason
		}
	}
	list, err := s.cfg.Remedies.List(ctx, remedy.Query{Check: check, Limit: 1})
	if err != nil || len(list) == 0 {
		return err
	}
	shown.Last = s.remedyLast(list[0])
	return nil
}

// remediesShown bounds the remedies that stand beside one change.
const remediesShown = 3

// addRemedies puts beside changes what they called for.
func (s *site) addRemedies(ctx context.Context, list []changed) error {
	if s.cfg.Remedies == nil {
		return nil
	}
	var seqs []int64
	for _, one := range list {
		seqs = append(seqs, one.seqs...)
	}
	found, err := s.cfg.Remedies.Of(ctx, seqs)
	if err != nil {
		return err
	}
	for i := range list {
		for _, seq := range list[i].seqs {
			if r, is := found[seq]; is && len(list[i].Remedies) < remediesShown {
				list[i].Remedies = append(list[i].Remedies, *s.remedyLast(r))
			}
		}
	}
	return nil
}
