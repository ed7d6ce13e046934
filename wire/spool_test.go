package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// disk is a file system in memory that can be full, can refuse to flush, and forgets what was not flushed when the machine stops.
type disk struct {
	mu     sync.Mutex
	files  map[string]*diskFile
	room   int // bytes that can still be written; what is over comes as ENOSPC, after what fits was written
	noSync error
	syncs  int
}

type diskFile struct {
	d           *disk
	data, saved []byte
}

func newDisk() *disk { return &disk{files: map[string]*diskFile{}, room: 1 << 30} }

func (d *disk) open(path string, create bool) (wire.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[path]
	if f == nil {
		if !create {
			return nil, fs.ErrNotExist
		}
		f = &diskFile{d: d}
		d.files[path] = f
	}
	return f, nil
}

func (d *disk) set(room int, noSync error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room, d.noSync = room, noSync
}

func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if off >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	n := min(len(p), f.d.room)
	f.d.room -= n
	if need := int(off) + n; need > len(f.data) {
		f.data = append(f.data, make([]byte, need-len(f.data))...)
	}
	copy(f.data[off:], p[:n])
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (f *diskFile) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.syncs++
	if f.d.noSync != nil {
		return f.d.noSync
	}
	f.saved = bytes.Clone(f.data)
	return nil
}

func (f *diskFile) Truncate(n int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.data = f.data[:min(n, int64(len(f.data)))]
	return nil
}

func (f *diskFile) Close() error { return nil }

// stop gives the disk as it is after the machine has stopped: with nothing that was not flushed.
func (d *disk) stop() *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := newDisk()
	for path, f := range d.files {
		after.files[path] = &diskFile{d: after, data: bytes.Clone(f.saved), saved: f.saved}
	}
	return after
}

func openSpool(t testing.TB, cfg wire.SpoolConfig) *wire.Spool {
	t.Helper()
	s, err := wire.OpenSpool(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func entry(class wire.Class, id string, size int) wire.Entry {
	return wire.Entry{ID: id, Class: class, Body: bytes.Repeat([]byte{'x'}, size)}
}

func state(check, state, id string) wire.Entry {
	return wire.Entry{ID: id, Class: wire.ClassCheck, Key: check, State: state, Body: []byte(id)}
}

func put(t testing.TB, s *wire.Spool, entries ...wire.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := s.Put(t.Context(), e); err != nil {
			t.Fatalf("put %s: %v", e.ID, err)
		}
	}
}

// held gives "id" or "id*count" of all that s holds, in order.
func held(s *wire.Spool) (got []string) {
	var ids []string
	for _, e := range s.Take(1<<30, 1<<40) {
		ids = append(ids, e.ID)
		if e.Count > 1 {
			got = append(got, fmt.Sprintf("%s*%d", e.ID, e.Count))
		} else {
			got = append(got, e.ID)
		}
	}
	s.Release(ids...)
	return got
}

func expect(t testing.TB, s *wire.Spool, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, held(s)); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
}

func TestSpoolKeepsEntriesInOrderUntilTheyAreDone(t *testing.T) {
	cfg := wire.DefaultSpool(filepath.Join(t.TempDir(), "spool"))
	s := openSpool(t, cfg)
	if _, err := os.Stat(cfg.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a spool that holds nothing has a file: %v", err)
	}
	put(t, s, entry(wire.ClassResult, "a", 10), entry(wire.ClassOutput, "b", 2000), entry(wire.ClassResult, "c", 10), entry(wire.ClassResult, "a", 10))
	if got := s.Take(2, 100); len(got) != 1 || got[0].ID != "a" || string(got[0].Body) != "xxxxxxxxxx" {
		t.Fatalf("the first batch is %v", got)
	}
	if got := s.Take(1, 100); len(got) != 1 || got[0].ID != "b" {
		t.Fatalf("an entry larger than the batch does not come alone: %v", got)
	}
	s.Release("a")
	s.Done("b", "never seen")
	expect(t, s, "a", "c")
	again := openSpool(t, cfg)
	expect(t, again, "a", "c")
	again.Done("a", "c")
	if info, err := os.Stat(cfg.Path); err != nil || info.Size() != 0 {
		t.Errorf("the file of an empty spool: %v, %v", info.Size(), err)
	}
	expect(t, openSpool(t, cfg))
}

