package inventory

import (
	"encoding/binary"
	"slices"
	"time"
)

// limits say when what is kept changes its form. A column begins sparse, becomes coded when more nodes have the path, and plain when their values
// are too many to be numbered.
type limits struct {
	shard  int           // nodes of a shard, at most shardSize
	sparse int           // nodes of a sparse column
	narrow int           // distinct values for which a code is one byte, at most 255
	coded  int           // distinct values of a coded column, less than shardSize
	long   int           // bytes; a longer text stands outside of a plain column's arena
	warm   int           // nodes for which an atom is decided under one lock, while nobody waits for all of them
	scan   int           // words of a shard that are asked under one lock, where nodes are evaluated one by one
	rest   time.Duration // from when a node leaves its place until another takes it: longer than a question may last
}

// What warm and scan bound takes a millisecond or so: who wants to change a node waits for no longer, and neither does who asks behind him.
var usual = limits{shard: shardSize, sparse: 128, narrow: 255, coded: 4096, long: 4096, warm: 512, scan: 4, rest: 5 * time.Minute}

// column is what the nodes of one shard have at one path. It is guarded by the shard's lock.
type column struct {
	limits *limits
	nodes  int // that have a value

	slots  []uint16 // sparse: who has a value, in order
	sparse []value  // and which; nil slots and nil codes: plain

	narrow []uint8  // coded: a code for each place, 0 for none
	wide   []uint16 // the same, when there are too many values for a byte
	coded  bool
	index  map[value]uint16
	values []value // by code
	uses   []int32 // by code
	free   []uint16

	plain *plainColumn
}

// get gives the value at a place.
func (c *column) get(slot int) value {
	switch {
	case c == nil:
		return value{}
	case c.plain != nil:
		return c.plain.get(slot)
	case c.coded:
		return c.values[c.code(slot)]
	}
	if i, ok := slices.BinarySearch(c.slots, uint16(slot)); ok {
		return c.sparse[i]
	}
	return value{}
}

// unique tells whether nearly every node has a value of its own, so that it does not pay to remember what one of them gave.
func (c *column) unique() bool { return c != nil && c.plain != nil }

// set puts a value at a place, and tells whether that changed it. The value absent takes it away.
func (c *column) set(slot int, v value) bool {
	var before kind
	var changed bool
	switch {
	case c.plain != nil:
		before, changed = c.plain.set(slot, v)
	case c.coded:
		before, changed = c.setCoded(slot, v)
	default:
		before, changed = c.setSparse(slot, v)
	}
	if before == absent && v.kind != absent {
		c.nodes++
	}
	if before != absent && v.kind == absent {
		c.nodes--
	}
	return changed
}

func (c *column) setSparse(slot int, v value) (kind, bool) {
	i, ok := slices.BinarySearch(c.slots, uint16(slot))
	switch {
	case ok && v.kind == absent:
		before := c.sparse[i].kind
		c.slots, c.sparse = slices.Delete(c.slots, i, i+1), slices.Delete(c.sparse, i, i+1)
		return before, true
	case ok:
		before := c.sparse[i]
		if before == v {
			return before.kind, false
		}
		c.sparse[i] = v.keep()
		return before.kind, true
	case v.kind == absent:
		return absent, false
	case len(c.slots) < c.limits.sparse:
		c.slots, c.sparse = slices.Insert(c.slots, i, uint16(slot)), slices.Insert(c.sparse, i, v.keep())
		return absent, true
	}
	c.becomeCoded()
	return c.setCoded(slot, v)
}

func (c *column) becomeCoded() {
	slots, values := c.slots, c.sparse
	c.slots, c.sparse, c.coded = nil, nil, true
	c.index, c.values, c.uses = map[value]uint16{}, make([]value, 1), make([]int32, 1)
	for i, s := range slots {
		c.setCoded(int(s), values[i])
	}
}

func (c *column) code(slot int) uint16 {
	if c.wide != nil {
		if slot < len(c.wide) {
			return c.wide[slot]
		}
		return 0
	}
	if slot < len(c.narrow) {
		return uint16(c.narrow[slot])
	}
	return 0
}

func (c *column) setCoded(slot int, v value) (kind, bool) {
	old := c.code(slot)
	before := c.values[old]
	if before == v {
		return before.kind, false
	}
	var code uint16
	if v.kind != absent {
		var ok bool
		if code, ok = c.codeOf(v); !ok {
			c.becomePlain()
			return c.plain.set(slot, v)
		}
		c.uses[code]++
	}
	c.putCode(slot, code)
	if old != 0 {
		if c.uses[old]--; c.uses[old] == 0 {
			delete(c.index, before)
			c.values[old] = value{}
			c.free = append(c.free, old)
		}
	}
	return before.kind, true
}

// codeOf gives the code of v, a new one where it has none; not ok when there are too many.
func (c *column) codeOf(v value) (uint16, bool) {
	if code, ok := c.index[v]; ok {
		return code, true
	}
	if len(c.index) >= c.limits.coded {
		return 0, false
	}
	v = v.keep()
	var code uint16
	if n := len(c.free); n > 0 {
		code = c.free[n-1]
		c.free = c.free[:n-1]
		c.values[code] = v
	} else {
		code = uint16(len(c.values))
		c.values, c.uses = append(c.values, v), append(c.uses, 0)
	}
	c.index[v] = code
	return code, true
}

