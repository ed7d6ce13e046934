package main

import (
	"regexp"
	"testing"
)

func TestSpenders(t *testing.T) {
	w := newTown(t)
	w.publish("n1", `{"a":1,"b":1}`)
	w.publish("n2", `{"a":1,"b":2}`)
	w.want("n1", "find", "-o", "names", "facts.a == facts.b")
	got := w.ask("filter", "spenders")
	if want := regexp.MustCompile(`^FILTER +ASKED +REFUSED +SCANNED +TOOK_MS\nfacts\.a == facts\.b +1 +0 +2 +[0-9]+\.[0-9]\n`); got.code != exitOK || !want.MatchString(got.out) {
		t.Errorf("exit %d\n%s%s", got.code, got.out, got.faults)
	}
	w.want("facts.a == facts.b", "filter", "spenders", "-o", "names")
	w.wantFault(exitUsage, "", "filter", "spenders", "more")
}
