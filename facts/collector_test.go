package facts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
)

// external gives a collector of this machine with external facts in a directory of its own, and that directory.
func external(t *testing.T, files map[string]string) (*Collector, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		write(t, filepath.Join(dir, name), text, mode)
	}
	cfg := DefaultConfig()
	cfg.Dirs, cfg.ClassesFiles, cfg.Cloud = []string{dir}, nil, false
	return New(cfg, discard()), dir
}

func collect(t *testing.T, c *Collector) Snapshot {
	t.Helper()
	snapshot, err := c.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

// errorFacts gives fettle.facts.errors.
func errorFacts(s Snapshot) object {
	facts, _ := s.Facts["fettle"].(object)["facts"].(object)
	texts, _ := facts["errors"].(object)
	return texts
}

func TestThisMachine(t *testing.T) {
	c, _ := external(t, nil)
	snapshot := collect(t, c)
	for _, fault := range snapshot.Errors {
		t.Error(fault)
	}
	for _, path := range []string{"os.name", "kernel", "networking.hostname", "memory.system.total_bytes", "processors.count", "mountpoints", "identity.user", "fettle.version"} {
		keys, err := fettle.ParsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		var value any = snapshot.Facts
		for _, key := range keys {
			value = value.(object)[key]
		}
		if value == nil {
			t.Errorf("this machine has no %s", path)
		}
	}
	took := snapshot.Took
	for range 4 { // other tests may hold the processors
		took = min(took, collect(t, c).Took)
	}
	if took > 100*time.Millisecond {
		t.Errorf("a collection took %s", took)
	}
}

func TestExternalFacts(t *testing.T) {
	c, _ := external(t, map[string]string{
		"a.txt":        "# a comment\nRole=web\n\nowner=a = b\n same = x \r\n",
		"b.json":       `{"rack": 12, "big": 9007199254740993, "huge": 18446744073709551615, "ratio": 0.5, "tags": ["a", null], "none": null, "Nested": {"Key": true, "gone": null}}`,
		"c.yaml":       "site: &s {name: ber1, live: yes, off: 'no'}\ncopy: *s\nday: 2026-11-21\nport: 0x10\na.dotted.key: 1\n",
		"d.sh":         "#!/bin/sh\necho from=program\necho 'stderr is not read' >&2\n",
		"e":            "#!/bin/sh\necho '{\"json\": {\"n\": 1}}'\n",
		"f":            "#!/bin/sh\nprintf 'yaml:\\n  - 1\\n  - two\\n'\n",
		"README":       "no program, and no fact",
		".hidden.txt":  "hidden=1",
		"old.txt.bak":  "old=1",
		"z-empty.yaml": "# nothing\n",
	})
	snapshot := collect(t, c)
	for _, fault := range snapshot.Errors {
		t.Error(fault)
	}
	got := object{}
	for _, key := range []string{
		"role", "owner", " same ", "rack", "big", "huge", "ratio", "tags", "none", "nested", "site", "copy", "day", "port", "a.dotted.key", "from", "json", "yaml", "hidden", "old",
	} {
		if value, ok := snapshot.Facts[key]; ok {
			got[key] = value
		}
	}
	site := object{"name": "ber1", "live": true, "off": "no"}
	want := object{
		"role": "web", "owner": "a = b", " same ": " x ",
		"rack": int64(12), "big": int64(9007199254740993), "huge": uint64(18446744073709551615), "ratio": 0.5, "tags": []any{"a", nil}, "nested": object{"Key": true},
		"site": site, "copy": site, "day": "2026-11-21", "port": int64(16), "a.dotted.key": int64(1),
		"from": "program", "json": object{"n": int64(1)}, "yaml": []any{int64(1), "two"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestBrokenSourcesCostThemselvesOnly(t *testing.T) {
	var log bytes.Buffer
	c, dir := external(t, map[string]string{
		"a.json":   "{\n  \"a\": 1,\n  oops\n}",
		"b.yaml":   "b: [1, 2\nc: 3\n",
		"c.yaml":   "- a list\n",
		"d.txt":    "good=1\nno equals sign\n",
		"e.txt":    "bad=\xff\xfe\n",
		"f.sh":     "#!/bin/sh\necho f=1\necho 'no such thing' >&2\nexit 3\n",
		"g.sh":     "#!/no/such/interpreter\n",
		"h.json":   `{"h": ` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
		"i.json":   `{"i": 1e999}`,
		"j.txt":    "j=" + strings.Repeat("x", maxFile) + "\n",
		"k.json":   `{"fettle": {"version": "9"}, "k": 1}`,
		"l.yaml":   "a: &a [x, x, x, x, x, x, x, x, x]\n" + bomb(9),
		"m.json":   `{"m": 1} {"m": 2}`,
		"o.yaml":   strings.Repeat("# a comment\n", maxYAML/10),
		"well.txt": "well=1\n",
	})
	if err := os.Mkdir(filepath.Join(dir, "n.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	c.log = slog.New(slog.NewTextHandler(&log, nil))
	snapshot := collect(t, c)
	if snapshot.Facts["well"] != "1" || snapshot.Facts["good"] != "1" || snapshot.Facts["k"] != int64(1) || snapshot.Facts["kernel"] == nil {
		t.Error("facts of sources that are well are missing")
	}
	if version := snapshot.Facts["fettle"].(object)["version"]; version != "dev" {
		t.Errorf("fettle.version was set from outside: %v", version)
	}
	texts := errorFacts(snapshot)
	for name, part := range map[string]string{
		"a.json": "line 3", "b.yaml": "[", "c.yaml": "no mapping", "d.txt": "line 2", "e.txt": "UTF-8", "f.sh": "exit status 3: no such thing", "g.sh": "no such file",
		"h.json": "levels", "i.json": "number", "j.txt": "more than 1048576 bytes", "k.json": "reserved", "l.yaml": "nodes", "m.json": "more than one",
		"o.yaml": "write it as JSON",
	} {
		path := filepath.Join(dir, name)
		text, _ := texts[path].(string)
		if !strings.Contains(text, part) {
			t.Errorf("%s: the fact says %q, want %q in it", name, text, part)
		}
		if !strings.Contains(log.String(), "source="+path) {
			t.Errorf("%s: the log does not name it", name)
		}
	}
	if len(snapshot.Errors) != 14 || len(texts) != 14 {
		t.Errorf("%d errors, %d facts: %v", len(snapshot.Errors), len(texts), snapshot.Errors)
	}
	if errors.Is(snapshot.Errors[0], fettle.ErrInvalid) == false {
		t.Errorf("%v is not ErrInvalid", snapshot.Errors[0])
	}

	t.Run("the log says it once, and when it has mended", func(t *testing.T) {
		log.Reset()
		collect(t, c)
		if log.Len() > 0 {
			t.Errorf("logged again: %s", log.String())
		}
		write(t, filepath.Join(dir, "a.json"), `{"a": 1}`, 0o644)
		snapshot := collect(t, c)
		if snapshot.Facts["a"] != int64(1) || !strings.Contains(log.String(), "well again") || !strings.Contains(log.String(), "a.json") {
			t.Errorf("a.json has mended, and the log says %q", log.String())
		}
	})
}

// bomb gives lines of aliases to aliases, nine at a time.
func bomb(lines int) string {
	var b strings.Builder
	for i := range lines {
		last, next := 'a'+rune(i), 'a'+rune(i)+1
		fmt.Fprintf(&b, "%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", next, next, last, last, last, last, last, last, last, last, last)
	}
	return b.String()
}

func TestPrograms(t *testing.T) {
	t.Run("one may print more lines than YAML may have", func(t *testing.T) {
		c, _ := external(t, map[string]string{"many.sh": "#!/bin/sh\ni=0\nwhile [ $i -lt 9000 ]; do i=$((i+1)); echo many$i=$i; done\n"})
		if snapshot := collect(t, c); snapshot.Facts["many9000"] != "9000" {
			t.Errorf("got %v", snapshot.Errors)
		}
	})
	t.Run("one that anyone may write to is not run", func(t *testing.T) {
		c, dir := external(t, map[string]string{"open.sh": "#!/bin/sh\necho open=1\n"})
		if err := os.Chmod(filepath.Join(dir, "open.sh"), 0o777); err != nil {
			t.Fatal(err)
		}
		snapshot := collect(t, c)
		if snapshot.Facts["open"] != nil || len(snapshot.Errors) != 1 || !errors.Is(snapshot.Errors[0], fettle.ErrDenied) {
			t.Errorf("got %v, %v", snapshot.Facts["open"], snapshot.Errors)
		}
	})
	t.Run("one that hangs is killed with its children, and costs the others nothing", func(t *testing.T) {
		c, dir := external(t, map[string]string{
			"hang.sh": "#!/bin/sh\nsleep 600 &\nsleep 600\n",
			"well.sh": "#!/bin/sh\necho well=1\n",
		})
		c.cfg.Timeout = 200 * time.Millisecond
		began := time.Now()
		snapshot := collect(t, c)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
		if snapshot.Facts["well"] != "1" {
			t.Error("the other program's fact is missing")
		}
		if text, _ := errorFacts(snapshot)[filepath.Join(dir, "hang.sh")].(string); !strings.Contains(text, "no end within 200ms") {
			t.Errorf("the fact says %q", text)
		}
	})
	t.Run("one that never stops to print is stopped", func(t *testing.T) {
		c, dir := external(t, map[string]string{"yes.sh": "#!/bin/sh\nexec yes a=b\n"})
		snapshot := collect(t, c)
		if text, _ := errorFacts(snapshot)[filepath.Join(dir, "yes.sh")].(string); !strings.Contains(text, "bytes of output") {
			t.Errorf("the fact says %q", text)
		}
	})
	t.Run("the end of ctx ends a collection", func(t *testing.T) {
		c, _ := external(t, map[string]string{"hang.sh": "#!/bin/sh\nsleep 600\n"})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := c.Collect(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("two collections do not run a program twice at the same time", func(t *testing.T) {
		c, dir := external(t, nil)
		write(t, filepath.Join(dir, "lock.sh"), "#!/bin/sh\nmkdir "+dir+"/lock || exit 1\nrmdir "+dir+"/lock\necho alone=1\n", 0o755)
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				if snapshot, err := c.Collect(t.Context()); err != nil || snapshot.Facts["alone"] != "1" {
					t.Errorf("%v, %v", snapshot.Errors, err)
				}
			})
		}
		wait.Wait()
	})
}

func TestPrecedence(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	write(t, filepath.Join(first, "a.txt"), "both=first\nname=a\n", 0o644)
	write(t, filepath.Join(first, "b.txt"), "name=b\nkernel=Mine\n", 0o644)
	write(t, filepath.Join(second, "z.txt"), "both=second\nname=z\nsecond=1\n", 0o644)
	cfg := DefaultConfig()
	cfg.Dirs = []string{first, second, filepath.Join(first, "none")}
	snapshot := collect(t, New(cfg, discard()))
	for key, want := range map[string]string{"both": "first", "name": "b", "second": "1", "kernel": "Mine"} {
		if got := snapshot.Facts[key]; got != want {
			t.Errorf("%s is %v, want %s", key, got, want)
		}
	}
}

func TestClasses(t *testing.T) {
	dir := t.TempDir()
	puppet, plain := filepath.Join(dir, "classes.txt"), filepath.Join(dir, "list")
	write(t, puppet, "settings\nmysql::server\nmysql::master\nsettings\n", 0o644)
	write(t, plain, "# by hand\n  role::web  \r\n\nmysql::master\nnot a class\n", 0o644)
	cfg := DefaultConfig()
	cfg.Dirs, cfg.ClassesFiles = nil, []string{puppet, plain, filepath.Join(dir, "none")}
	snapshot := collect(t, New(cfg, discard()))
	if diff := cmp.Diff([]string{"mysql::master", "mysql::server", "role::web", "settings"}, snapshot.Classes); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if text, _ := errorFacts(snapshot)[plain].(string); !strings.Contains(text, "line 5") {
		t.Errorf("the fact says %q", text)
	}
}

func TestValidateReportsAllFaults(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the default is faulty: %v", err)
	}
	err := Config{
		Timeout: -1, Facter: true, Cloud: true, Dirs: []string{""}, ClassesFiles: []string{""}, PuppetDirs: []string{""},
		Volatile: []string{"a..b"}, Root: "here", Metadata: "nowhere",
	}.Validate()
	if !errors.Is(err, fettle.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	for _, key := range []string{"facts-timeout", "facter-timeout", "cloud-interval", "facts-dir", "classes", "puppet-dirs", "volatile", "root", "metadata"} {
		if !strings.Contains(err.Error(), key+": ") {
			t.Errorf("no fault for %s: %v", key, err)
		}
	}
}

func BenchmarkCollect(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Dirs = nil
	c := New(cfg, discard())
	for b.Loop() {
		if _, err := c.Collect(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
