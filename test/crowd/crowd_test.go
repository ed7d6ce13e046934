package main

import (
	"strings"
	"testing"
)

func TestASmallCrowd(t *testing.T) {
	var out strings.Builder
	// the limits of the real thing are for a machine that does nothing else
	if err := run(t.Context(), []string{"-nodes", "500", "-askers", "3", "-for", "2s", "-limit", "1m"}, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"500 nodes loaded", "indexed ", "residual ", "memory "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}
