package wire

import (
	"container/list"
	"encoding/binary"
)

// makeRoom gives up what is less dear than fresh until it fits, and a bit more, so that not every Put has to look for victims.
func (s *Spool) makeRoom(fresh *slot) error {
	if fresh.Volatile {
		return s.makeMemory(fresh)
	}
	over := s.disk + s.memory + fresh.size - s.cfg.MaxBytes
	if over <= 0 {
		return nil
	}
	steps := []func(*list.Element, *slot) bool{
		func(_ *list.Element, e *slot) bool { return e.Class == ClassOutput },
		func(el *list.Element, e *slot) bool { return e.Class == ClassCheck && !e.first && s.last[e.Key] != el },
	}
	if fresh.Class == ClassCheck {
		// The oldest transitions make room for what is true now, and for nothing else.
		steps = append(steps, func(el *list.Element, e *slot) bool { return e.Class == ClassCheck && s.last[e.Key] != el })
	}
	want := over + s.cfg.MaxBytes/16
	for _, victim := range steps {
		if want -= s.giveUp(want, victim); s.disk+s.memory+fresh.size <= s.cfg.MaxBytes {
			return nil
		}
	}
	return ErrFull
}

// giveUp drops the oldest victims until so many bytes are free, and tells how many are.
func (s *Spool) giveUp(want int64, victim func(*list.Element, *slot) bool) (freed int64) {
	var seqs []uint64
	var next *list.Element
	for el := s.entries.Front(); el != nil && freed < want; el = next {
		next = el.Next()
		e := el.Value.(*slot)
		if e.flying || e.Volatile || !victim(el, e) {
			continue
		}
		freed += e.size
		if e.at >= 0 {
			seqs = append(seqs, e.seq)
		}
		s.drop(el)
	}
	s.forget(seqs)
	return freed
}

// makeMemory drops the oldest volatile entries: their tasks are sent again.
func (s *Spool) makeMemory(fresh *slot) error {
	if fresh.size > s.cfg.MaxMemory {
		return ErrFull
	}
	var next *list.Element
	for el := s.entries.Front(); el != nil && s.memory+fresh.size > s.cfg.MaxMemory; el = next {
		next = el.Next()
		if e := el.Value.(*slot); e.Volatile && !e.flying {
			s.drop(el)
		}
	}
	if s.memory+fresh.size > s.cfg.MaxMemory {
		return ErrFull
	}
	return nil
}

func (s *Spool) drop(el *list.Element) {
	s.dropped[el.Value.(*slot).Class]++
	s.remove(el)
}

// A record of the spool: the sequences of the entries that are gone (their number, then each), and, unless there is none, one entry: class,
// flags, sequence, count, and ID, Key, State and Body, each after its length. Numbers are varints.
const flagFirst = 1

func appendRecord(dst []byte, e *slot, done []uint64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(done)))
	for _, seq := range done {
		dst = binary.AppendUvarint(dst, seq)
	}
	if e == nil {
		return dst
	}
	var flags byte
	if e.first {
		flags |= flagFirst
	}
	dst = append(dst, byte(e.Class), flags)
	dst = binary.AppendUvarint(dst, e.seq)
	dst = binary.AppendUvarint(dst, uint64(e.Count))
	for _, s := range []string{e.ID, e.Key, e.State} {
		dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
	}
	return append(binary.AppendUvarint(dst, uint64(len(e.Body))), e.Body...)
}

// readRecord reads what appendRecord wrote; put is nil if there is no entry in it. The body aliases the record.
func readRecord(record []byte) (put *slot, done []uint64, ok bool) {
	r := recordReader{rest: record}
	for n := r.number(); n > 0 && !r.bad; n-- {
		done = append(done, r.number())
	}
	if r.bad || len(r.rest) == 0 {
		return nil, done, !r.bad
	}
	if len(r.rest) < 2 {
		return nil, nil, false
	}
	put = &slot{first: r.rest[1]&flagFirst != 0}
	put.Class, r.rest = Class(r.rest[0]), r.rest[2:]
	put.seq = r.number()
	put.Count = int64(r.number())
	put.ID, put.Key, put.State = string(r.bytes()), string(r.bytes()), string(r.bytes())
	put.Body = r.bytes()
	if r.bad || put.Class < ClassOutput || put.Class > ClassResult {
		return nil, nil, false
	}
	return put, done, true
}

type recordReader struct {
	rest []byte
	bad  bool
}

func (r *recordReader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *recordReader) bytes() []byte {
	n := r.number()
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}
