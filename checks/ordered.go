package checks

import (
	"slices"
)

// maxBlock bounds the numbers of one block of an ordered bag: what is moved to make room for one more fits into a few cache lines' worth of time,
// and a hundred thousand numbers are some two hundred blocks.
const maxBlock = 1024

// ordered is a bag of numbers that is always in order, so that the smallest, the largest and any quantile of it are read and not looked for. A
// number costs a search and a short move to put in or take out. The zero value is empty. None of the numbers is NaN.
type ordered struct {
	blocks [][]float64 // each sorted and not empty; each begins where the one before has ended, or above
	n      int
}

// add puts v in.
func (o *ordered) add(v float64) {
	o.n++
	if len(o.blocks) == 0 {
		o.blocks = append(o.blocks, []float64{v})
		return
	}
	i := o.block(v)
	at, _ := slices.BinarySearch(o.blocks[i], v)
	b := slices.Insert(o.blocks[i], at, v)
	o.blocks[i] = b
	if len(b) > maxBlock {
		half := len(b) / 2
		o.blocks[i] = b[:half:half]
		o.blocks = slices.Insert(o.blocks, i+1, slices.Clone(b[half:]))
	}
}

// remove takes one v out, and tells whether there was one.
func (o *ordered) remove(v float64) bool {
	if len(o.blocks) == 0 {
		return false
	}
	i := o.block(v)
	at, found := slices.BinarySearch(o.blocks[i], v)
	if !found {
		return false
	}
	o.n--
	o.blocks[i] = slices.Delete(o.blocks[i], at, at+1)
	o.mend(i)
	return true
}

// mend joins a block that has become small to the one behind it, so that a bag that shrinks is not a heap of splinters.
func (o *ordered) mend(i int) {
	switch {
	case len(o.blocks[i]) == 0:
		o.blocks = slices.Delete(o.blocks, i, i+1)
	case i+1 < len(o.blocks) && len(o.blocks[i])+len(o.blocks[i+1]) <= maxBlock/2:
		o.blocks[i] = append(o.blocks[i], o.blocks[i+1]...)
		o.blocks = slices.Delete(o.blocks, i+1, i+2)
	}
}

// block gives the first block that may hold v: the first one whose last number is not below it, else the last.
func (o *ordered) block(v float64) int {
	i, _ := slices.BinarySearchFunc(o.blocks, v, func(b []float64, v float64) int {
		if b[len(b)-1] < v {
			return -1
		}
		return 1 // never equal: the first of several that end in v is wanted
	})
	return min(i, len(o.blocks)-1)
}

// at gives the number of rank i, from zero; the bag has more than i.
func (o *ordered) at(i int) float64 {
	for _, b := range o.blocks {
		if i < len(b) {
			return b[i]
		}
		i -= len(b)
	}
	last := o.blocks[len(o.blocks)-1]
	return last[len(last)-1]
}

// quantile gives the smallest number that a part q of all does not exceed (nearest rank); zero of an empty bag.
func (o *ordered) quantile(q float64) float64 {
	if o.n == 0 {
		return 0
	}
	rank := int(q * float64(o.n))
	if float64(rank) == q*float64(o.n) {
		rank--
	}
	return o.at(min(max(rank, 0), o.n-1))
}

// total is a sum from which what was added can be taken away again without a trace, for all that matters: it carries what rounding has lost.
type total struct{ sum, lost float64 }

func (t *total) add(v float64) {
	sum := t.sum + v
	part := sum - t.sum
	t.lost += (t.sum - (sum - part)) + (v - part) // Knuth's two-sum: exact, whichever is larger
	t.sum = sum
}

func (t *total) value() float64 { return t.sum + t.lost }
