package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// phase is how far a task has come. The words are stored.
type phase string

const (
	phaseQueued    phase = "queued"    // it waits for a slot
	phaseBegun     phase = "begun"     // its outcome is unknown until it is done
	phaseForgone   phase = "forgone"   // it waited, and is not executed; its result may not be in the spool yet
	phaseDone      phase = "done"      // its result is in the spool, or has arrived
	phaseCancelled phase = "cancelled" // taken back before it came
)

// remember is how long after its expiry a task is known.
const remember = 24 * time.Hour

// note is a record of the ledger.
type note struct {
	ID     fettle.TaskID `json:"id"`
	Phase  phase         `json:"phase"`
	Until  fettle.Millis `json:"until,omitempty"`  // by the server's clock; after it, the task is forgotten
	At     fettle.Millis `json:"at,omitempty"`     // when it was begun, by the node's clock
	Task   *fettle.Task  `json:"task,omitempty"`   // while it is queued, begun or forgone
	Status fettle.Status `json:"status,omitempty"` // of what is forgone
}

// ledger remembers, on disk, which tasks were taken, so that none is executed twice. It is safe for concurrent use.
type ledger struct {
	journal *wire.Journal
	max     int

	mu    sync.Mutex // guards all below
	notes map[fettle.TaskID]note
	dirty wire.Ticket // of the last record that nobody has waited for
	alive int64       // bytes of the records that a rewriting would keep, about
	// refusals are in memory only: tasks that were not begun, perhaps because nothing could be written, until they expire. Copies of them that are on
	// their way must not be begun after all. A kill cuts the connection on which they would come.
	refusals map[fettle.TaskID]fettle.Millis
}

// openLedger reads the ledger at path. A nil open means the file system.
func openLedger(path string, max int, open wire.OpenFunc) (*ledger, error) {
	l := &ledger{max: max, notes: map[fettle.TaskID]note{}, refusals: map[fettle.TaskID]fettle.Millis{}}
	journal, err := wire.OpenJournal(path, open, func(_ int64, record []byte) error {
		var n note
		if json.Unmarshal(record, &n) == nil && n.ID != "" { // one that is not understood is of a later version
			l.keep(n)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	l.journal = journal
	return l, nil
}

// keep is called with mu held, or before there is anyone else.
func (l *ledger) keep(n note) {
	if before, ok := l.notes[n.ID]; ok {
		n.Until = max(n.Until, before.Until)
		if n.Phase == phaseBegun && n.Task == nil {
			n.Task = before.Task
		}
	}
	if n.Phase == phaseDone || n.Phase == phaseCancelled {
		n.Task = nil
	}
	l.notes[n.ID] = n
}

// write notes n. With wait, it is on disk when write returns.
func (l *ledger) write(n note, wait bool) error {
	record, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	l.mu.Lock()
	if _, known := l.notes[n.ID]; !known && len(l.notes) >= l.max {
		l.mu.Unlock()
		return fmt.Errorf("the ledger holds %d tasks already: %w", l.max, fettle.ErrUnavailable)
	}
	_, ticket, err := l.journal.Append(record)
	if err != nil {
		l.mu.Unlock()
		return fmt.Errorf("ledger: %w", err)
	}
	before, was := l.notes[n.ID]
	l.keep(n)
	l.dirty = ticket
	l.mu.Unlock()
	if !wait {
		return nil
	}
	if err := l.journal.Sync(ticket); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if delete(l.notes, n.ID); was {
			l.notes[n.ID] = before
		}
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// queued notes a task that waits for a slot.
func (l *ledger) queued(t fettle.Task) error {
	return l.write(note{ID: t.ID, Phase: phaseQueued, Until: t.Expires.Add(remember), Task: &t}, true)
}

// begun notes, on disk, that a task is about to be executed. Inputs need not be there any more.
func (l *ledger) begun(t fettle.Task, at fettle.Millis) error {
	t.Inputs = nil
	return l.write(note{ID: t.ID, Phase: phaseBegun, Until: t.Expires.Add(remember), At: at, Task: &t}, true)
}

// done notes that a task's result is in the spool. Until sync it may be forgotten by the machine: the spool has the result for so long.
func (l *ledger) done(t fettle.Task) error {
	return l.write(note{ID: t.ID, Phase: phaseDone, Until: t.Expires.Add(remember)}, false)
}

// cancelled remembers, on disk, a cancel for a task that was not seen yet. No expiry is known: that of any task is at most MaxExpiry away.
func (l *ledger) cancelled(id fettle.TaskID, now fettle.Millis) error {
	return l.write(note{ID: id, Phase: phaseCancelled, Until: now.Add(fettle.MaxExpiry + remember)}, true)
}

// refused remembers that a task is answered without having been begun.
func (l *ledger) refused(t fettle.Task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.refusals) < l.max {
		l.refusals[t.ID] = t.Expires
	}
}

// sync waits until all that was noted is on disk.
func (l *ledger) sync() error {
	l.mu.Lock()
	ticket := l.dirty
	l.mu.Unlock()
	return l.journal.Sync(ticket)
}

// phase tells how far a task has come; empty: it is not known.
func (l *ledger) phase(id fettle.TaskID) phase {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, refused := l.refusals[id]; refused && l.notes[id].Phase == "" {
		return phaseDone
	}
	return l.notes[id].Phase
}

// in gives the notes of one phase, oldest first.
func (l *ledger) in(p phase) []note {
	l.mu.Lock()
	defer l.mu.Unlock()
	var notes []note
	for _, n := range l.notes {
		if n.Phase == p {
			notes = append(notes, n)
		}
	}
	slices.SortFunc(notes, func(a, b note) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return notes
}

// rewriteFrom is the size from which the ledger's file is rewritten when most of it is out of date.
const rewriteFrom = 256 << 10

// forget drops what is too old by the server's clock, and rewrites the file when that halves it.
func (l *ledger) forget(now fettle.Millis) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, n := range l.notes {
		if n.Until < now && n.Phase != phaseBegun {
			delete(l.notes, id)
		}
	}
	maps.DeleteFunc(l.refusals, func(_ fettle.TaskID, expires fettle.Millis) bool { return expires < now })
	if len(l.notes) == 0 {
		return l.journal.Reset()
	}
	if l.journal.Size() < rewriteFrom || l.journal.Size() < 2*l.alive {
		return nil
	}
	var size int64
	err := l.journal.Rewrite(func(_ func(int64) ([]byte, error), write func([]byte) (int64, error)) error {
		for _, n := range l.notes {
			record, err := json.Marshal(n)
			if err != nil {
				return err
			}
			if _, err := write(record); err != nil {
				return err
			}
			size += int64(len(record)) + 8
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	l.alive = size
	return nil
}

func (l *ledger) close() error { return errors.Join(l.sync(), l.journal.Close()) }
