package wire

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	fettle "github.com/fettle-dev/fettle"
)

// Class says what is given up first when a spool is full. The numbers are stored.
type Class uint8

// The classes, least dear first.
const (
	ClassOutput Class = 1 // goes first
	ClassCheck  Class = 2 // like results in a row merge; the first of each state and the last of all stay
	ClassResult Class = 3 // never given up
)

// Entry is something that has to reach the server.
type Entry struct {
	ID    string // names it in Done; an entry whose ID is held already is not taken twice
	Class Class
	Key   string // of ClassCheck: the check
	State string // of ClassCheck: results of one Key in a row with the same State are alike
	Count int64  // how many results it stands for; 0 counts as 1
	Body  []byte
	// Volatile entries are kept in memory only: those of idempotent actions, whose task the server sends again.
	Volatile bool
	// Lazy entries are written and not flushed: they outlive the program and may not outlive the machine.
	Lazy bool
}

// ErrFull says that a spool has no room left that it may make.
var ErrFull = fmt.Errorf("the spool is full: %w", fettle.ErrUnavailable)

// SpoolConfig says where a spool is and how large it may grow.
type SpoolConfig struct {
	Path      string   // of its file, which is made when it is needed
	MaxBytes  int64    // of entries on disk; the file may be twice that, and 256 KiB, before it is rewritten
	MaxMemory int64    // of volatile entries, in bytes
	Headroom  int64    // of MaxBytes, kept for the results of what has begun: Full tells when only that is left
	Open      OpenFunc // nil: the file system
}

// DefaultSpool gives the limits of an agent.
func DefaultSpool(path string) SpoolConfig {
	return SpoolConfig{Path: path, MaxBytes: 64 << 20, MaxMemory: 4 << 20, Headroom: 4 << 20}
}

// Spool keeps entries, on disk and in their order, until they are done. What Put has returned for without an error is there after a kill at any
// moment. Safe for concurrent use.
type Spool struct {
	cfg     SpoolConfig
	journal *Journal

	mu      sync.Mutex // guards all below; taken before the journal's own
	entries list.List  // of *slot, oldest first
	ids     map[string]*list.Element
	last    map[string]*list.Element // the newest entry of each check
	seq     uint64                   // of the newest entry
	disk    int64                    // bytes of entries on disk
	memory  int64                    // bytes of entries in memory
	owed    int                      // entries that ought to be on disk, and could not be written
	patient int64                    // no rewriting before the file has this size
	dropped map[Class]int64
	closed  bool
}

// slot is an entry that is held.
type slot struct {
	Entry         // Body is nil when it is on disk
	seq    uint64 // counts entries, from 1
	at     int64  // in the journal; -1: in memory
	size   int64  // bytes that it takes
	first  bool   // of ClassCheck: the state before it was another
	flying bool   // taken, and neither done nor released
}

// slack is how many dead bytes a file may hold beside the dead ones that are as many as the living, before it is rewritten.
const slack = 256 << 10

