//go:build integration

package facts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

// TestAgainstFacter compares every fact of this machine with what Debian's facter says, but for the exceptions. Interfaces and mounts of others
// may come and go meanwhile: a fault counts if our facts before and after have it.
func TestAgainstFacter(t *testing.T) {
	c, _ := external(t, nil)
	before := flat(t, []byte(pretty(t, collect(t, c).Facts)))
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "facter", "--json", "--sequential")
	cmd.Stderr = &stderr
	raw, err := cmd.Output() // facter ends with 1 where it could not tell a single fact
	if len(raw) == 0 {
		t.Fatalf("run facter, which the package facter has: %v: %s", err, stderr.String())
	}
	after := flat(t, []byte(pretty(t, collect(t, c).Facts)))
	theirs := flat(t, raw)
	first, _ := compare(t, before, theirs)
	second, compared := compare(t, after, theirs)
	for written, fault := range first {
		if _, too := second[written]; too {
			t.Errorf("%s: %s", written, fault)
		}
	}
	t.Logf("%d facts of facter, %d compared; %d of ours", len(theirs), compared, len(after))
	if compared < 60 {
		t.Errorf("only %d facts were compared: %s", compared, raw)
	}
}

// compare gives what no exception allows, by path, and the number of facts that both sides have.
func compare(t *testing.T, ours, theirs map[string]leaf) (faults map[string]string, compared int) {
	t.Helper()
	allowed := map[string]Volatile{}
	for _, kind := range []string{onlyFacter, onlyFettle, differs, varies} {
		var patterns []string
		for _, e := range exceptions {
			if e.kind == kind {
				patterns = append(patterns, e.path)
			}
		}
		var err error
		if allowed[kind], err = NewVolatile(patterns); err != nil {
			t.Fatal(err)
		}
	}
	faults = map[string]string{}
	for written, their := range theirs {
		our, ok := ours[written]
		if allowed[differs].Match(their.path) || !ok && allowed[onlyFacter].Match(their.path) {
			continue
		}
		compared++
		same := reflect.DeepEqual(their.value, our.value)
		if allowed[varies].Match(their.path) {
			same = alike(their.value, our.value)
		}
		if !same {
			faults[written] = fmt.Sprintf("facter says %v, and we %v", their.value, our.value)
		}
	}
	for written, our := range ours {
		if _, ok := theirs[written]; !ok && !allowed[onlyFettle].Match(our.path) && !allowed[differs].Match(our.path) {
			faults[written] = fmt.Sprintf("we say %v, and facter nothing", our.value)
		}
	}
	return faults, compared
}

// leaf is a value and the path to it. A list is one leaf.
type leaf struct {
	path  fettle.Path
	value any
}

func flat(t *testing.T, raw []byte) map[string]leaf {
	t.Helper()
	var document object
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	leaves := map[string]leaf{}
	var walk func(path fettle.Path, value any)
	walk = func(path fettle.Path, value any) {
		inner, ok := value.(object)
		if !ok || len(inner) == 0 {
			leaves[path.String()] = leaf{path, value}
			return
		}
		for key, value := range inner {
			walk(append(path[:len(path):len(path)], key), value)
		}
	}
	walk(nil, document)
	return leaves
}

// quantity is the part of a text that varies.
var quantity = regexp.MustCompile(`[0-9.:]+`)

// alike tells whether two values of a fact that changes all the time have one type and unit, and sizes that one moment explains.
func alike(a, b any) bool {
	if reflect.TypeOf(a) != reflect.TypeOf(b) {
		return false
	}
	x, ok := a.(float64)
	if !ok {
		return quantity.MatchString(a.(string)) == quantity.MatchString(b.(string))
	}
	y := b.(float64)
	const large, factor = 1e8, 20 // bytes: kilobytes in place of bytes would show
	return x < large && y < large || x < factor*y && y < factor*x
}

// TestMergesRealFacter adds facter's facts beneath ours.
func TestMergesRealFacter(t *testing.T) {
	c, _ := external(t, nil)
	c.cfg.Facter = true
	snapshot := collect(t, c)
	for _, fault := range snapshot.Errors {
		t.Error(fault)
	}
	if snapshot.Facts["facterversion"] == nil || snapshot.Facts["kernel"] != "Linux" {
		t.Error("facter's facts are missing")
	}
}

// TestCrossCompiles builds the package for systems that nobody tests on here.
func TestCrossCompiles(t *testing.T) {
	for _, target := range []struct{ os, arch string }{{"windows", "amd64"}, {"darwin", "arm64"}} {
		t.Run(target.os, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "go", "build", ".")
			cmd.Env = append(os.Environ(), "GOOS="+target.os, "GOARCH="+target.arch, "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
