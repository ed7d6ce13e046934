package agent

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestIDs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ids.json")
	quiet := slog.New(slog.DiscardHandler)
	open := func(t *testing.T) *idSeries {
		t.Helper()
		s, err := openIDs(path, quiet)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	last := ""
	ascends := func(t *testing.T, s *idSeries, n int) {
		t.Helper()
		for range n {
			id := s.next()
			if id <= last {
				t.Fatalf("%s comes after %s", id, last)
			}
			if u, err := uuid.Parse(id); err != nil || u.Version() != 7 || u.Variant() != uuid.RFC4122 {
				t.Fatalf("%s: %v", id, err)
			}
			last = id
		}
	}
	t.Run("they go by the clock", func(t *testing.T) {
		before := time.Now().UnixMilli()
		s := open(t)
		ascends(t, s, 10_000)
		if at := int64(tickOf(uuid.MustParse(last)) / ticksPerMilli); at < before || at > time.Now().UnixMilli()+1 {
			t.Errorf("%s was made at %d", last, at)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("an agent that stopped leaves no gap", func(t *testing.T) {
		ascends(t, open(t), 1)
		if at := int64(tickOf(uuid.MustParse(last)) / ticksPerMilli); at > time.Now().UnixMilli()+1 {
			t.Errorf("%s is ahead by %d ms", last, at-time.Now().UnixMilli())
		}
	})
	t.Run("over kills", func(t *testing.T) {
		for range 100 {
			ascends(t, open(t), 3)
		}
		if ahead := int64(tickOf(uuid.MustParse(last))/ticksPerMilli) - time.Now().UnixMilli(); ahead > 15*time.Minute.Milliseconds() {
			t.Errorf("a hundred kills have moved them ahead by %d ms", ahead)
		}
	})
	t.Run("over a kill, and a clock that was set back by two days", func(t *testing.T) {
		fast := time.Now().Add(48 * time.Hour).UnixMilli()
		if err := os.WriteFile(path, []byte(`{"until":`+strconv.FormatInt(fast, 10)+`}`), 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t)
		ascends(t, s, 20_000)
		if at := int64(tickOf(uuid.MustParse(last)) / ticksPerMilli); at < fast || at > fast+5000 {
			t.Errorf("%d, and it began at %d", at, fast)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
		ascends(t, open(t), 1)
	})
	t.Run("a damaged file is none, and said", func(t *testing.T) {
		for _, text := range []string{"", "{", `{"until":-1}`, `{"until":9e18}`, `{"until":281474976710655}`, `[]`} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var said strings.Builder
			s, err := openIDs(path, slog.New(slog.NewTextHandler(&said, nil)))
			if err != nil || !strings.Contains(said.String(), "damaged") {
				t.Errorf("%q: %v, %q", text, err, said.String())
				continue
			}
			if at := int64(tickOf(uuid.MustParse(s.next())) / ticksPerMilli); at > time.Now().UnixMilli()+1 {
				t.Errorf("%q: made at %d", text, at)
			}
		}
	})
	t.Run("a disk that takes nothing is told of once, and there are ids", func(t *testing.T) {
		var said strings.Builder
		log := slog.New(slog.NewTextHandler(&said, nil))
		if _, err := openIDs(filepath.Join(path, "not a folder"), log); err == nil {
			t.Fatal("a file is no folder")
		}
		s, err := openIDs(filepath.Join(t.TempDir(), "none", "ids.json"), log)
		if err != nil {
			t.Fatal(err)
		}
		last = ""
		ascends(t, s, 3)
		if n := strings.Count(said.String(), "not kept"); n != 1 {
			t.Errorf("%d times: %s", n, said.String())
		}
	})
}
