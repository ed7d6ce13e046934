package checks

import (
	"cmp"
	"maps"
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// counted is how a cell is counted: the same for each bucket that it is in.
type counted struct {
	standing standing
	soft     bool               // its last result disagrees with what counts, and it is ok or worse than it seems
	flapping bool               //
	by       *fettle.SilencedBy // what silences it; nil: nothing
}

// list is a list of nodes that a verdict names.
type list int

// The lists, in the order in which the outputs of their nodes are shown.
const (
	listCritical list = iota
	listUnknown
	listWarning
	listSoft
	listSilenced
	listShadowed
	lists // how many there are
	unlisted
)

func (c counted) list() list {
	switch c.standing {
	case critical:
		return listCritical
	case unknown, stale, silent:
		return listUnknown
	case warning:
		return listWarning
	case silenced:
		return listSilenced
	case shadowed:
		return listShadowed
	case ok:
		if c.soft {
			return listSoft
		}
	}
	return unlisted
}

// bucket counts cells, and names those that are not well: all of a check, or a part of them. The zero value is empty.
type bucket struct {
	tally fettle.CheckTally
	names [lists]nameSet
	quiet map[*fettle.SilencedBy]int // how many nodes each silence leaves out
}

// put adds a node that is counted as c, or with n -1 takes it out again.
func (b *bucket) put(node fettle.NodeID, c counted, n int) {
	c.standing.add(&b.tally, n)
	if c.flapping && c.standing != absent && c.standing != undefined {
		b.tally.Flapping += n
	}
	if l := c.list(); l != unlisted {
		b.names[l].put(node, n > 0)
	}
	if c.standing != silenced {
		return
	}
	if b.quiet == nil {
		b.quiet = map[*fettle.SilencedBy]int{}
	}
	if b.quiet[c.by] += n; b.quiet[c.by] == 0 {
		delete(b.quiet, c.by)
	}
}

// empty tells whether nobody is counted.
func (b *bucket) empty() bool { return b == nil || b.tally.Total == 0 && b.tally.Undefined == 0 }

// verdict gives what the bucket says, but for its status. Lists are shared with later calls; at most outputs nodes have their text.
func (b *bucket) verdict(name string, outputs int, text func(fettle.NodeID) string) fettle.Verdict {
	v := fettle.Verdict{Check: name, Kind: fettle.KindCheck, Tally: b.tally, Nodes: map[fettle.CheckStatus][]fettle.NodeID{}, Output: map[fettle.NodeID]string{}}
	for l, status := range map[list]fettle.CheckStatus{listCritical: fettle.CheckCritical, listUnknown: fettle.CheckUnknown, listWarning: fettle.CheckWarning} {
		if nodes := b.names[l].all(); len(nodes) > 0 {
			v.Nodes[status] = nodes
		}
	}
	v.Silenced, v.Shadowed = b.names[listSilenced].all(), b.names[listShadowed].all()
	for l := range b.names {
		for _, node := range b.names[l].all() {
			if len(v.Output) == outputs {
				break
			}
			if t := text(node); t != "" {
				v.Output[node] = t
			}
		}
	}
	for by, nodes := range b.quiet {
		one := *by
		one.Nodes = nodes
		v.SilencedBy = append(v.SilencedBy, one)
	}
	slices.SortFunc(v.SilencedBy, func(x, y fettle.SilencedBy) int { return cmp.Compare(x.ID, y.ID) })
	return v
}

// nameSet is a sorted set of nodes that is read as a whole: whoever has read it keeps what he has. The zero value is empty.
type nameSet struct {
	sorted []fettle.NodeID
	late   map[fettle.NodeID]bool
}

// maxLate is how many changes wait until the set is read: one that is not read costs no sorting, and one that is read the less.
const maxLate = 4096

func (s *nameSet) put(node fettle.NodeID, in bool) {
	if s.late == nil {
		s.late = map[fettle.NodeID]bool{}
	}
	s.late[node] = in
	if len(s.late) >= maxLate {
		s.settle()
	}
}

// all gives the nodes; nil: none.
func (s *nameSet) all() []fettle.NodeID {
	s.settle()
	return s.sorted
}

// settle merges what waits into the set.
func (s *nameSet) settle() {
	if len(s.late) == 0 {
		return
	}
	late := slices.Sorted(maps.Keys(s.late))
	out := make([]fettle.NodeID, 0, len(s.sorted)+len(late))
	rest := s.sorted
	for _, node := range late {
		i, found := slices.BinarySearch(rest, node)
		out = append(out, rest[:i]...)
		rest = rest[i:]
		if found {
			rest = rest[1:]
		}
		if s.late[node] {
			out = append(out, node)
		}
	}
	if s.sorted = append(out, rest...); len(s.sorted) == 0 {
		s.sorted = nil
	}
	clear(s.late)
}