func (c *column) putCode(slot int, code uint16) {
	if c.wide == nil && int(code) > c.limits.narrow {
		c.wide = make([]uint16, len(c.narrow), max(cap(c.narrow), slot+1))
		for i, n := range c.narrow {
			c.wide[i] = uint16(n)
		}
		c.narrow = nil
	}
	if c.wide != nil {
		c.wide = grow(c.wide, slot+1)
		c.wide[slot] = code
		return
	}
	c.narrow = grow(c.narrow, slot+1)
	c.narrow[slot] = uint8(code)
}

func (c *column) becomePlain() {
	p := &plainColumn{long: c.limits.long}
	for slot := range max(len(c.narrow), len(c.wide)) {
		if v := c.values[c.code(slot)]; v.kind != absent {
			p.set(slot, v)
		}
	}
	*c = column{limits: c.limits, nodes: c.nodes, plain: p}
}

// each gives every place that has a value, and the value, to f until it says no. top is the number of places in use.
func (c *column) each(top int, f func(slot int, v value) bool) {
	if !c.coded && c.plain == nil {
		for i, s := range c.slots {
			if !f(int(s), c.sparse[i]) {
				return
			}
		}
		return
	}
	for slot := range top {
		if v := c.get(slot); v.kind != absent && !f(slot, v) {
			return
		}
	}
}

// grow makes s n long at least, a shard at most, without the doubling that append would do.
func grow[T any](s []T, n int) []T {
	if n <= len(s) {
		return s
	}
	if n > cap(s) {
		bigger := make([]T, len(s), min(max(n+n/4, 256), shardSize))
		copy(bigger, s)
		s = bigger
	}
	return s[:n]
}

// plainColumn holds a value for each place by itself: numbers in an array, texts behind one another in an arena.
type plainColumn struct {
	kinds   []kind
	nums    []uint64 // nil: there are no numbers
	offsets []uint32 // into arena; nil: there are no texts
	arena   []byte   // for each text its length, then its bytes
	wasted  int      // bytes of arena that nothing refers to
	longer  map[uint16]string
	long    int // bytes; a longer text stands in longer
}

func (p *plainColumn) get(slot int) value {
	if slot >= len(p.kinds) {
		return value{}
	}
	v := value{kind: p.kinds[slot]}
	switch v.kind {
	case boolean, integer, double:
		v.num = p.nums[slot]
	case text, written:
		v.str = string(p.bytes(slot))
	}
	return v
}

// bytes gives the text at a place, valid until the next set.
func (p *plainColumn) bytes(slot int) []byte {
	if s, ok := p.longer[uint16(slot)]; ok {
		return []byte(s)
	}
	at := p.offsets[slot]
	n, width := binary.Uvarint(p.arena[at:])
	begin := int(at) + width
	return p.arena[begin : begin+int(n)]
}

// same tells whether v is at a place.
func (p *plainColumn) same(slot int, v value) bool {
	if slot >= len(p.kinds) {
		return v.kind == absent
	}
	if p.kinds[slot] != v.kind {
		return false
	}
	switch v.kind {
	case boolean, integer, double:
		return p.nums[slot] == v.num
	case text, written:
		return string(p.bytes(slot)) == v.str
	}
	return true
}

func (p *plainColumn) set(slot int, v value) (kind, bool) {
	var before kind
	if slot < len(p.kinds) {
		before = p.kinds[slot]
	}
	if p.same(slot, v) {
		return before, false
	}
	p.kinds = grow(p.kinds, slot+1)
	p.drop(slot)
	p.kinds[slot] = v.kind
	switch v.kind {
	case boolean, integer, double:
		p.nums = grow(p.nums, slot+1)
		p.nums[slot] = v.num
	case text, written:
		p.setText(slot, v.str)
	}
	return before, true
}

// drop gives up the text at a place.
func (p *plainColumn) drop(slot int) {
	if k := p.kinds[slot]; k != text && k != written {
		return
	}
	if _, ok := p.longer[uint16(slot)]; ok {
		delete(p.longer, uint16(slot))
	} else {
		p.wasted += len(p.bytes(slot)) + 2
	}
	p.kinds[slot] = absent
}

func (p *plainColumn) setText(slot int, s string) {
	p.offsets = grow(p.offsets, slot+1)
	if len(s) > p.long {
		if p.longer == nil {
			p.longer = map[uint16]string{}
		}
		p.longer[uint16(slot)] = value{str: s}.keep().str
		return
	}
	if p.wasted > 1<<16 && p.wasted > len(p.arena)/3 {
		p.compact(slot)
	}
	p.offsets[slot] = uint32(len(p.arena))
	p.arena = appendText(growArena(p.arena, len(s)+2), s)
}

func appendText(arena []byte, s string) []byte {
	return append(binary.AppendUvarint(arena, uint64(len(s))), s...)
}

// growArena makes room for n bytes, an eighth more than is there when there is none.
func growArena(arena []byte, n int) []byte {
	if cap(arena)-len(arena) >= n {
		return arena
	}
	bigger := make([]byte, len(arena), len(arena)+max(n, len(arena)/8, 1024))
	copy(bigger, arena)
	return bigger
}

// compact writes the arena anew without what nothing refers to; the text at a place that is about to be set is left out.
func (p *plainColumn) compact(about int) {
	arena := make([]byte, 0, len(p.arena)-p.wasted+len(p.arena)/8)
	for slot, k := range p.kinds {
		if slot == about || k != text && k != written {
			continue
		}
		if _, ok := p.longer[uint16(slot)]; ok {
			continue
		}
		b := p.bytes(slot)
		p.offsets[slot] = uint32(len(arena))
		arena = append(binary.AppendUvarint(arena, uint64(len(b))), b...)
	}
	p.arena, p.wasted = arena, 0
}
