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
