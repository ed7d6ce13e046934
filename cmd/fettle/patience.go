package main

import (
	"fmt"
	"time"
)

// patienceAfter is how long a person waits before he is told for what.
const patienceAfter = time.Second

// waitsFor tells a person at a terminal on what an answer waits, and for how long at most, if it does not come at once. What it gives has to be
// called when the answer is there: it takes the line away.
func (a *app) waitsFor(what string, most time.Duration) (over func()) {
	if !terminal(a.stderr) {
		return func() {}
	}
	told := make(chan struct{})
	timer := time.AfterFunc(patienceAfter, func() {
		defer close(told)
		fmt.Fprintf(a.stderr, "\rwaiting for %s, up to %s", what, spell(most))
	})
	return func() {
		if !timer.Stop() {
			<-told
			fmt.Fprint(a.stderr, "\r\x1b[K")
		}
	}
}
