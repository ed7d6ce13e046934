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

// flattened is a document, taken apart: first by what it holds, then, with the trie locked, by its paths. It is used again for the next one.
type flattened struct {
	keys   []string // of leaves
	depths []int    // of leaves: how many objects are around each
	open   int      // objects
	leaves []leaf   // in the order of the document, objects too
	nodes  []*pathNode
	before []*pathNode // those of the document before: the next one is likely to have the same
	next   int         // of before, the one that is expected
}

var _ filter.Visitor = (*flattened)(nil)

// read takes a document apart. It tells whether the document can be written again from its leaves.
func (f *flattened) read(text []byte) (plain bool, err error) {
	f.reset()
	if filter.Walk(text, f) {
		return true, nil
	}
	doc, err := filter.ParseDocument(text)
	if err != nil {
		return false, err
	}
	f.reset()
	doc.Visit(f)
	return doc.Plain(), nil
}

func (f *flattened) reset() {
	f.keys, f.depths, f.leaves, f.open = f.keys[:0], f.depths[:0], f.leaves[:0], 0
}

// Enter begins an object.
func (f *flattened) Enter(key string) {
	f.add(key, value{kind: object})
	f.open++
}

// Leave ends an object.
func (f *flattened) Leave() { f.open-- }

// Leaf takes a value.
func (f *flattened) Leaf(key string, v any, how string) { f.add(key, valueOf(v, how)) }

func (f *flattened) add(key string, v value) {
	f.keys, f.depths, f.leaves = append(f.keys, key), append(f.depths, f.open), append(f.leaves, leaf{value: v})
}

// flatten finds the paths of what f has read, and gives their shape with one reference more, which release takes back.
func (t *trie) flatten(f *flattened) *shape {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.nodes, f.before, f.next = f.before[:0], f.nodes, 0
	at := t.root
	for i := range f.leaves {
		for at.depth > f.depths[i] {
			at = at.parent
		}
		n := f.below(t, at, f.keys[i])
		f.leaves[i].node, f.nodes = n, append(f.nodes, n)
		if f.leaves[i].value.kind == object {
			at = n
		}
	}
	return t.intern(f.nodes)
}

// lookAhead is how many paths that only the document before has may stand together and cost little.
const lookAhead = 8

// below gives the path one key below at: that of the document before, if it is still in the trie, where all are that a shape refers to.
func (f *flattened) below(t *trie, at *pathNode, key string) *pathNode {
	for i := f.next; i < min(f.next+lookAhead, len(f.before)); i++ {
		if n := f.before[i]; n.parent == at && n.refs > 0 && n.key == key {
			f.next = i + 1
			return n
		}
	}
	return t.make(at, key)
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
