package inventory

import "math/bits"

// A shard holds shardSize nodes at most, so that a place in it fits 16 bits and a set of places 8 KiB.
const (
	shardSize  = 1 << 16
	shardWords = shardSize / 64
)

// bitset is a set of places in a shard. The methods that take words look at so many words only: a shard that is not full has no more.
type bitset [shardWords]uint64

func (b *bitset) has(i int) bool { return b[i>>6]&(1<<(i&63)) != 0 }
func (b *bitset) set(i int)      { b[i>>6] |= 1 << (i & 63) }
func (b *bitset) clear(i int)    { b[i>>6] &^= 1 << (i & 63) }

func (b *bitset) put(i int, in bool) {
	if in {
		b.set(i)
	} else {
		b.clear(i)
	}
}

func (b *bitset) count(words int) int { return b.countFrom(0, words) }

// countFrom is count for the words from up to to.
func (b *bitset) countFrom(from, to int) (n int) {
	for _, w := range b[from:to] {
		n += bits.OnesCount64(w)
	}
	return n
}

func (b *bitset) empty(words int) bool {
	for _, w := range b[:words] {
		if w != 0 {
			return false
		}
	}
	return true
}

// and makes b the places of x that are in y; a nil y is empty.
func (b *bitset) and(x, y *bitset, words int) {
	if y == nil {
		clear(b[:words])
		return
	}
	dst, l, r := b[:words], x[:words], y[:words]
	for i := range dst {
		dst[i] = l[i] & r[i]
	}
}

// minus makes b the places of x that are not in y; a nil y is empty.
func (b *bitset) minus(x, y *bitset, words int) {
	if y == nil {
		copy(b[:words], x[:words])
		return
	}
	dst, l, r := b[:words], x[:words], y[:words]
	for i := range dst {
		dst[i] = l[i] &^ r[i]
	}
}

// or adds the places of x.
func (b *bitset) or(x *bitset, words int) {
	dst, l := b[:words], x[:words]
	for i := range dst {
		dst[i] |= l[i]
	}
}

// each gives every place in b to f, in order, until f says no.
func (b *bitset) each(words int, f func(i int) bool) { b.eachFrom(0, words, f) }

// eachFrom is each for the words from from up to to.
func (b *bitset) eachFrom(from, to int, f func(i int) bool) {
	for i := from; i < to; i++ {
		for w := b[i]; w != 0; {
			j := bits.TrailingZeros64(w)
			w &= w - 1
			if !f(i<<6 | j) {
				return
			}
		}
	}
}