// OpenSpool reads what the spool at cfg.Path holds.
func OpenSpool(cfg SpoolConfig) (*Spool, error) {
	s := &Spool{cfg: cfg, ids: map[string]*list.Element{}, last: map[string]*list.Element{}, dropped: map[Class]int64{}}
	bySeq := map[uint64]*list.Element{}
	journal, err := OpenJournal(cfg.Path, cfg.Open, func(at int64, record []byte) error {
		s.replay(bySeq, at, record)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	s.journal = journal
	return s, nil
}

// replay does again what a record says was done.
func (s *Spool) replay(bySeq map[uint64]*list.Element, at int64, record []byte) {
	put, done, ok := readRecord(record)
	if !ok {
		return // of a later version
	}
	for _, seq := range done {
		if el := bySeq[seq]; el != nil {
			s.remove(el)
			delete(bySeq, seq)
		}
	}
	if put != nil {
		put.at, put.size, put.Body = at, int64(len(record))+recordHead, nil
		s.seq = max(s.seq, put.seq)
		bySeq[put.seq] = s.insert(put)
	}
}

func (s *Spool) insert(e *slot) *list.Element {
	el := s.entries.PushBack(e)
	s.ids[e.ID] = el
	if e.Class == ClassCheck {
		s.last[e.Key] = el
	}
	s.account(e, 1)
	return el
}

func (s *Spool) remove(el *list.Element) {
	e := el.Value.(*slot)
	s.entries.Remove(el)
	delete(s.ids, e.ID)
	if e.Class == ClassCheck && s.last[e.Key] == el {
		delete(s.last, e.Key)
	}
	s.account(e, -1)
}

func (s *Spool) account(e *slot, sign int64) {
	if e.at >= 0 {
		s.disk += sign * e.size
		return
	}
	s.memory += sign * e.size
	if !e.Volatile {
		s.owed += int(sign)
	}
}

// Put takes an entry. ErrFull: it is not held, because only what must stay is there. Any other error that is ErrUnavailable says that the disk
// did not take it: it is held in memory, sent when it can be, and written when the disk takes something again. It blocks for a flush.
func (s *Spool) Put(ctx context.Context, e Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	el, ticket, err := s.put(e)
	if err != nil || el == nil {
		return err
	}
	if e.Lazy {
		return nil
	}
	if err := s.journal.Sync(ticket); err != nil {
		s.keepInMemory(el, e)
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// put gives no element when there is nothing to wait for.
func (s *Spool) put(e Entry) (*list.Element, Ticket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, Ticket{}, fmt.Errorf("spool: it is closed: %w", fettle.ErrUnavailable)
	}
	if _, held := s.ids[e.ID]; held {
		return nil, Ticket{}, nil
	}
	if e.Count == 0 {
		e.Count = 1
	}
	fresh := &slot{Entry: e, seq: s.seq + 1, at: -1, first: true}
	var replaced *list.Element
	if e.Class == ClassCheck {
		replaced = s.alike(fresh)
	}
	var done []uint64
	if replaced != nil {
		done = []uint64{replaced.Value.(*slot).seq}
		fresh.Count += replaced.Value.(*slot).Count
	}
	record := appendRecord(nil, fresh, done)
	fresh.size = int64(len(record)) + recordHead
	if err := s.makeRoom(fresh); err != nil {
		return nil, Ticket{}, err
	}
	if replaced != nil && s.ids[replaced.Value.(*slot).ID] == replaced {
		s.remove(replaced)
	}
	s.seq++
	if e.Volatile {
		s.insert(fresh)
		return nil, Ticket{}, nil
	}
	at, ticket, err := s.journal.Append(record)
	if err != nil {
		s.insert(fresh)
		return nil, Ticket{}, fmt.Errorf("spool: %w", err)
	}
	fresh.at, fresh.Body = at, nil
	el := s.insert(fresh)
	s.repay()
	s.tidy()
	return el, ticket, nil
}

// alike gives the entry that fresh takes the place of: the one before it, if that says the same and is not the first to say so.
func (s *Spool) alike(fresh *slot) *list.Element {
	el := s.last[fresh.Key]
	if el == nil {
		return nil
	}
	before := el.Value.(*slot)
	if before.State != fresh.State {
		return nil
	}
	if fresh.first = false; before.first || before.flying {
		return nil
	}
	return el
}

// keepInMemory is for an entry that was written and not flushed.
func (s *Spool) keepInMemory(el *list.Element, e Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := el.Value.(*slot)
	if s.ids[held.ID] != el || held.at < 0 {
		return
	}
	s.account(held, -1)
	held.at, held.Body = -1, e.Body
	s.account(held, 1)
}

// repay writes entries that the disk did not take before.
func (s *Spool) repay() {
	if s.owed == 0 {
		return
	}
	for el := s.entries.Front(); el != nil; el = el.Next() {
		e := el.Value.(*slot)
		if e.at >= 0 || e.Volatile {
			continue
		}
		at, _, err := s.journal.Append(appendRecord(nil, e, nil))
		if err != nil {
			return
		}
		s.account(e, -1)
		e.at, e.Body = at, nil
		s.account(e, 1)
	}
}

// Take gives the oldest entries that are not taken yet and of no class in without: at most n of them, and no more than size bytes unless it is
// one. They are Done or Released later. An entry that the disk does not give back is dropped and counted.
func (s *Spool) Take(n int, size int64, without ...Class) []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var taken []Entry
	var next *list.Element
	for el := s.entries.Front(); el != nil && len(taken) < n; el = next {
		next = el.Next()
		e := el.Value.(*slot)
		if e.flying || slices.Contains(without, e.Class) {
			continue
		}
		if size -= e.size; size < 0 && len(taken) > 0 {
			break
		}
		out := e.Entry
		if e.at >= 0 {
			body, err := bodyOf(e, s.journal.Read)
			if err != nil {
				s.drop(el)
				continue
			}
			out.Body = body
		}
		e.flying = true
		taken = append(taken, out)
	}
	return taken
}

func bodyOf(e *slot, read func(at int64) ([]byte, error)) ([]byte, error) {
	record, err := read(e.at)
	if err != nil {
		return nil, err
	}
	put, _, ok := readRecord(record)
	if !ok || put == nil || put.ID != e.ID {
		return nil, fmt.Errorf("spool: another record stands at %d: %w", e.at, fettle.ErrNotFound)
	}
	return put.Body, nil
}

// Release gives back entries that were taken and did not arrive, as far as it is known. Those that are not held are left alone.
func (s *Spool) Release(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if el := s.ids[id]; el != nil {
			el.Value.(*slot).flying = false
		}
	}
}

// Done lets go of entries that have arrived. It does not wait for the disk: after a kill an entry may be there once more. Those that are not
// held are left alone.
func (s *Spool) Done(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var seqs []uint64
	for _, id := range ids {
		if el := s.ids[id]; el != nil {
			if e := el.Value.(*slot); e.at >= 0 {
				seqs = append(seqs, e.seq)
			}
			s.remove(el)
		}
	}
	s.forget(seqs)
}

// forget writes that entries are gone, or empties the file with the last of them.
func (s *Spool) forget(seqs []uint64) {
	if s.closed || len(seqs) == 0 {
		return
	}
	if s.disk == 0 && s.journal.Reset() == nil {
		s.patient = 0
		return
	}
	_, _, _ = s.journal.Append(appendRecord(nil, nil, seqs)) // if it is lost, they are sent again, and dropped by who has them
	s.tidy()
}

// tidy rewrites the file when most of it is dead.
func (s *Spool) tidy() {
	size := s.journal.Size()
	if size <= 2*s.disk+slack || size < s.patient {
		return
	}
	places := make(map[*slot]int64)
	err := s.journal.Rewrite(func(read func(int64) ([]byte, error), write func([]byte) (int64, error)) error {
		for el := s.entries.Front(); el != nil; el = el.Next() {
			e := el.Value.(*slot)
			if e.at < 0 {
				continue
			}
			body, err := bodyOf(e, read)
			if err != nil {
				return err
			}
			whole := *e
			whole.Body = body
			if places[e], err = write(appendRecord(nil, &whole, nil)); err != nil {
				return err
			}
		}
		return nil
	})
	if s.patient = 0; err != nil {
		s.patient = size + slack // a full disk may have room later
		return
	}
	for e, at := range places {
		e.at = at
	}
}

// Close closes the file; what is in memory only is gone.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return errors.Join(s.journal.Close())
}
