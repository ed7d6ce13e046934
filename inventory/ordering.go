package inventory

import (
	"slices"
	"sort"

	"github.com/fettle-dev/fettle"
)

// ordering is all nodes by identity, as of one moment. It does not change.
type ordering struct {
	ids    []fettle.NodeID
	places []place
}

// after gives the index of the first identity that comes after id.
func (o *ordering) after(id fettle.NodeID) int {
	return sort.Search(len(o.ids), func(i int) bool { return o.ids[i] > id })
}

// ordered gives all nodes by identity. What came and went since the last time is merged in, so that a fleet that grows is not sorted as a whole.
func (v *Inventory) ordered() *ordering {
	v.mu.RLock()
	o, still := v.order, len(v.added)+len(v.gone) == 0
	v.mu.RUnlock()
	if still {
		return o
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.added)+len(v.gone) == 0 {
		return v.order
	}
	added := make([]fettle.NodeID, 0, len(v.added))
	for id := range v.added {
		added = append(added, id)
	}
	slices.Sort(added)
	merged := &ordering{ids: make([]fettle.NodeID, 0, len(v.places)), places: make([]place, 0, len(v.places))}
	put := func(id fettle.NodeID, p place) {
		merged.ids, merged.places = append(merged.ids, id), append(merged.places, p)
	}
	i := 0
	for j, id := range v.order.ids {
		for ; i < len(added) && added[i] <= id; i++ {
			put(added[i], v.added[added[i]])
		}
		if _, gone := v.gone[id]; gone {
			continue
		}
		if _, again := v.added[id]; !again {
			put(id, v.order.places[j])
		}
	}
	for ; i < len(added); i++ {
		put(added[i], v.added[added[i]])
	}
	v.order = merged
	clear(v.added)
	clear(v.gone)
	return merged
}
