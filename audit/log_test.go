package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/store/storetest"
)

// moody is a store that can be away.
type moody struct {
	*store.Store
	mu   sync.Mutex
	away bool // guarded by mu
}

func (m *moody) goAway(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

func (m *moody) AppendAudit(ctx context.Context, es []store.AuditEntry) error {
	m.mu.Lock()
	away := m.away
	m.mu.Unlock()
	if away {
		return fettle.ErrUnavailable
	}
	return m.Store.AppendAudit(ctx, es)
}

func newLog(t *testing.T) (*Log, *moody, string) {
	t.Helper()
	dir := t.TempDir()
	s := storetest.Open(t)
	m, file := &moody{Store: s}, filepath.Join(dir, "audit.log")
	l, err := Open(file, m, nil, func() time.Time { return time.UnixMilli(1_763_700_000_123) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, m, file
}

func entries(t *testing.T, l *Log, q Query) (actions string) {
	t.Helper()
	list, err := l.Entries(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		actions += e.Action + " "
	}
	return actions
}

// lines gives the lines of a file, each of which has to be a JSON object.
func lines(t *testing.T, file string) (all []line) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for scan := bufio.NewScanner(bytes.NewReader(raw)); scan.Scan(); {
		var one line
		if err := json.Unmarshal(scan.Bytes(), &one); err != nil {
			t.Fatalf("%v in %s", err, scan.Text())
		}
		all = append(all, one)
	}
	return all
}

func TestRecord(t *testing.T) {
	t.Run("an entry is in the store and in a file that others cannot read", func(t *testing.T) {
		l, _, file := newLog(t)
		ctx := With(t.Context(), Origin{Address: "192.0.2.1", Request: "r1"})
		if err := l.Record(ctx, "ann\nroot", "token.create", "t1", Details{"role": "admin"}); err != nil {
			t.Fatal(err)
		}
		list, err := l.Entries(t.Context(), Query{})
		if err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		want := `{"address":"192.0.2.1","request":"r1","role":"admin"}`
		if e := list[0]; e.Caller != "ann root" || e.Action != "token.create" || e.Subject != "t1" || string(e.Details) != want || e.At != 1_763_700_000_123 {
			t.Errorf("got %+v %s", e, e.Details)
		}
		one := lines(t, file)
		if len(one) != 1 || one[0].At != "2025-11-21T04:40:00.123Z" || one[0].User != "ann root" || string(one[0].Details) != want {
			t.Errorf("the file has %+v", one)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode is %v, %v", info.Mode(), err)
		}
	})
	t.Run("it is put down although who asked has gone", func(t *testing.T) {
		l, _, _ := newLog(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Record(ctx, "ann", "run.start", "r1", nil); err != nil || entries(t, l, Query{}) != "run.start " {
			t.Errorf("%v", err)
		}
	})
	t.Run("what is large is cut", func(t *testing.T) {
		l, _, _ := newLog(t)
		if err := l.Record(t.Context(), strings.Repeat("é", 1000), "run.start", "r1", Details{"filter": strings.Repeat("x", 100_000)}); err != nil {
			t.Fatal(err)
		}
		list, err := l.Entries(t.Context(), Query{})
		if err != nil || len(list[0].Caller) > maxWord+3 || len(list[0].Details) > maxDetails || !strings.Contains(string(list[0].Details), `"cut":10`) {
			t.Errorf("got %d, %s, %v", len(list[0].Caller), list[0].Details, err)
		}
	})
	t.Run("no log puts nothing down", func(t *testing.T) {
		var l *Log
		l.Note(t.Context(), "ann", "login", "", nil)
		l.Stranger(t.Context(), "ann", "login", "", nil)
		if err := errors.Join(l.Record(t.Context(), "ann", "login", "", nil), l.Close()); err != nil || entries(t, l, Query{}) != "" {
			t.Error(err)
		}
	})
}

func TestFailures(t *testing.T) {
	t.Run("what the store does not take is in the file, and in the store later, in its order", func(t *testing.T) {
		l, m, file := newLog(t)
		l.Note(t.Context(), "ann", "one", "", nil)
		m.goAway(true)
		for _, action := range []string{"two", "three"} {
			if err := l.Record(t.Context(), "ann", action, "", nil); err != nil {
				t.Errorf("the file has it, and still: %v", err)
			}
		}
		if n := len(lines(t, file)); n != 3 || entries(t, l, Query{}) != "one " {
			t.Errorf("the file has %d lines", n)
		}
		var meters strings.Builder
		l.WriteMetrics(&meters)
		if !strings.Contains(meters.String(), "fettle_audit_pending_entries 2") || !strings.Contains(meters.String(), `fettle_audit_faults_total{part="store"} 2`) {
			t.Error(meters.String())
		}
		m.goAway(false)
		l.Note(t.Context(), "ann", "four", "", nil)
		if got := entries(t, l, Query{}); got != "four three two one " {
			t.Errorf("the store has %s", got)
		}
	})
	t.Run("what neither takes is refused", func(t *testing.T) {
		l, m, file := newLog(t)
		m.goAway(true)
		if err := l.book.close(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Remove(file), os.Mkdir(file, 0o700)); err != nil {
			t.Fatal(err)
		}
		if err := l.Record(t.Context(), "ann", "run.start", "r1", nil); !errors.Is(err, fettle.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		if err := l.Ready(t.Context()); !errors.Is(err, fettle.ErrUnavailable) {
			t.Errorf("it is ready: %v", err)
		}
		m.goAway(false) // it had been tried: the store learns of it
		if err := l.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		l.Note(t.Context(), "ann", "login", "", nil)
		if got := entries(t, l, Query{}); got != "login audit.tried audit.tried run.start " {
			t.Errorf("the store has %s", got)
		}
	})
	t.Run("what had no room to wait is an entry of its own", func(t *testing.T) {
		l, m, _ := newLog(t)
		m.goAway(true)
		for range maxPending + 7 {
			l.wait(Entry{Action: "x", At: 1})
		}
		m.goAway(false)
		if err := l.catchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := l.Entries(t.Context(), Query{Action: "audit.lost"})
		if err != nil || len(list) != 1 || !strings.Contains(string(list[0].Details), `"entries":7`) {
			t.Errorf("got %v, %v", list, err)
		}
		if list, err := l.Entries(t.Context(), Query{Action: "x"}); err != nil || len(list) != maxPending {
			t.Errorf("%d entries, %v", len(list), err)
		}
	})
	t.Run("strangers fill no disk", func(t *testing.T) {
		l, _, file := newLog(t)
		now := time.Unix(1000, 0)
		l.now = func() time.Time { return now }
		for range perMinute + 50 {
			l.Stranger(t.Context(), "mallory", "login.failed", "", nil)
		}
		now = now.Add(time.Minute)
		l.Stranger(t.Context(), "mallory", "login.failed", "", nil)
		if n := len(lines(t, file)); n != perMinute+2 {
			t.Errorf("%d lines", n)
		}
		list, err := l.Entries(t.Context(), Query{Action: "audit.omitted"})
		if err != nil || len(list) != 1 || !strings.Contains(string(list[0].Details), `"entries":50`) {
			t.Errorf("got %v, %v", list, err)
		}
	})
}

func TestRotation(t *testing.T) {
	l, _, file := newLog(t)
	l.book.max = 1000
	for range 100 {
		if err := l.book.write(false, Entry{At: 1, Action: "login", Caller: strings.Repeat("a", 50)}); err != nil {
			t.Fatal(err)
		}
	}
	found, err := filepath.Glob(file + "*")
	if err != nil || len(found) != maxFiles+1 {
		t.Fatalf("files are %v, %v", found, err)
	}
	for _, name := range found {
		info, err := os.Stat(name)
		if err != nil || info.Size() > 1000 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has %d bytes and mode %v, %v", name, info.Size(), info.Mode(), err)
		}
		lines(t, name)
	}
	if err := l.book.close(); err != nil {
		t.Fatal(err)
	}
	if err := l.book.write(true, Entry{At: 1, Action: "login"}); err != nil { // it is opened again
		t.Error(err)
	}
}

func TestRun(t *testing.T) {
	l, m, _ := newLog(t)
	m.goAway(true)
	l.Note(t.Context(), "ann", "login", "", nil)
	l.every = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	m.goAway(false)
	for deadline := time.After(20 * time.Second); entries(t, l, Query{}) == ""; {
		select {
		case <-deadline:
			t.Fatal("the store was not given what waited")
		case <-time.After(20 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