func TestSpoolAfterAKillAtAnyByte(t *testing.T) {
	dir := t.TempDir()
	cfg := wire.DefaultSpool(filepath.Join(dir, "spool"))
	s := openSpool(t, cfg)
	acknowledged := map[int64][]string{} // size of the file, what Put had returned for
	note := func(ids ...string) {
		info, err := os.Stat(cfg.Path)
		if err != nil {
			t.Fatal(err)
		}
		acknowledged[info.Size()] = ids
	}
	put(t, s, entry(wire.ClassResult, "a", 20))
	note("a")
	put(t, s, state("load", "ok", "l1"), state("load", "ok", "l2"))
	note("a", "l1", "l2")
	put(t, s, state("load", "ok", "l3"))
	note("a", "l1", "l3*2")
	s.Done("a")
	note("l1", "l3*2")
	put(t, s, entry(wire.ClassOutput, "o", 5))
	note("l1", "l3*2", "o")
	raw, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for n := range len(raw) + 1 {
		if ids, ok := acknowledged[int64(n)]; ok {
			want = ids
		}
		torn := wire.DefaultSpool(filepath.Join(dir, fmt.Sprint("torn", n)))
		if err := os.WriteFile(torn.Path, raw[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		again := openSpool(t, torn)
		if got := held(again); len(want) > 0 && !cmp.Equal(want, got) && !(len(want) == 1 && len(got) == 2) {
			t.Fatalf("cut at byte %d: %v, want %v", n, got, want)
		}
		put(t, again, entry(wire.ClassResult, "after", 3))
		if got := held(openSpool(t, torn)); len(got) == 0 || got[len(got)-1] != "after" {
			t.Fatalf("cut at byte %d: what was put after the restart is not there: %v", n, got)
		}
		_ = again.Close()
	}
}

func TestSpoolWithADamagedByte(t *testing.T) {
	dir := t.TempDir()
	cfg := wire.DefaultSpool(filepath.Join(dir, "spool"))
	s := openSpool(t, cfg)
	put(t, s, entry(wire.ClassResult, "a", 20), entry(wire.ClassResult, "b", 20))
	raw, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range raw {
		bad := bytes.Clone(raw)
		bad[n] ^= 0x10
		if err := os.WriteFile(cfg.Path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		again := openSpool(t, cfg)
		if got := held(again); n >= len(raw)/2 && !cmp.Equal(got, []string{"a"}) || n < len(raw)/2 && got != nil {
			t.Fatalf("byte %d: %v", n, got)
		}
		if again.Stats().LostAtOpening == 0 {
			t.Fatalf("byte %d: nobody is told", n)
		}
		_ = again.Close()
	}
}

func TestSpoolMergesResultsOfACheckThatAreAlike(t *testing.T) {
	d := newDisk()
	cfg := wire.DefaultSpool("spool")
	cfg.Open = d.open
	s := openSpool(t, cfg)
	put(t, s, state("load", "ok", "l1"), state("disk", "ok", "d1"), state("load", "ok", "l2"), state("load", "ok", "l3"), state("load", "ok", "l4"))
	expect(t, s, "l1", "d1", "l4*3")
	put(t, s, state("load", "critical", "l5"), state("load", "critical", "l6"), state("load", "ok", "l7"), state("disk", "ok", "d2"))
	want := []string{"l1", "d1", "l4*3", "l5", "l6", "l7", "d2"}
	expect(t, s, want...)
	cfg.Open = d.stop().open
	expect(t, openSpool(t, cfg), want...)
	s.Take(100, 1<<20)
	put(t, s, state("disk", "ok", "d3"), state("disk", "ok", "d4"))
	s.Release("l1", "d1", "l4", "l5", "l6", "l7", "d2")
	expect(t, s, "l1", "d1", "l4*3", "l5", "l6", "l7", "d2", "d4*2")
}

func TestSpoolWhatIsGivenUpFirst(t *testing.T) {
	d := newDisk()
	s := openSpool(t, wire.SpoolConfig{Path: "spool", MaxBytes: 1900, MaxMemory: 300, Headroom: 500, Open: d.open})
	big := func(e wire.Entry) wire.Entry { e.Body = make([]byte, 150); return e }
	put(t, s, entry(wire.ClassOutput, "o1", 150), big(state("load", "ok", "l1")), big(state("load", "ok", "l2")), big(state("load", "critical", "l3")),
		entry(wire.ClassOutput, "o2", 150), entry(wire.ClassResult, "r1", 150), big(state("load", "ok", "l4")), big(state("load", "ok", "l5")))
	expect(t, s, "o1", "l1", "l2", "l3", "o2", "r1", "l4", "l5")
	if s.Full() {
		t.Error("it is full before its time")
	}
	put(t, s, entry(wire.ClassResult, "r2", 400), entry(wire.ClassResult, "r3", 150))
	expect(t, s, "l1", "l2", "l3", "r1", "l4", "l5", "r2", "r3") // output went
	if !s.Full() {
		t.Error("it is not full though only its headroom is left")
	}
	put(t, s, entry(wire.ClassResult, "r4", 350))
	expect(t, s, "l1", "l3", "r1", "l4", "l5", "r2", "r3", "r4") // then what is neither a transition nor the latest
	if err := s.Put(t.Context(), entry(wire.ClassResult, "r5", 300)); !errors.Is(err, wire.ErrFull) {
		t.Errorf("a result too many: %v", err)
	}
	if err := s.Put(t.Context(), entry(wire.ClassOutput, "o3", 300)); !errors.Is(err, wire.ErrFull) {
		t.Errorf("output too much: %v", err)
	}
	expect(t, s, "l1", "l3", "r1", "l4", "l5", "r2", "r3", "r4") // what is held is kept
	put(t, s, big(state("load", "critical", "l6")), state("swap", "ok", "s1"))
	if got := held(s); got[len(got)-1] != "s1" || got[len(got)-2] != "l6" || strings.Count(fmt.Sprint(got), "r") != 4 {
		t.Errorf("what is true now does not take the place of the oldest transitions: %v", got)
	}
	if got := s.Stats().Dropped; got[wire.ClassOutput] != 2 || got[wire.ClassCheck] < 2 || got[wire.ClassResult] != 0 {
		t.Errorf("dropped: %v", got)
	}
}

func TestSpoolVolatileEntriesAreInMemoryOnly(t *testing.T) {
	d := newDisk()
	cfg := wire.SpoolConfig{Path: "spool", MaxBytes: 2000, MaxMemory: 400, Open: d.open}
	s := openSpool(t, cfg)
	for i := range 5 {
		e := entry(wire.ClassResult, fmt.Sprint("v", i), 100)
		e.Volatile = true
		put(t, s, e)
	}
	expect(t, s, "v2", "v3", "v4")
	if len(d.files) != 0 {
		t.Error("a volatile entry made a file")
	}
	huge := entry(wire.ClassResult, "huge", 500)
	huge.Volatile = true
	if err := s.Put(t.Context(), huge); !errors.Is(err, wire.ErrFull) {
		t.Errorf("an entry larger than the memory: %v", err)
	}
}

func TestSpoolWhenTheDiskIsFull(t *testing.T) {
	d := newDisk()
	cfg := wire.SpoolConfig{Path: "spool", MaxBytes: 1 << 20, MaxMemory: 1 << 20, Headroom: 1000, Open: d.open}
	s := openSpool(t, cfg)
	put(t, s, entry(wire.ClassResult, "a", 100))
	for room := range 150 {
		d.set(room, nil)
		id := fmt.Sprint("b", room)
		err := s.Put(t.Context(), entry(wire.ClassResult, id, 100))
		if room < 120 && (!errors.Is(err, fettle.ErrUnavailable) || !errors.Is(err, syscall.ENOSPC)) {
			t.Fatalf("with room for %d bytes: %v", room, err)
		}
		if err == nil {
			break
		}
		if !s.Has(id) || !s.Full() {
			t.Fatalf("with room for %d bytes: held %v, full %v", room, s.Has(id), s.Full())
		}
		cfg.Open = d.stop().open
		expect(t, openSpool(t, cfg), "a") // what was acknowledged, and nothing torn
		s.Done(id)
	}
	d.set(0, nil)
	if err := s.Put(t.Context(), entry(wire.ClassResult, "c", 100)); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v", err)
	}
	if err := s.Put(t.Context(), entry(wire.ClassResult, "c", 100)); err != nil {
		t.Errorf("an entry that is held already: %v", err)
	}
	d.set(1<<20, nil)
	put(t, s, entry(wire.ClassResult, "e", 100)) // space is back: this one and the one that was owed are written
	if st := s.Stats(); st.Owed != 0 || s.Full() {
		t.Errorf("still owed: %+v", st)
	}
	cfg.Open = d.open
	if got := held(openSpool(t, cfg)); !cmp.Equal(got[len(got)-2:], []string{"e", "c"}) || got[0] != "a" {
		t.Errorf("after space is back: %v", got)
	}
}

func TestSpoolWhenTheDiskDoesNotFlush(t *testing.T) {
	d := newDisk()
	cfg := wire.SpoolConfig{Path: "spool", MaxBytes: 1 << 20, MaxMemory: 1 << 20, Open: d.open}
	s := openSpool(t, cfg)
	put(t, s, entry(wire.ClassResult, "a", 100))
	d.set(1<<20, syscall.EIO)
	if err := s.Put(t.Context(), entry(wire.ClassResult, "b", 100)); !errors.Is(err, syscall.EIO) || !errors.Is(err, fettle.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	expect(t, s, "a", "b")
	d.set(1<<20, nil)
	put(t, s, entry(wire.ClassResult, "c", 30))
	cfg.Open = d.open
	again := held(openSpool(t, cfg))
	if diff := cmp.Diff([]string{"a", "c", "b"}, again); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSpoolSharesFlushes(t *testing.T) {
	d := newDisk()
	cfg := wire.DefaultSpool("spool")
	gate := make(chan struct{})
	cfg.Open = func(path string, create bool) (wire.File, error) {
		f, err := d.open(path, create)
		if err != nil {
			return nil, err
		}
		return gated{f, gate}, nil
	}
	s := openSpool(t, cfg)
	var puts sync.WaitGroup
	for i := range 100 {
		puts.Go(func() {
			if err := s.Put(t.Context(), entry(wire.ClassResult, fmt.Sprint(i), 10)); err != nil {
				t.Error(err)
			}
		})
	}
	for len(held(s)) < 100 { // all are written, the first flush has not ended
		runtime.Gosched()
	}
	close(gate)
	puts.Wait()
	if d.syncs > 3 {
		t.Errorf("%d flushes for 100 entries at once", d.syncs)
	}
	cfg.Open = d.stop().open
	if got := held(openSpool(t, cfg)); len(got) != 100 {
		t.Errorf("%d of 100 entries are on disk", len(got))
	}
}

type gated struct {
	wire.File
	gate chan struct{}
}

func (g gated) Sync() error {
	<-g.gate
	return g.File.Sync()
}

func TestSpoolFileStaysSmall(t *testing.T) {
	cfg := wire.DefaultSpool(filepath.Join(t.TempDir(), "spool"))
	s := openSpool(t, cfg)
	put(t, s, entry(wire.ClassResult, "stays", 1000))
	var largest int64
	for i := range 2000 {
		e := entry(wire.ClassResult, fmt.Sprint(i), 1000)
		e.Lazy = true
		put(t, s, e)
		s.Done(e.ID)
		info, err := os.Stat(cfg.Path)
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, info.Size())
	}
	if largest > 300<<10 {
		t.Errorf("the file grew to %d bytes", largest)
	}
	expect(t, s, "stays")
	expect(t, openSpool(t, cfg), "stays")
}

// TestSpoolAgainstAModel does what comes, stops the machine now and then, and compares.
func TestSpoolAgainstAModel(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		d := newDisk()
		cfg := wire.SpoolConfig{Path: "spool", MaxBytes: 1 << 20, MaxMemory: 1 << 20, Open: d.open}
		s := openSpool(t, cfg)
		must := map[string]bool{} // put and not done
		for step := range 300 {
			switch r.IntN(10) {
			case 0:
				_ = s.Close()
				d = d.stop()
				cfg.Open = d.open
				s = openSpool(t, cfg)
				got := map[string]bool{}
				for _, id := range held(s) {
					got[id] = true
				}
				for id := range must {
					if !got[id] {
						t.Fatalf("seed %d, step %d: %s is lost", seed, step, id)
					}
				}
			case 1, 2, 3:
				for _, e := range s.Take(r.IntN(5), 1<<20) {
					if r.IntN(3) == 0 {
						s.Release(e.ID)
					} else {
						s.Done(e.ID)
						delete(must, e.ID)
					}
				}
			default:
				id := fmt.Sprint(step)
				d.set(r.IntN(3)*1<<20, nil)
				if s.Put(t.Context(), entry(wire.ClassResult, id, r.IntN(3000))) == nil {
					must[id] = true
				}
			}
		}
	}
}

func FuzzSpoolFile(f *testing.F) {
	d := newDisk()
	s := openSpool(f, wire.SpoolConfig{Path: "spool", MaxBytes: 1 << 20, MaxMemory: 1 << 20, Open: d.open})
	put(f, s, entry(wire.ClassResult, "a", 5), state("load", "ok", "l"))
	s.Done("a")
	f.Add(d.files["spool"].data)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		d := newDisk()
		d.files["spool"] = &diskFile{d: d, data: raw}
		cfg := wire.SpoolConfig{Path: "spool", MaxBytes: 1 << 20, MaxMemory: 1 << 20, Open: d.open}
		before := held(openSpool(t, cfg))
		s := openSpool(t, cfg)
		put(t, s, entry(wire.ClassResult, "fresh", 5))
		if got := held(openSpool(t, cfg)); len(got) == 0 || len(got) < len(before) {
			t.Fatalf("%v became %v", before, got)
		}
	})
}
