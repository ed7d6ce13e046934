//go:build unix

package main

import (
	"slices"
	"testing"
)

func TestGrowthIsSeen(t *testing.T) {
	flat := slices.Repeat([]int{100, 110, 105, 98}, 5)
	if err := growth("server", flat); err != nil {
		t.Errorf("flat memory: %v", err)
	}
	filling := append([]int{10, 20, 30, 60, 100}, slices.Repeat([]int{100}, 15)...)
	if err := growth("server", filling); err != nil {
		t.Errorf("memory that is filled at the start: %v", err)
	}
	var leak []int
	for i := range 20 {
		leak = append(leak, 100+10*i)
	}
	if err := growth("server", leak); err == nil {
		t.Error("memory that grows all the time was not seen")
	}
}
