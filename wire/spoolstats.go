package wire

import "maps"

// Has tells whether an entry is held.
func (s *Spool) Has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[id] != nil
}

// Full tells whether only the headroom is left: nothing should be begun whose result would have to be kept.
func (s *Spool) Full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disk+s.memory > s.cfg.MaxBytes-s.cfg.Headroom || s.owed > 0
}

// SpoolStats says what a spool holds and what it had to give up.
type SpoolStats struct {
	Entries       int
	Disk, Memory  int64 // bytes
	Owed          int   // entries in memory that ought to be on disk
	Dropped       map[Class]int64
	LostAtOpening int64 // bytes at the end of the file that were torn
}

// Stats tells how it is.
func (s *Spool) Stats() SpoolStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return SpoolStats{
		Entries: s.entries.Len(), Disk: s.disk, Memory: s.memory, Owed: s.owed, Dropped: maps.Clone(s.dropped), LostAtOpening: s.journal.Lost(),
	}
}
