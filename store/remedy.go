package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/fettle-dev/fettle"
)

// Remedy is what became of a transition that called for a remedy.
type Remedy struct {
	Seq        int64 // given by the store
	Transition int64 // its seq
	Check      string
	Node       fettle.NodeID
	At         fettle.Millis // when the state changed, by the server's clock
	From, To   fettle.CheckStatus
	Output     string // of the transition
	Action     string
	Caller     string // by whose rights
	Phase      fettle.RemedyPhase
	Kind       string // of Why, in one word; empty: there is nothing to say
	Why        string // what it waits for, or why it was left out or did not help
	Run        fettle.RunID
	Started    fettle.Millis // zero: it was not
	Ended      fettle.Millis // zero: it goes on
}

// remediesCursor is the counter of the transition that was judged last.
const remediesCursor = "remedies judged"

// JudgedTransitions gives the seq up to which transitions have been judged; known is false where none ever was.
func (s *Store) JudgedTransitions(ctx context.Context) (seq int64, known bool, err error) {
	err = s.reader().one(ctx, "read counter", "SELECT value FROM counters WHERE name = ?", []any{remediesCursor}, &seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return seq, err == nil, s.fault(ctx, "judged transitions", err)
}

// JudgeTransitions notes, in one transaction, that all transitions after from and up to to have been judged, and those that called for a remedy.
// ErrConflict: others have been judged than those up to from, by another server.
func (s *Store) JudgeTransitions(ctx context.Context, from, to int64, called []Remedy) error {
	return s.write(ctx, "judge transitions", func(ctx context.Context, t *tx) error {
		var at int64
		err := t.one(ctx, "read counter", "SELECT value FROM counters WHERE name = ?", []any{remediesCursor}, &at)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			_, err = t.exec(ctx, "insert counter", "INSERT INTO counters (name, value) VALUES (?,?)", remediesCursor, to)
		case err == nil && at != from:
			err = fmt.Errorf("transitions are judged up to %d, and not to %d: %w", at, from, fettle.ErrConflict)
		case err == nil && to != from:
			var n int64
			n, err = t.exec(ctx, "move counter", "UPDATE counters SET value = ? WHERE name = ? AND value = ?", to, remediesCursor, from)
			if err == nil && n == 0 {
				err = fettle.ErrConflict
			}
		}
		if err != nil {
			return err
		}
		return writeRemedies(ctx, t, called)
	})
}

func writeRemedies(ctx context.Context, t *tx, list []Remedy) error {
	for i := range list {
		if err := stateKeys(list[i].Check, list[i].Node); err != nil {
			return err
		}
	}
	const head = "INSERT INTO remedies (transition, check_name, node, at, from_status, to_status, output, action, caller, phase, kind, why, run, started_at, ended_at)"
	_, err := t.insert(ctx, "write remedies", head, "", len(list), func(args []any, i int) []any {
		r := &list[i]
		return append(args, r.Transition, r.Check, string(r.Node), int64(r.At), string(r.From), string(r.To), text(r.Output), text(r.Action), text(r.Caller),
			string(r.Phase), clip(r.Kind, MaxName), text(r.Why), string(r.Run), int64(r.Started), int64(r.Ended))
	})
	return err
}

// UpdateRemedy writes what became of a remedy over the one that is in phase was. ErrConflict: it is in another.
func (s *Store) UpdateRemedy(ctx context.Context, r Remedy, was fettle.RemedyPhase) error {
	return s.write(ctx, fmt.Sprintf("update remedy %d", r.Seq), func(ctx context.Context, t *tx) error {
		if err := key("run id", string(r.Run), MaxID); err != nil {
			return err
		}
		var now fettle.RemedyPhase // it is asked apart: where nothing changes, MySQL counts no row
		if err := t.one(ctx, "read phase", "SELECT phase FROM remedies WHERE seq = ?", []any{r.Seq}, &now); err != nil {
			return err
		}
		if now != was {
			return fmt.Errorf("it is %s, and not %s: %w", now, was, fettle.ErrConflict)
		}
		_, err := t.exec(ctx, "update remedy", "UPDATE remedies SET caller = ?, phase = ?, kind = ?, why = ?, run = ?, started_at = ?, ended_at = ? WHERE seq = ? AND phase = ?",
			text(r.Caller), string(r.Phase), clip(r.Kind, MaxName), text(r.Why), string(r.Run), int64(r.Started), int64(r.Ended), r.Seq, string(was))
		return err
	})
}

