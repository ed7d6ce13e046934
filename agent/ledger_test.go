package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

const ledgerNow fettle.Millis = 1_763_700_000_000

func openTestLedger(t *testing.T, path string, max int, open wire.OpenFunc) *ledger {
	t.Helper()
	l, err := openLedger(path, max, open)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.close() })
	return l
}

func ledgerTask(id string) fettle.Task {
	return fettle.Task{ID: fettle.TaskID(id), Action: "a.b", Inputs: map[string]any{"x": 1.0}, Expires: ledgerNow.Add(time.Minute), Run: "r"}
}

func TestLedgerAfterAKillAtAnyByte(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger")
	l := openTestLedger(t, path, 100, nil)
	type step struct {
		name string
		do   func() error
		want map[fettle.TaskID]phase
	}
	steps := []step{
		{"queued", func() error { return l.queued(ledgerTask("q")) }, map[fettle.TaskID]phase{"q": phaseQueued}},
		{"begun", func() error { return l.begun(ledgerTask("b"), 7) }, map[fettle.TaskID]phase{"q": phaseQueued, "b": phaseBegun}},
		{"cancelled", func() error { return l.cancelled("c", ledgerNow) }, map[fettle.TaskID]phase{"q": phaseQueued, "b": phaseBegun, "c": phaseCancelled}},
		{"done", func() error { return errors.Join(l.done(ledgerTask("b")), l.sync()) }, map[fettle.TaskID]phase{"q": phaseQueued, "b": phaseDone, "c": phaseCancelled}},
		{"begun from the queue", func() error { return l.begun(ledgerTask("q"), 8) }, map[fettle.TaskID]phase{"q": phaseBegun, "b": phaseDone, "c": phaseCancelled}},
	}
	sizes := []int64{0}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		sizes = append(sizes, l.journal.Size())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(raw) + 1 {
		torn := filepath.Join(dir, fmt.Sprint("torn", n))
		if err := os.WriteFile(torn, raw[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		again := openTestLedger(t, torn, 100, nil)
		i := slices.IndexFunc(sizes, func(size int64) bool { return size > int64(n) })
		if i < 0 {
			i = len(sizes)
		}
		for _, id := range []fettle.TaskID{"q", "b", "c"} {
			var want phase
			if i > 1 {
				want = steps[i-2].want[id]
			}
			if got := again.phase(id); got != want {
				t.Fatalf("cut at byte %d: %s is %q, want %q", n, id, got, want)
			}
		}
		_ = again.close()
	}
	whole := openTestLedger(t, path, 100, nil)
	begun := whole.in(phaseBegun)
	if len(begun) != 1 || begun[0].Task == nil || begun[0].Task.Run != "r" || begun[0].Task.Inputs != nil || begun[0].At != 8 {
		t.Errorf("what is begun: %+v", begun)
	}
}

func TestLedgerForgets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	l := openTestLedger(t, path, 10_000, nil)
	for i := range 3000 {
		task := ledgerTask(fmt.Sprint("t", i))
		if i >= 2990 {
			task.Expires = ledgerNow.Add(48 * time.Hour)
		}
		if err := errors.Join(l.write(note{ID: task.ID, Phase: phaseBegun, Until: task.Expires.Add(remember), Task: &task}, false), l.done(task)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.begun(ledgerTask("open"), 1); err != nil {
		t.Fatal(err)
	}
	before := l.journal.Size()
	if err := l.forget(ledgerNow.Add(25 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	if l.phase("t1") != "" || l.phase("t2995") != phaseDone || l.phase("open") != phaseBegun || l.journal.Size() > before/50 {
		t.Errorf("after 25 hours: %q, %q, %q, %d bytes of %d", l.phase("t1"), l.phase("t2995"), l.phase("open"), l.journal.Size(), before)
	}
	again := openTestLedger(t, path, 10_000, nil)
	if again.phase("t2995") != phaseDone || again.phase("open") != phaseBegun || len(again.notes) != 11 {
		t.Errorf("after a restart: %d notes", len(again.notes))
	}
}

func TestLedgerIsBounded(t *testing.T) {
	l := openTestLedger(t, filepath.Join(t.TempDir(), "ledger"), 2, nil)
	if err := errors.Join(l.begun(ledgerTask("a"), 1), l.begun(ledgerTask("b"), 1), l.done(ledgerTask("a"))); err != nil {
		t.Fatal(err)
	}
	if err := l.begun(ledgerTask("c"), 1); !errors.Is(err, fettle.ErrUnavailable) {
		t.Errorf("one too many: %v", err)
	}
}

// brokenFile fails as its disk tells it to.
type brokenFile struct {
	wire.File
	write, sync *error
}

func (f brokenFile) WriteAt(p []byte, off int64) (int, error) {
	if *f.write != nil {
		return 0, *f.write
	}
	return f.File.WriteAt(p, off)
}

func (f brokenFile) Sync() error {
	if *f.sync != nil {
		return *f.sync
	}
	return f.File.Sync()
}

func TestLedgerOnADiskThatFails(t *testing.T) {
	var write, sync error
	open := func(path string, create bool) (wire.File, error) {
		flags := os.O_RDWR
		if create {
			flags |= os.O_CREATE
		}
		f, err := os.OpenFile(path, flags, 0o600)
		if err != nil {
			return nil, err
		}
		return brokenFile{f, &write, &sync}, nil
	}
	l := openTestLedger(t, filepath.Join(t.TempDir(), "ledger"), 100, open)
	if err := l.begun(ledgerTask("a"), 1); err != nil {
		t.Fatal(err)
	}
	for name, fail := range map[string]*error{"full": &write, "broken": &sync} {
		*fail = syscall.ENOSPC
		if err := l.begun(ledgerTask(name), 1); !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, fettle.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		if l.phase(fettle.TaskID(name)) != "" {
			t.Errorf("%s: what is not on disk is noted", name)
		}
		*fail = nil
		if err := l.begun(ledgerTask(name), 1); err != nil || l.phase(fettle.TaskID(name)) != phaseBegun {
			t.Errorf("%s: when there is room again: %v", name, err)
		}
	}
}
