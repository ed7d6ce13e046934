package plugins

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	fettle "github.com/fettle-dev/fettle"
)

// folder makes a plugin's folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o640)
		if strings.HasPrefix(name, "disk-") {
			mode = 0o750
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPackIsTheSameEverywhere(t *testing.T) {
	files := map[string]string{"plugin.yaml": diskManifest, "disk-linux-amd64": "#!/bin/sh\n", "lib/a.py": "a = 1\n"}
	first, m, err := Pack(folder(t, files))
	if err != nil || m.Name != "disk" {
		t.Fatal(m, err)
	}
	files[".git/config"], files["__pycache__/a.pyc"], files["lib/a.py~"] = "x", "x", "x"
	again := folder(t, files)
	if err := os.Chtimes(filepath.Join(again, "plugin.yaml"), time.Now(), time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	second, _, err := Pack(again)
	if err != nil || Digest(first) != Digest(second) {
		t.Errorf("the same files gave %s and %s, %v", Digest(first), Digest(second), err)
	}
	read, m, err := ReadArchive(first)
	if err != nil || m.Version != "1.2.0" {
		t.Fatal(m, err)
	}
	to := t.TempDir()
	if err := Write(read, to); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(to, "disk-linux-amd64"))
	if err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("the executable is %v, %v", info.Mode(), err)
	}
	if raw, err := os.ReadFile(filepath.Join(to, "lib", "a.py")); err != nil || string(raw) != "a = 1\n" {
		t.Errorf("%q, %v", raw, err)
	}
}

func TestPackRefuses(t *testing.T) {
	dir := folder(t, map[string]string{"plugin.yaml": diskManifest})
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Pack(dir); !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), "link") {
		t.Errorf("a link: %v", err)
	}
	if _, _, err := Pack(t.TempDir()); !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), "plugin new") {
		t.Errorf("no manifest: %v", err)
	}
}

// packed makes an archive of whatever headers say.
func packed(t testing.TB, heads ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for _, h := range heads {
		text := []byte(h.Linkname)
		if h.Typeflag == tar.TypeReg {
			h.Linkname, h.Size = "", int64(len(text))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestReadArchiveRefuses(t *testing.T) {
	file := func(name, text string) tar.Header {
		return tar.Header{Typeflag: tar.TypeReg, Name: name, Linkname: text}
	}
	manifest := file("plugin.yaml", diskManifest)
	good := packed(t, manifest, file("a", "x"))
	if _, _, err := ReadArchive(good); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	for name, archive := range map[string][]byte{
		"a way out":                packed(t, manifest, file("../evil", "x")),
		"an absolute path":         packed(t, manifest, file("/etc/evil", "x")),
		"a way round":              packed(t, manifest, file("a/../../evil", "x")),
		"a link":                   packed(t, manifest, tar.Header{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "/etc"}),
		"a hard link":              packed(t, manifest, tar.Header{Typeflag: tar.TypeLink, Name: "a", Linkname: "plugin.yaml"}),
		"a folder":                 packed(t, manifest, tar.Header{Typeflag: tar.TypeDir, Name: "a/"}),
		"a file twice":             packed(t, manifest, file("a", "x"), file("A", "y")),
		"no manifest":              packed(t, file("a", "x")),
		"a manifest that is wrong": packed(t, file("plugin.yaml", "name: x")),
		"a bomb":                   packed(t, manifest, file("a", strings.Repeat("\x00", maxUnpacked+1))),
		"half of one":              good[:len(good)/2],
		"nothing":                  nil,
		"text":                     []byte("hello"),
	} {
		if files, _, err := ReadArchive(archive); !errors.Is(err, fettle.ErrInvalid) || files != nil {
			t.Errorf("%s: %d files, %v", name, len(files), err)
		}
	}
}

func FuzzReadArchive(f *testing.F) {
	f.Add(packed(f, tar.Header{Typeflag: tar.TypeReg, Name: "plugin.yaml", Linkname: diskManifest}))
	f.Add([]byte("\x28\xb5\x2f\xfd"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, _, err := ReadArchive(raw); err != nil && !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%v is of no kind", err)
		}
	})
}

func TestCases(t *testing.T) {
	dir := folder(t, map[string]string{
		"cases/ok.yaml":  "action: usage\ninputs: {path: /, n: 3}\ndata: {used: 71, names: [a, b]}\nmatches: {text: '^x'}\nabsent: [files]\n",
		"cases/bad.yaml": "action: usage\nstatus: failed\nmessage: no such\ntimeout: 2s\n",
	})
	cases, err := ReadCases(dir)
	if err != nil || len(cases) != 2 || cases[0].Name != "bad" || cases[1].Inputs["n"] != int64(3) {
		t.Fatalf("%+v, %v", cases, err)
	}
	if got := cases[1].Judge(0, "", map[string]any{"used": 71.0, "names": []string{"a", "b"}, "text": "xy"}); got != nil {
		t.Errorf("what is right has faults: %q", got)
	}
	want := []string{`output files is 1, want none`, `output names is [a], want [a b]`, `output text is not there, want one that matches ^x`, `output used is 70, want 71`}
	if diff := cmp.Diff(want, cases[1].Judge(0, "", map[string]any{"used": 70.0, "names": []string{"a"}, "files": 1})); diff != "" {
		t.Error(diff)
	}
	if got := cases[0].Judge(fettle.StatusOK, "fine", nil); len(got) != 2 {
		t.Errorf("%q", got)
	}
	for text, want := range map[string]string{"inputs: {}": "names no action", "action: x\nstatus: good": `status "good"`, "action: x\nstat: ok": "cases/x.yaml:2: unknown field"} {
		if _, err := ReadCases(folder(t, map[string]string{"cases/x.yaml": text})); !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
