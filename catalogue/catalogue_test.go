package catalogue

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/store/storetest"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// fleet is a catalogue with a store and keys of its own.
type fleet struct {
	*Catalogue
	store *store.Store
	keys  *trust.Authority
}

func open(t *testing.T) *fleet {
	t.Helper()
	st := storetest.Open(t)
	keys, err := trust.OpenAuthority(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{store: st, keys: keys}
	f.again(t)
	return f
}

// again has a server that starts anew read what is kept.
func (f *fleet) again(t *testing.T) {
	t.Helper()
	f.Catalogue = New(Config{Store: f.store, Signer: f.keys, Verifier: trust.NewPinned(f.keys.Root(), f.keys.Certificate().MinEpoch, whenever)})
	if err := f.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func whenever() (fettle.Millis, bool) { return 0, false }

// archive packs a plugin of a version; noise makes it as long as that.
func archive(t *testing.T, version, script string, noise int) []byte {
	t.Helper()
	dir := t.TempDir()
	body := make([]byte, noise)
	for i, x := 0, uint32(7); i < noise; i++ {
		x = x*1664525 + 1013904223
		body[i] = byte(x >> 24)
	}
	manifest := "name: disk\nversion: " + version + "\ndescription: Disks.\nexecutable: run\nplatforms: facts.kernel == \"Linux\"\nactions: [{name: usage, description: How full.}]\n"
	for name, text := range map[string][]byte{plugins.ManifestName: []byte(manifest), "run": []byte(script), "noise": body} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	raw, _, err := plugins.Pack(dir)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (f *fleet) push(t *testing.T, version string) {
	t.Helper()
	if _, _, err := f.Push(t.Context(), archive(t, version, version, 10), "anna"); err != nil {
		t.Fatal(err)
	}
}

// uses tells which version is used, and by which action.
func (f *fleet) uses(t *testing.T, want string) {
	t.Helper()
	use, err := f.Action("disk.usage")
	if err != nil || use.Ref.Version != want {
		t.Errorf("version %q is used, want %q: %v", use.Ref.Version, want, err)
	}
}

func TestVersionsComeAndGo(t *testing.T) {
	f, ctx := open(t), t.Context()
	if _, err := f.Action("disk.usage"); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("before there is any: %v", err)
	}
	f.push(t, "1.0.0")
	f.push(t, "1.0.0") // the same once more
	f.push(t, "1.1.0")
	f.uses(t, "1.1.0")
	if _, _, err := f.Push(ctx, archive(t, "1.1.0", "other", 10), "anna"); !errors.Is(err, fettle.ErrConflict) || !strings.Contains(err.Error(), "raise version") {
		t.Errorf("another content: %v", err)
	}
	must := func(_ Plugin, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(f.Rollback(ctx, "disk", "anna"))
	f.uses(t, "1.0.0")
	f.again(t)
	f.uses(t, "1.0.0")
	must(f.Rollback(ctx, "disk", "anna"))
	f.uses(t, "1.1.0")
	must(f.Pin(ctx, "disk", "1.0.0", "anna"))
	f.push(t, "1.2.0")
	f.uses(t, "1.0.0")
	if err := f.Remove(ctx, "disk", "1.0.0", "anna"); !errors.Is(err, fettle.ErrConflict) {
		t.Errorf("what is pinned was removed: %v", err)
	}
	must(f.Unpin(ctx, "disk", "anna"))
	f.uses(t, "1.2.0")
	if err := f.Remove(ctx, "disk", "1.2.0", "anna"); err != nil {
		t.Fatal(err)
	}
	f.uses(t, "1.0.0")
	if _, err := f.Pin(ctx, "disk", "9", "anna"); !errors.Is(err, fettle.ErrNotFound) || !strings.Contains(err.Error(), "1.1.0 1.0.0") {
		t.Errorf("pin of nothing: %v", err)
	}
	if err := f.Remove(ctx, "disk", "", "anna"); err != nil {
		t.Fatal(err)
	}
	f.again(t)
	if got := f.Plugins(); len(got) != 0 {
		t.Errorf("%d are left", len(got))
	}
	if _, err := f.Rollback(ctx, "disk", "anna"); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("of nothing: %v", err)
	}
}

func TestPiecesMakeTheArchive(t *testing.T) {
	f, raw := open(t), archive(t, "1.0.0", "x", 3*wire.PieceSize)
	if _, _, err := f.Push(t.Context(), raw, "anna"); err != nil {
		t.Fatal(err)
	}
	digest := plugins.Digest(raw)
	var got []byte
	for round := range 2 { // from the store, and from memory
		got = nil
		for n := 0; len(got) < len(raw); n++ {
			p, err := f.Piece(t.Context(), wire.Fetch{Digest: digest, Piece: n})
			if err != nil || p.Fault != "" || p.Size != int64(len(raw)) || (p.Voucher != nil) != (n == 0) {
				t.Fatalf("round %d, piece %d: %+v, %v", round, n, p, err)
			}
			if n == 0 {
				if err := p.Voucher.Check(trust.NewPinned(f.keys.Root(), 0, whenever)); err != nil || p.Voucher.Name != "disk" {
					t.Errorf("the voucher: %+v, %v", p.Voucher, err)
				}
			}
			got = append(got, p.Data...)
		}
	}
	if !bytes.Equal(got, raw) {
		t.Error("the pieces are another archive")
	}
	whole, err := f.Archive(t.Context(), "disk", "1.0.0")
	if err != nil || !bytes.Equal(whole, raw) {
		t.Errorf("%d bytes, %v", len(whole), err)
	}
	for name, ask := range map[string]wire.Fetch{
		"no such archive": {Digest: strings.Repeat("a", 64)}, "no such piece": {Digest: digest, Piece: 99}, "a piece below": {Digest: digest, Piece: -1},
	} {
		if p, err := f.Piece(t.Context(), ask); err != nil || p.Fault == "" || p.Data != nil {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestWhatNobodySignedIsNotUsed(t *testing.T) {
	f := open(t)
	f.push(t, "1.0.0")
	releases, err := f.store.Releases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	forged := releases[0]
	evil := archive(t, "1.0.0", "evil", 10)
	forged.Digest, forged.Size = plugins.Digest(evil), int64(len(evil))
	if err := f.store.SaveRelease(t.Context(), forged, [][]byte{evil}, nil); err != nil {
		t.Fatal(err)
	}
	f.again(t)
	if _, err := f.Action("disk.usage"); !errors.Is(err, fettle.ErrConflict) || !strings.Contains(err.Error(), "not signed by this fleet") {
		t.Errorf("it is used: %v", err)
	}
	if p, err := f.Piece(t.Context(), wire.Fetch{Digest: forged.Digest}); err != nil || p.Fault == "" || p.Data != nil {
		t.Errorf("it is handed out: %+v, %v", p, err)
	}
	if len(f.Actions()) != 0 {
		t.Error("it is listed")
	}
	_, key, _ := ed25519.GenerateKey(nil)
	stranger := wire.Voucher{Name: "disk", Version: "1.0.0"}.Sign(wire.KeySigner{ID: "x", Key: key})
	if err := stranger.Check(trust.NewPinned(f.keys.Root(), 0, whenever)); !errors.Is(err, fettle.ErrDenied) {
		t.Errorf("the voucher of a stranger: %v", err)
	}
	f.push(t, "1.0.0") // pushing it again mends it
	f.uses(t, "1.0.0")
}

func TestPlatforms(t *testing.T) {
	f := open(t)
	f.push(t, "1.0.0")
	use, err := f.Action("disk.usage")
	if err != nil {
		t.Fatal(err)
	}
	for kernel, want := range map[string]bool{"Linux": false, "Darwin": true, "": true} {
		if why := use.Forbids(t.Context(), kernelOf(kernel)); (why != "") != want {
			t.Errorf("%q: %q", kernel, why)
		}
	}
}

// kernelOf is a node that has that kernel, or no facts.
type kernelOf string

func (k kernelOf) Name(name string) (any, bool) {
	if name != "facts" || k == "" {
		return nil, false
	}
	return map[string]any{"kernel": string(k)}, true
}

func TestPushAgentTakesProgramsOfFettleOnly(t *testing.T) {
	f := open(t)
	own, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for name, program := range map[string][]byte{"text": []byte("#!/bin/sh\n"), "another program": own} {
		if _, err := f.PushAgent(t.Context(), program, "1.0.0", "anna"); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := f.RemoveAgent(t.Context(), "1.0.0"); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("remove: %v", err)
	}
}

func TestOneProgramHasOneVersion(t *testing.T) {
	all := []Version{
		{Version: "1.0.0", Platform: "linux/amd64", Digest: "a"},
		{Version: "1.0.0", Platform: "linux/arm64", Digest: "b"},
		{Version: "0.9.0", Platform: "linux/amd64", Digest: "c", Fault: "nobody signed it"},
	}
	for name, row := range map[string]struct {
		version, digest string
		want            string // empty: it may be pushed
	}{
		"a new one":                            {"1.1.0", "d", ""},
		"the same once more":                   {"1.0.0", "a", ""},
		"the same in place of one with faults": {"0.9.0", "d", ""},
		"another under a version that is here": {"1.0.0", "d", "already, of another content"},
		"the same under another version":       {"1.1.0", "a", "fettle agent-release remove 1.0.0"},
	} {
		_, err := clash(all, store.Release{Name: AgentName, Version: row.version, Platform: "linux/amd64", Digest: row.digest})
		if row.want == "" && err != nil || row.want != "" && (!errors.Is(err, fettle.ErrConflict) || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
	}
	full := slices.Repeat(all[:1], maxAgents)
	if _, err := clash(full, store.Release{Version: "1.1.0", Platform: "linux/amd64", Digest: "d"}); !errors.Is(err, fettle.ErrConflict) {
		t.Errorf("one too many: %v", err)
	}
	if _, err := clash(full, store.Release{Version: "1.0.0", Platform: "linux/amd64", Digest: "a"}); err != nil {
		t.Errorf("the same once more, where there is no room: %v", err)
	}
}