// RemedyQuery says which remedies are asked for.
type RemedyQuery struct {
	Seq         int64   // this one; zero: any
	Transitions []int64 // of these, in any order; none: of all
	Check       string  // empty: of all
	Node        fettle.NodeID
	Phases      []fettle.RemedyPhase // none: all
	Open        bool                 // those that go on
	Since       fettle.Millis        // of states that changed after it
	Started     fettle.Millis        // those that were started after it
	Before      int64                // those with a smaller Seq, to go on; zero: from the newest
	Limit       int                  // zero: MaxPage
}

// Remedies lists remedies, the newest first.
func (s *Store) Remedies(ctx context.Context, q RemedyQuery) ([]Remedy, error) {
	w := where{}
	w.addIf(q.Seq != 0, "seq = ?", q.Seq)
	w.addIf(q.Check != "", "check_name = ?", q.Check)
	w.addIf(q.Node != "", "node = ?", string(q.Node))
	w.addIf(q.Open, "ended_at = 0")
	w.addIf(q.Since != 0, "at > ?", int64(q.Since))
	w.addIf(q.Started != 0, "started_at > ?", int64(q.Started))
	w.addIf(q.Before != 0, "seq < ?", q.Before)
	if len(q.Phases) > 0 {
		phases := make([]any, len(q.Phases))
		for i, p := range q.Phases {
			phases[i] = string(p)
		}
		w.addIf(true, "phase IN "+tuples(1, len(phases)), phases...)
	}
	if len(q.Transitions) == 0 {
		list, err := s.remedies(ctx, &w, q.Limit)
		return list, s.fault(ctx, "list remedies", err)
	}
	var list []Remedy
	for some := range slices.Chunk(q.Transitions, maxTransitions) {
		of := where{conditions: slices.Clone(w.conditions), args: slices.Clone(w.args)}
		args := make([]any, len(some))
		for i, seq := range some {
			args[i] = seq
		}
		of.addIf(true, "transition IN "+tuples(1, len(args)), args...)
		part, err := s.remedies(ctx, &of, 0)
		if err != nil {
			return nil, s.fault(ctx, "list remedies of transitions", err)
		}
		list = append(list, part...)
	}
	return list, nil
}

// maxTransitions bounds the parameters of one statement.
const maxTransitions = 500

func (s *Store) remedies(ctx context.Context, w *where, limit int) ([]Remedy, error) {
	var list []Remedy
	query := "SELECT seq, transition, check_name, node, at, from_status, to_status, output, action, caller, phase, kind, why, run, started_at, ended_at FROM remedies" +
		w.String() + " ORDER BY seq DESC" + w.limit(page(limit))
	err := s.reader().each(ctx, "read remedies", query, w.args, func(rows *sql.Rows) error {
		var r Remedy
		err := rows.Scan(&r.Seq, &r.Transition, &r.Check, &r.Node, &r.At, &r.From, &r.To, &r.Output, &r.Action, &r.Caller, &r.Phase, &r.Kind, &r.Why, &r.Run, &r.Started, &r.Ended)
		if err != nil {
			return err
		}
		list = append(list, r)
		return nil
	})
	return list, err
}

// TransitionsAfter lists the transitions after seq, in the order of their seq. Transactions that go on at once may commit in another order: where a
// seq is missing it may come yet. Limit zero: MaxPage.
func (s *Store) TransitionsAfter(ctx context.Context, seq int64, limit int) ([]Transition, error) {
	w := where{}
	w.addIf(true, "seq > ?", seq)
	list, err := s.transitions(ctx, &w, " ORDER BY seq", limit)
	return list, s.fault(ctx, "follow transitions from "+strconv.FormatInt(seq, 10), err)
}

// LastTransition gives the seq of the newest transition; zero: there is none.
func (s *Store) LastTransition(ctx context.Context) (seq int64, err error) {
	err = s.reader().one(ctx, "read last transition", "SELECT COALESCE(MAX(seq), 0) FROM transitions", nil, &seq)
	return seq, s.fault(ctx, "last transition", err)
}
