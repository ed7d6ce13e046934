//go:build unix

package actions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/wire"
)

const tryManifest = `name: try
version: 1.0.0
description: A plugin for tests.
executable: try.sh
platforms: facts.kernel == "Linux"
actions:
  - name: "%"
    description: Whatever the program does.
    inputs:
      - {name: word, type: string, default: hello}
      - {name: rack, type: string, required: true, from: facts.rack}
      - {name: pass, type: string, secret: true}
    outputs:
      - {name: count, type: int}
      - {name: names, type: list}
`

// tryPlugin makes a plugin whose one action is a shell script.
func tryPlugin(t *testing.T, version, script string) string {
	t.Helper()
	dir := t.TempDir()
	manifest := strings.NewReplacer(`"%"`, "it", "1.0.0", version).Replace(tryManifest)
	for name, text := range map[string]string{plugins.ManifestName: manifest, "try.sh": "#!/bin/sh\nread -r request\n" + script} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var tryNode = Place{Node: "web1", Known: Known{Facts: []byte(`{"kernel":"Linux","rack":"r7"}`), Classes: []string{"web"}}}

func doTry(t *testing.T, script string, call Call) Outcome {
	t.Helper()
	p, err := OpenPlugin(tryPlugin(t, "1.0.0", script))
	if err != nil {
		t.Fatal(err)
	}
	call.Action = "try.it"
	return p.Do(t.Context(), call, tryNode)
}

func TestPluginDoes(t *testing.T) {
	var mu sync.Mutex
	var streamed strings.Builder
	call := Call{Task: "t1", Caller: "anna", Inputs: map[string]any{"pass": "geheim"}, Stream: func(stream string, chunk []byte) {
		mu.Lock()
		defer mu.Unlock()
		streamed.WriteString(stream + ":" + string(chunk))
	}}
	out := doTry(t, `
case $request in *'"pass":"geheim"'*'"identity":"web1"'*'"caller":"anna"'*) known=yes;; esac
echo a word for the log >&2
echo '{"type":"output","text":"'$FETTLE_INPUT_WORD $FETTLE_INPUT_RACK $FETTLE_ACTION $known [$FETTLE_INPUT_PASS]'"}'
echo '{"type":"progress","fraction":0.5,"text":"half"}'
[ "$(pwd)" = "$FETTLE_WORKSPACE" ] && [ -z "$(ls)" ] && echo '{"type":"data","data":{"names":["a","b"]}}'
echo '{"type":"result","status":"ok","message":"done","data":{"count":7}}'`, call)
	want := Outcome{Message: "done", Data: map[string]any{
		"count": int64(7), "names": []string{"a", "b"}, "output": "hello r7 it yes []\n", "log": "a word for the log\n",
	}}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"stdout:hello r7 it yes []\n", "stdout:[ 50%] half\n", "stderr:a word for the log\n"} {
		if !strings.Contains(streamed.String(), want) {
			t.Errorf("streamed %q, want %q in it", streamed.String(), want)
		}
	}
}

func TestPluginThatDoesNotDoWell(t *testing.T) {
	const ok = `echo '{"type":"result","status":"ok"}'`
	for _, tt := range []struct {
		name, script string
		status       fettle.Status
		message      string
	}{
		{"it says no", `echo '{"type":"result","status":"failed","message":"disk is full"}'`, fettle.StatusFailed, "disk is full"},
		{"it says no, and exits so", `echo '{"type":"result","status":"failed"}'; echo because >&2; exit 1`, fettle.StatusFailed, "because"},
		{"it crashes", "echo boom >&2; exit 3", fettle.StatusOther, "plugin try crashed: it exited 3 without a result: boom"},
		{"it is killed", ok + "; kill -SEGV $$", fettle.StatusOther, "plugin try crashed: it was ended by signal SEGV"},
		{"it says nothing", "true", fettle.StatusOther, "plugin try ended without a result"},
		{"it says ok, and exits otherwise", ok + "; exit 2", fettle.StatusOther, "plugin try said ok, and exited 2"},
		{"it prints text", "echo hello; " + ok, fettle.StatusOther, "plugin try broke its protocol: line 1 of what it printed breaks the protocol"},
		{"it prints noise", "head -c 300000 /dev/urandom; " + ok, fettle.StatusOther, "plugin try broke its protocol"},
		{"it prints without end", "yes", fettle.StatusTimeout, "timed out after"},
		{"an output that nobody declared", `echo '{"type":"result","status":"ok","data":{"free":1}}'`, fettle.StatusOther, `output "free", which the manifest does not declare`},
		{"an output of another type", `echo '{"type":"result","status":"ok","data":{"count":"many"}}'`, fettle.StatusOther, "output count has to be a whole number"},
		{"it takes too long", "trap '' TERM; sleep 60 & wait", fettle.StatusTimeout, "plugin try timed out after"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			call := Call{Timeout: time.Minute}
			if tt.status == fettle.StatusTimeout {
				call.Timeout = 300 * time.Millisecond
			}
			out := doTry(t, tt.script, call)
			if out.Status != tt.status || !strings.Contains(out.Message, tt.message) {
				t.Errorf("got %s, %q, want %s, %q", out.Status, out.Message, tt.status, tt.message)
			}
		})
	}
}

