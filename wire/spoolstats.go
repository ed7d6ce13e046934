package wire

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
	st := SpoolStats{Entries: s.entries.Len(), Disk: s.disk, Memory: s.memory, Owed: s.owed, Dropped: map[Class]int64{}, LostAtOpening: s.journal.Lost()}
	for c, n := range s.dropped {
		st.Dropped[c] = n
	}
	return st
}
