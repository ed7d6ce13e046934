//go:build unix

package main

import (
	"fmt"
	"slices"
	"time"
)

// growth compares the last quarter of the time with the second: what is filled at the start is not growth. A quarter more and 32 MiB are
// what the collector of garbage may leave.
func growth(name string, mib []int) error {
	if len(mib) < 8 {
		return nil
	}
	early, late := middle(mib[len(mib)/4:len(mib)/2]), middle(mib[len(mib)*3/4:])
	if late > early*5/4 && late > early+32 {
		return fmt.Errorf("the memory of the %s grew from %d MiB to %d MiB", name, early, late)
	}
	return nil
}

func middle[T int | time.Duration](values []T) T {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

func longest(took []time.Duration) time.Duration { return slices.Max(took) }