func TestPluginIsHeldToItsManifest(t *testing.T) {
	p, err := OpenPlugin(tryPlugin(t, "1.0.0", "touch ran"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		call    Call
		facts   string
		status  fettle.Status
		message string
	}{
		"an action that is none":    {Call{Action: "try.other"}, `{"kernel":"Linux","rack":"r"}`, fettle.StatusUnknownAction, "it has try.it"},
		"an input that is none":     {Call{Action: "try.it", Inputs: map[string]any{"x": "y"}}, `{"kernel":"Linux","rack":"r"}`, fettle.StatusInvalidInput, "input x"},
		"a fact that is missing":    {Call{Action: "try.it"}, `{"kernel":"Linux"}`, fettle.StatusMissingInput, "this node has no facts.rack"},
		"another platform":          {Call{Action: "try.it"}, `{"kernel":"Darwin","rack":"r"}`, fettle.StatusRefused, `plugin try is not for this node: facts.kernel == "Linux" is false`},
		"a platform that is unsaid": {Call{Action: "try.it"}, `{}`, fettle.StatusRefused, "is undefined: facts.kernel"},
	} {
		if out := p.Do(t.Context(), tt.call, Place{Node: "n", Known: Known{Facts: []byte(tt.facts)}}); out.Status != tt.status || !strings.Contains(out.Message, tt.message) {
			t.Errorf("%s: %s, %q", name, out.Status, out.Message)
		}
	}
	at := tryNode
	at.Policy = func(context.Context, Call) error { return &denied{"never"} }
	if out := p.Do(t.Context(), Call{Action: "try.it"}, at); out.Status != fettle.StatusRefused || out.Message != "never" {
		t.Errorf("a policy: %+v", out)
	}
}

// depot hands out archives, as a server does.
type depot struct {
	mu       sync.Mutex
	archives map[string][]byte
	vouchers map[string]wire.Voucher
	asked    int
}

// put packs a plugin, and gives what names it.
func (d *depot) put(t *testing.T, dir string) fettle.PluginRef {
	t.Helper()
	raw, m, err := plugins.Pack(dir)
	if err != nil {
		t.Fatal(err)
	}
	ref := fettle.PluginRef{Name: m.Name, Version: m.Version, Digest: plugins.Digest(raw), Size: int64(len(raw))}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.archives == nil {
		d.archives, d.vouchers = map[string][]byte{}, map[string]wire.Voucher{}
	}
	d.archives[ref.Digest] = raw
	d.vouchers[ref.Digest] = wire.Voucher{Name: ref.Name, Version: ref.Version, Digest: ref.Digest, Size: ref.Size}
	return ref
}

func (d *depot) fetch(_ context.Context, digest string, _ int64, w io.Writer) (wire.Voucher, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	raw, is := d.archives[digest]
	if !is {
		return wire.Voucher{}, fmt.Errorf("nobody has it: %w", fettle.ErrNotFound)
	}
	_, err := w.Write(raw)
	return d.vouchers[digest], err
}

func TestShelf(t *testing.T) {
	d := &depot{}
	ref := d.put(t, tryPlugin(t, "1.0.0", `echo '{"type":"result","status":"ok"}'`))
	state := filepath.Join(t.TempDir(), "plugins")
	open := func() *Table {
		return checkTable(t, Config{Node: "web1", Shelf: state, Fetch: d.fetch, Known: func() Known { return tryNode.Known }})
	}
	table := open()
	task := fettle.Task{Action: "try.it", Plugin: &ref}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if out := table.Prepare(t.Context(), task); out != nil {
				t.Errorf("%+v", out)
			}
			if out := table.Do(t.Context(), Call{Action: "try.it", Plugin: &ref}); out.Status != fettle.StatusOK {
				t.Errorf("%+v", out)
			}
		})
	}
	wg.Wait()
	if d.asked != 1 {
		t.Errorf("it was fetched %d times", d.asked)
	}
	if got := table.Plugins(); got["try"] != "1.0.0" {
		t.Errorf("plugins are %v", got)
	}
	if m, err := table.Manifest("try.it", &ref); err != nil || m.Name != "try.it" {
		t.Error(m, err)
	}
	info, err := os.Stat(state)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v", info.Mode(), err)
	}

	t.Run("it is here after a restart", func(t *testing.T) {
		again := open()
		if got := again.Plugins(); got["try"] != "1.0.0" {
			t.Errorf("plugins are %v", got)
		}
		if out := again.Prepare(t.Context(), task); out != nil || d.asked != 1 {
			t.Errorf("%+v, asked %d times", out, d.asked)
		}
	})
	t.Run("what was changed on disk is fetched again", func(t *testing.T) {
		for _, name := range []string{archiveName, filesName + "/try.sh"} {
			if err := os.WriteFile(filepath.Join(state, ref.Digest, name), []byte("evil"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		again := open()
		if out := again.Prepare(t.Context(), task); out != nil || d.asked != 2 {
			t.Errorf("%+v, asked %d times", out, d.asked)
		}
		if out := again.Do(t.Context(), Call{Action: "try.it", Plugin: &ref}); out.Status != fettle.StatusOK {
			t.Errorf("%+v", out)
		}
	})
	t.Run("half of one is thrown away", func(t *testing.T) {
		if err := os.MkdirAll(filepath.Join(state, "new-1"), 0o700); err != nil {
			t.Fatal(err)
		}
		open()
		if _, err := os.Stat(filepath.Join(state, "new-1")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
}

func TestShelfRefuses(t *testing.T) {
	d := &depot{}
	ref := d.put(t, tryPlugin(t, "1.0.0", "true"))
	other := d.put(t, tryPlugin(t, "2.0.0", "true"))
	table := checkTable(t, Config{Node: "web1", Shelf: t.TempDir(), Fetch: d.fetch})
	try := func(ref fettle.PluginRef) *Outcome {
		return table.Prepare(t.Context(), fettle.Task{Action: "try.it", Plugin: &ref})
	}
	for name, tt := range map[string]struct {
		ref     fettle.PluginRef
		spoil   func()
		status  fettle.Status
		message string
	}{
		"an archive that is another": {ref, func() { d.archives[ref.Digest] = d.archives[other.Digest] }, fettle.StatusRefused, "was asked for"},
		"a voucher of another": {other, func() {
			v := d.vouchers[other.Digest]
			v.Version = "1.0.0"
			d.vouchers[other.Digest] = v
		}, fettle.StatusRefused, "the voucher is of try 1.0.0"},
		"one that is not there":   {fettle.PluginRef{Name: "try", Version: "9", Digest: strings.Repeat("a", 64)}, func() {}, fettle.StatusOther, "nobody has it"},
		"a digest that is a path": {fettle.PluginRef{Name: "try", Version: "9", Digest: "../../../etc"}, func() {}, fettle.StatusOther, "does not say where it is"},
	} {
		tt.spoil()
		if out := try(tt.ref); out == nil || out.Status != tt.status || !strings.Contains(out.Message, tt.message) {
			t.Errorf("%s: %+v", name, out)
		}
	}
	if entries, err := os.ReadDir(table.shelf.dir); err != nil || len(entries) != 0 {
		t.Errorf("%d things were left behind, %v", len(entries), err)
	}
	none := checkTable(t, Config{})
	if out := none.Prepare(t.Context(), fettle.Task{Action: "try.it", Plugin: &ref}); out == nil || out.Status != fettle.StatusOther {
		t.Errorf("without a shelf: %+v", out)
	}
}

func TestShelfLetsGoWhatIsNotUsed(t *testing.T) {
	d := &depot{}
	table := checkTable(t, Config{Node: "web1", Shelf: t.TempDir(), ShelfBytes: 4000, Fetch: d.fetch, Known: func() Known { return tryNode.Known }})
	var last fettle.PluginRef
	for n := range 5 {
		last = d.put(t, tryPlugin(t, "1.0."+strconv.Itoa(n), "true"))
		if out := table.Prepare(t.Context(), fettle.Task{Action: "try.it", Plugin: &last}); out != nil {
			t.Fatalf("%+v", out)
		}
	}
	if got := folderSize(table.shelf.dir); got > 4000 {
		t.Errorf("the shelf has %d bytes", got)
	}
	if got := table.Plugins()["try"]; got != last.Version {
		t.Errorf("version %s is left, want %s", got, last.Version)
	}
}
