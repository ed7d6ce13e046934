package inventory

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// pathNode is a fact path: a place in the tree of all paths that some node has, or that some plan reads.
type pathNode struct {
	key    string
	parent *pathNode // nil: the document itself
	depth  int       // keys from the top
	id     uint64    // never used again

	refs int // shapes and plans that refer to it; guarded by trie.mu

	mu   sync.RWMutex // guards kids against readers; writers hold trie.mu beside
	kids map[string]*pathNode
}

// path gives the keys from the top.
func (n *pathNode) path() fettle.Path {
	p := make(fettle.Path, n.depth)
	for ; n.parent != nil; n = n.parent {
		p[n.depth-1] = n.key
	}
	return p
}

// kid gives the path one key further down; nil: there is none.
func (n *pathNode) kid(key string) *pathNode {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.kids[key]
}

// shape is the paths that a document has, objects included, in the order of the document. Nodes whose documents have the same paths share it.
type shape struct {
	nodes []*pathNode
	hash  uint64
	refs  int // nodes that have it; guarded by trie.mu
}

// trie is all paths and shapes.
type trie struct {
	mu     sync.Mutex // guards all below, and the kids of every path against writers
	root   *pathNode
	nextID uint64
	seed   maphash.Seed
	shapes map[uint64][]*shape
}

func newTrie() *trie {
	return &trie{root: &pathNode{}, seed: maphash.MakeSeed(), shapes: map[uint64][]*shape{}}
}

// leaf is a path of a document and the value there.
type leaf struct {
	node  *pathNode
	value value
}

// flattened is a document, taken apart. It is used again for the next one.
type flattened struct {
	trie   *trie
	at     *pathNode
	leaves []leaf
	nodes  []*pathNode
}

var _ filter.Visitor = (*flattened)(nil)

// Enter begins an object.
func (f *flattened) Enter(key string) {
	f.at = f.trie.make(f.at, key)
	f.nodes = append(f.nodes, f.at)
	f.leaves = append(f.leaves, leaf{f.at, value{kind: object}})
}

// Leave ends an object.
func (f *flattened) Leave() { f.at = f.at.parent }

// Leaf takes a value.
func (f *flattened) Leaf(key string, v any, how string) {
	n := f.trie.make(f.at, key)
	f.nodes = append(f.nodes, n)
	f.leaves = append(f.leaves, leaf{n, valueOf(v, how)})
}

// flatten takes d apart into f, and gives its shape with one reference more, which release takes back.
func (t *trie) flatten(d *filter.Document, f *flattened) *shape {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.trie, f.at, f.leaves, f.nodes = t, t.root, f.leaves[:0], f.nodes[:0]
	d.Visit(f)
	return t.intern(f.nodes)
}

// intern gives the shape of nodes, which it copies when it is a new one. The lock is held.
func (t *trie) intern(nodes []*pathNode) *shape {
	var h maphash.Hash
	h.SetSeed(t.seed)
	var buf [8]byte
	for _, n := range nodes {
		binary.LittleEndian.PutUint64(buf[:], n.id)
		_, _ = h.Write(buf[:]) // never fails, by its documentation
	}
	sum := h.Sum64()
	for _, s := range t.shapes[sum] {
		if slices.Equal(s.nodes, nodes) {
			s.refs++
			return s
		}
	}
	s := &shape{nodes: slices.Clone(nodes), hash: sum, refs: 1}
	t.shapes[sum] = append(t.shapes[sum], s)
	for _, n := range nodes {
		n.refs++
	}
	return s
}

// release takes back one reference, and forgets a shape that nobody has, with the paths that nobody else has.
func (t *trie) release(s *shape) {
	if s == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.refs--; s.refs > 0 {
		return
	}
	rest := slices.DeleteFunc(t.shapes[s.hash], func(o *shape) bool { return o == s })
	if len(rest) == 0 {
		delete(t.shapes, s.hash)
	} else {
		t.shapes[s.hash] = rest
	}
	for _, n := range slices.Backward(s.nodes) { // what is below goes first
		t.unref(n)
	}
}

// make gives the path one key below n, a new one where there is none. The lock is held.
func (t *trie) make(n *pathNode, key string) *pathNode {
	if k, ok := n.kids[key]; ok {
		return k
	}
	t.nextID++
	k := &pathNode{key: strings.Clone(key), parent: n, depth: n.depth + 1, id: t.nextID}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.kids == nil {
		n.kids = map[string]*pathNode{}
	}
	n.kids[k.key] = k
	return k
}

// unref takes a reference from n, and removes it where it was the last. The lock is held.
func (t *trie) unref(n *pathNode) {
	if n.refs--; n.refs > 0 || len(n.kids) > 0 {
		return
	}
	p := n.parent
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kids[n.key] == n {
		delete(p.kids, n.key)
	}
}

// acquire gives the paths from the top to p, each with one reference more, which abandon takes back.
func (t *trie) acquire(p fettle.Path) []*pathNode {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]*pathNode, 0, len(p))
	n := t.root
	for _, key := range p {
		n = t.make(n, key)
		n.refs++
		out = append(out, n)
	}
	return out
}

// abandon takes back what acquire gave.
func (t *trie) abandon(nodes []*pathNode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range slices.Backward(nodes) {
		t.unref(n)
	}
}

// find gives the path p; nil: nobody has or reads it.
func (t *trie) find(p fettle.Path) *pathNode {
	n := t.root
	for _, key := range p {
		if n = n.kid(key); n == nil {
			return nil
		}
	}
	return n
}
