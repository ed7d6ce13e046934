package inventory

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// PathInfo is one fact path that exists.
type PathInfo struct {
	Path     string `json:"path"`     // as fettle.ParsePath reads it
	Type     string `json:"type"`     // string, int, double, bool, null, list; mixed: several of these
	Nodes    int    `json:"nodes"`    // that have it
	Distinct int    `json:"distinct"` // values; above some thousands an estimate, good to a few percent
}

// Paths gives the fact paths of the nodes that match q.Program, sorted; a path is one that leads to a value that is no object.
func (v *Inventory) Paths(ctx context.Context, q Query) ([]PathInfo, error) {
	h, err := v.ask(ctx, q, false)
	if err != nil {
		return nil, err
	}
	defer h.done()
	tallies := map[*pathNode]*pathTally{}
	for i, sh := range h.shards {
		if err := sh.tally(ctx, h.yes[i], h.words[i], tallies); err != nil {
			return nil, err
		}
	}
	out := make([]PathInfo, 0, len(tallies))
	for n, t := range tallies {
		if t.nodes > 0 {
			out = append(out, PathInfo{Path: n.path().String(), Type: t.word, Nodes: t.nodes, Distinct: t.distinct.count()})
		}
	}
	slices.SortFunc(out, func(a, b PathInfo) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// pathTally counts what stands at a path.
type pathTally struct {
	nodes    int
	word     string // the type; mixed
	distinct sketch
}

// tally adds what stands at each path on the places in yes.
func (sh *shard) tally(ctx context.Context, yes *bitset, words int, tallies map[*pathNode]*pathTally) error {
	sh.mu.RLock()
	paths := slices.Collect(maps.Keys(sh.columns))
	sh.mu.RUnlock()
	for _, n := range paths {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("ask the inventory: %w", err)
		}
		t := tallies[n]
		if t == nil {
			t = &pathTally{distinct: newSketch()}
			tallies[n] = t
		}
		sh.tallyOne(n, func(slot int) bool { return slot>>6 < words && yes.has(slot) }, t)
	}
	return nil
}

// tallyOne adds what stands at one path: who wants to change a node waits for no more than that.
func (sh *shard) tallyOne(n *pathNode, counts func(slot int) bool, t *pathTally) {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if c := sh.columns[n]; c != nil {
		c.tally(len(sh.metas), counts, t)
	}
}

// tally adds what the column has at the places that count.
func (c *column) tally(top int, counts func(slot int) bool, t *pathTally) {
	if !c.coded {
		c.each(top, func(slot int, v value) bool {
			if counts(slot) {
				t.add(v, 1)
			}
			return true
		})
		return
	}
	uses := make([]int, len(c.values))
	for slot := range max(len(c.narrow), len(c.wide)) {
		if counts(slot) {
			uses[c.code(slot)]++
		}
	}
	for code, n := range uses {
		if n > 0 {
			t.add(c.values[code], n)
		}
	}
}

func (t *pathTally) add(v value, nodes int) {
	if v.kind == absent || v.kind == object {
		return
	}
	t.nodes += nodes
	if w := v.typeWord(); t.word == "" {
		t.word = w
	} else if t.word != w {
		t.word = "mixed"
	}
	t.distinct.add(v)
}

// sketch counts distinct values: exactly up to sketchSize, and by the smallest hashes beyond ("k minimum values").
type sketch struct {
	hashes map[uint64]struct{}
	limit  uint64 // hashes above are not kept; all are when it is the largest
}

const sketchSize = 4096

// sketchSeed makes hashes of one process comparable.
var sketchSeed = maphash.MakeSeed()

func newSketch() sketch { return sketch{hashes: map[uint64]struct{}{}, limit: ^uint64(0)} }

func (s *sketch) add(v value) {
	h := maphash.Comparable(sketchSeed, v)
	if h > s.limit {
		return
	}
	s.hashes[h] = struct{}{}
	if len(s.hashes) < 2*sketchSize {
		return
	}
	all := make([]uint64, 0, len(s.hashes))
	for h := range s.hashes {
		all = append(all, h)
	}
	slices.Sort(all)
	s.limit = all[sketchSize-1]
	for _, h := range all[sketchSize:] {
		delete(s.hashes, h)
	}
}

func (s *sketch) count() int {
	if s.limit == ^uint64(0) {
		return len(s.hashes)
	}
	return int(float64(len(s.hashes)) / (float64(s.limit) / (1 << 64)))
}

// maxKnown bounds the paths that a misspelt one is compared with.
const maxKnown = 50_000

// KnownPaths gives the paths that lead to a value on some node, in no order: what a misspelt one may be compared with. Where there are very many,
// it gives some of them, the short ones first.
func (v *Inventory) KnownPaths() []fettle.Path {
	var out []fettle.Path
	level := []*pathNode{v.trie.root}
	for len(level) > 0 && len(out) < maxKnown {
		var below []*pathNode
		for _, n := range level {
			n.mu.RLock()
			for _, k := range n.kids {
				below = append(below, k)
			}
			n.mu.RUnlock()
		}
		for _, n := range below {
			if len(out) < maxKnown && v.isFact(n) {
				out = append(out, n.path())
			}
		}
		level = below
	}
	return out
}

// isFact tells whether a node has a value at n.
func (v *Inventory) isFact(n *pathNode) bool {
	n.mu.RLock()
	inner := len(n.kids) > 0
	n.mu.RUnlock()
	return !inner && v.exists(n)
}

// exists tells whether a node has anything at n.
func (v *Inventory) exists(n *pathNode) bool {
	for _, sh := range v.allShards() {
		sh.mu.RLock()
		_, ok := sh.columns[n]
		sh.mu.RUnlock()
		if ok {
			return true
		}
	}
	return false
}

// Unknown is a fact path that a filter reads and no node has.
type Unknown struct {
	Path       string `json:"path"`                 // facts.os.famly
	Suggestion string `json:"suggestion,omitempty"` // facts.os.family; empty: nothing is near
}

// String says so to a person.
func (u Unknown) String() string {
	if u.Suggestion == "" {
		return "no node has " + u.Path
	}
	return "no node has " + u.Path + "; did you mean " + u.Suggestion + "?"
}

// Unknown gives the fact paths that prog reads and no node has.
func (v *Inventory) Unknown(prog *filter.Program) []Unknown {
	if prog == nil {
		return nil
	}
	var (
		out   []Unknown
		known []fettle.Path
	)
	for _, p := range prog.Reads().Facts() {
		if n := v.trie.find(p); n != nil && v.exists(n) {
			continue
		}
		if known == nil {
			known = v.KnownPaths()
		}
		u := Unknown{Path: "facts." + p.String()}
		if near, ok := filter.Nearest(p, known); ok {
			u.Suggestion = "facts." + near.String()
		}
		if !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	slices.SortStableFunc(out, func(a, b Unknown) int { return cmp.Compare(a.Path, b.Path) })
	return out
}

func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "double"
	case []any:
		return "list"
	}
	return "object"
}
