package fettle_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// asset is one row of web/static/THIRD_PARTY.md.
type asset struct{ file, pkg, version, origin, licence, digest string }

func TestThirdPartyFilesAreWhatTheTableSays(t *testing.T) {
	static := os.DirFS("web/static")
	for _, fault := range assetFaults(t, static) {
		t.Error(fault)
	}
}

func TestAssetCheckerSeesFaults(t *testing.T) {
	const digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // of "abc": FIPS 180-2, appendix B.1
	row := func(file, pkg, sum string) string {
		return "| " + strings.Join([]string{file, pkg, "1.0.0", file, "MIT", sum}, " | ") + " |\n"
	}
	good := row("a.js", "a", digest) + row("a.LICENSE", "a", digest)
	abc := &fstest.MapFile{Data: []byte("abc")}
	for _, tt := range []struct {
		name, table string
		files       map[string]*fstest.MapFile
		want        []string
	}{
		{"all well", good, map[string]*fstest.MapFile{"a.js": abc, "a.LICENSE": abc}, nil},
		{"a changed file", good, map[string]*fstest.MapFile{"a.js": {Data: []byte("abd")}, "a.LICENSE": abc}, []string{"a.js: sha256 is"}},
		{"a missing file", good, map[string]*fstest.MapFile{"a.LICENSE": abc}, []string{"a.js: open"}},
		{"a file without a row", good, map[string]*fstest.MapFile{"a.js": abc, "a.LICENSE": abc, "b.js": abc}, []string{"b.js: has no row"}},
		{"a file in a folder", good, map[string]*fstest.MapFile{"a.js": abc, "a.LICENSE": abc, "sub/b.js": abc}, []string{"sub: is a folder"}},
		{"a package without licence", row("a.js", "a", digest), map[string]*fstest.MapFile{"a.js": abc}, []string{"a: no licence"}},
		{"an empty table", "", nil, []string{"no rows"}},
		{"a row with a hole", "| a.js | a |  | a.js | MIT | " + digest + " |\n", map[string]*fstest.MapFile{"a.js": abc}, []string{"a row with an empty cell"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fsys := fstest.MapFS{"THIRD_PARTY.md": {Data: []byte("| file | package | version | in the package | licence | sha256 |\n|---|---|---|---|---|---|\n" + tt.table)}}
			fsys["vendor"] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
			for name, file := range tt.files {
				fsys["vendor/"+name] = file
			}
			got := assetFaults(t, fsys)
			if len(got) == 0 && len(tt.want) == 0 {
				return
			}
			for _, want := range tt.want {
				if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, want) }) {
					t.Errorf("faults %q lack %q", got, want)
				}
			}
			if len(tt.want) == 0 {
				t.Errorf("unwanted faults %q", got)
			}
		})
	}
}

// assetFaults compares the folder vendor with the table that stands beside it.
func assetFaults(t *testing.T, static fs.FS) (faults []string) {
	t.Helper()
	table, err := fs.ReadFile(static, "THIRD_PARTY.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, licensed := map[string]asset{}, map[string]bool{}
	for line := range bytes.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(string(line)), "|"), "|")
		if len(cells) != 6 || strings.Contains(cells[0], "---") || strings.TrimSpace(cells[0]) == "file" {
			continue
		}
		for i := range cells {
			if cells[i] = strings.TrimSpace(cells[i]); cells[i] == "" {
				faults = append(faults, fmt.Sprintf("a row with an empty cell: %s", line))
			}
		}
		a := asset{cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]}
		rows[a.file] = a
		licensed[a.pkg] = licensed[a.pkg] || strings.Contains(a.origin, "LICENSE")
	}
	if len(rows) == 0 {
		return append(faults, "THIRD_PARTY.md has no rows")
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		content, err := fs.ReadFile(static, "vendor/"+name)
		if err != nil {
			faults = append(faults, fmt.Sprintf("%s: %v", name, err))
		} else if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != rows[name].digest {
			faults = append(faults, fmt.Sprintf("%s: sha256 is %x, and the table says %s", name, sum, rows[name].digest))
		}
	}
	for pkg, ok := range licensed {
		if !ok {
			faults = append(faults, pkg+": no licence stands beside it")
		}
	}
	entries, err := fs.ReadDir(static, "vendor")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			faults = append(faults, e.Name()+": is a folder, and vendor may hold none (see THIRD_PARTY.md)")
		} else if _, ok := rows[e.Name()]; !ok {
			faults = append(faults, e.Name()+": has no row in THIRD_PARTY.md")
		}
	}
	return faults
}
