package inventory

import "github.com/fettle-dev/fettle"

// keep takes out the hits that are not wanted.
func (h *hits) keep(wanted func(fettle.NodeID) bool) {
	for i, sh := range h.shards {
		sh.mu.RLock()
		h.yes[i].each(min(h.words[i], sh.words()), func(slot int) bool {
			if m := sh.metas[slot]; m == nil || !wanted(m.id) {
				h.yes[i].clear(slot)
				h.matched--
			}
			return true
		})
		sh.mu.RUnlock()
	}
}
