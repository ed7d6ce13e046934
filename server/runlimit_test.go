package server

import (
	"testing"
	"time"

	"github.com/fettle-dev/fettle/plugins"
)

// Nobody has to know how long an action may take: its manifest does.
func TestTimeoutIsTheActionsOwn(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.join("n0", `{"i":1}`)
	action, err := plugins.Lookup("package.update")
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[time.Duration]time.Duration{0: action.Limit(), 3 * time.Second: 3 * time.Second} {
		run, err := f.StartRun(t.Context(), RunRequest{Action: action.Name, Inputs: map[string]any{"name": "x"}, Selection: Selection{All: true}, Timeout: given, Caller: "test"})
		if err != nil || run.Timeout != want.Milliseconds() {
			t.Errorf("given %s: %d ms, want %s (%v)", given, run.Timeout, want, err)
		}
		tasks := f.tasks("n0")
		if last := tasks[len(tasks)-1]; last.Timeout != want.Milliseconds() {
			t.Errorf("given %s: the task has %d ms", given, last.Timeout)
		}
	}
}
