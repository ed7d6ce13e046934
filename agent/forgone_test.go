package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// diskOfNode is the file system, until it is full.
type diskOfNode struct {
	full   atomic.Bool
	ledger atomic.Bool // though it is full, the ledger finds room
}

type fileOfNode struct {
	*os.File
	disk   *diskOfNode
	ledger bool
}

func (d *diskOfNode) open(path string, create bool) (wire.File, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return fileOfNode{f, d, filepath.Base(path) == "ledger"}, nil
}

func (f fileOfNode) WriteAt(p []byte, off int64) (int, error) {
	if f.disk.full.Load() && !(f.ledger && f.disk.ledger.Load()) {
		return 0, syscall.ENOSPC
	}
	return f.File.WriteAt(p, off)
}

// queueing brings an agent to where all slots are taken and the task q1 waits, noted on disk.
func queueing(w *world) *diskOfNode {
	w.Helper()
	disk := &diskOfNode{}
	w.halt()
	w.cfg.State = w.TempDir()
	w.cfg.OnDisk(disk.open)
	w.begin()
	for i := range w.cfg.RunSlots {
		w.ask(fmt.Sprint("b", i), "test.block")
	}
	ack := w.ask("q1", "test.once")
	synctest.Wait()
	if !w.wasAcked(ack) {
		w.Fatal("the task that waits is not noted")
	}
	return disk
}

// answered tells which results of the task q1 have been reported.
func answered(w *world) (got []string) {
	for _, r := range w.results() {
		if strings.HasPrefix(r, "q1:") {
			got = append(got, r)
		}
	}
	return got
}

// TestARefusalIsReportedOnceTheLedgerHasIt: a queued task that cannot be noted as begun is refused. While the ledger on disk says that it is queued, an
// agent that is killed would begin it after all, so the server must not hear of the refusal before.
func TestARefusalIsReportedOnceTheLedgerHasIt(t *testing.T) {
	run(t, func(w *world) {
		disk := queueing(w)
		disk.full.Store(true)
		close(w.gate)
		w.pass(time.Second)
		expect(t, "while the disk is full", nil, answered(w))
		w.hangUp()
		w.pass(10 * time.Minute)
		expect(t, "on a new connection", nil, answered(w))
		disk.full.Store(false)
		w.pass(2 * w.cfg.BeatInterval)
		expect(t, "when there is room again", []string{"q1:6"}, answered(w))
		w.reborn(w.freeze())
		w.ask("q1", "test.once")
		w.pass(time.Minute)
		if n := w.table.count("test.once"); n != 0 {
			t.Errorf("it was refused, and then executed %d times", n)
		}
	})
}

// TestAKillBeforeARefusalIsNoted: nobody has heard of the refusal, and the task goes on.
func TestAKillBeforeARefusalIsNoted(t *testing.T) {
	run(t, func(w *world) {
		disk := queueing(w)
		disk.full.Store(true)
		close(w.gate)
		w.pass(time.Second)
		frozen := w.freeze()
		disk.full.Store(false)
		w.halt() // in good order: it notes the refusal here, and not in what is frozen
		w.forget()
		w.cfg.State = frozen
		w.begin()
		w.pass(time.Second)
		expect(t, "after the restart", []string{"q1:0"}, answered(w))
		if n := w.table.count("test.once"); n != 1 {
			t.Errorf("executed %d times", n)
		}
	})
}

// TestAKillBetweenANotedRefusalAndItsResult: the ledger alone knows that the task will not be executed, and the server is told.
func TestAKillBetweenANotedRefusalAndItsResult(t *testing.T) {
	run(t, func(w *world) {
		disk := queueing(w)
		disk.full.Store(true)
		close(w.gate)
		w.pass(time.Second)
		disk.ledger.Store(true)
		w.pass(2 * w.cfg.BeatInterval)
		frozen := w.freeze()
		disk.full.Store(false)
		w.reborn(frozen)
		w.pass(time.Second)
		expect(t, "after the restart", []string{"q1:6"}, answered(w))
		if n := w.table.count("test.once"); n != 0 {
			t.Errorf("executed %d times", n)
		}
	})
}

func TestCancellingAQueuedTaskOnAFullDisk(t *testing.T) {
	run(t, func(w *world) {
		disk := queueing(w)
		disk.full.Store(true)
		ack := w.send(wire.TypeCancel, wire.Cancel{Tasks: []fettle.TaskID{"q1"}})
		w.pass(time.Second)
		if got := answered(w); got != nil || w.wasAcked(ack) {
			t.Errorf("while the disk is full: %v, acknowledged: %v", got, w.wasAcked(ack))
		}
		close(w.gate)
		w.hangUp()
		w.pass(time.Minute)
		disk.full.Store(false)
		w.pass(2 * w.cfg.BeatInterval)
		expect(t, "when there is room again", []string{"q1:9"}, answered(w))
		w.reborn(w.freeze())
		w.pass(time.Minute)
		if n := w.table.count("test.once"); n != 0 {
			t.Errorf("it was cancelled, and then executed %d times", n)
		}
	})
}
