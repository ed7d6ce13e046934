package inventory

import (
	"slices"

	"github.com/fettle-dev/fettle"
)

// Counts are the numbers of nodes by liveness.
type Counts struct {
	Total  int `json:"total"`
	Alive  int `json:"alive"`
	Late   int `json:"late"`
	Silent int `json:"silent"`
}

// Counts counts the nodes by liveness.
func (v *Inventory) Counts() (c Counts) {
	for _, sh := range v.allShards() {
		sh.mu.RLock()
		c.Total += sh.counts.Total
		c.Alive += sh.counts.Alive
		c.Late += sh.counts.Late
		c.Silent += sh.counts.Silent
		sh.mu.RUnlock()
	}
	return c
}

func (v *Inventory) allShards() []*shard {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Clone(v.shards)
}

// Offering gives the nodes that offer a check command of that name, sorted.
func (v *Inventory) Offering(command string) []fettle.NodeID {
	var out []fettle.NodeID
	for _, sh := range v.allShards() {
		sh.mu.RLock()
		offers := map[*shared[[]string]]bool{}
		for _, m := range sh.metas {
			if m == nil {
				continue
			}
			yes, known := offers[m.commands]
			if !known {
				yes = slices.Contains(m.commands.value, command)
				offers[m.commands] = yes
			}
			if yes {
				out = append(out, m.id)
			}
		}
		sh.mu.RUnlock()
	}
	slices.Sort(out)
	return out
}

// Commands counts, for each check command, the nodes that offer it.
func (v *Inventory) Commands() map[string]int {
	out := map[string]int{}
	for _, sh := range v.allShards() {
		sh.mu.RLock()
		lists := map[*shared[[]string]]int{}
		for _, m := range sh.metas {
			if m != nil {
				lists[m.commands]++
			}
		}
		sh.mu.RUnlock()
		for l, n := range lists {
			for _, c := range l.value {
				out[c] += n
			}
		}
	}
	return out
}
