package facts

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// withFacter gives a collector that runs facter, which is the program that is given; empty: there is none.
func withFacter(t *testing.T, program string) *Collector {
	t.Helper()
	bin := t.TempDir()
	if program != "" {
		write(t, filepath.Join(bin, "facter"), program, 0o755)
	}
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	if program == "" {
		t.Setenv("PATH", bin)
	}
	c, _ := external(t, nil)
	c.cfg.Facter = true
	return c
}

func TestFacter(t *testing.T) {
	t.Run("what it knows and we do not is added", func(t *testing.T) {
		c := withFacter(t, "#!/bin/sh\necho noise >&2\n[ \"$*\" = --json ] && echo '{\"facterversion\":\"4.3.0\",\"kernel\":\"Other\",\"os\":{\"name\":\"Other\",\"mine\":1},\"fettle\":{\"version\":\"9\"}}'\n")
		snapshot := collect(t, c)
		os := snapshot.Facts["os"].(object)
		if snapshot.Facts["facterversion"] != "4.3.0" || os["mine"] != int64(1) {
			t.Error("facts of facter are missing")
		}
		if snapshot.Facts["kernel"] == "Other" || os["name"] == "Other" || snapshot.Facts["fettle"].(object)["version"] != "dev" {
			t.Error("facts of ours have gone")
		}
		if len(snapshot.Errors) > 0 {
			t.Error(snapshot.Errors)
		}
	})
	t.Run("it tells what it knows, and that something is unknown", func(t *testing.T) {
		c := withFacter(t, "#!/bin/sh\necho 'Permission denied' >&2\necho '{\"facterversion\":\"4.3.0\"}'\nexit 1\n")
		if snapshot := collect(t, c); snapshot.Facts["facterversion"] != "4.3.0" || len(snapshot.Errors) > 0 {
			t.Errorf("got %v", snapshot.Errors)
		}
	})
	for name, test := range map[string]struct{ program, want string }{
		"it fails":           {"#!/bin/sh\necho broken >&2\nexit 1\n", "exit status 1: broken"},
		"it says nonsense":   {"#!/bin/sh\necho nonsense\n", "line 1"},
		"it says nothing":    {"#!/bin/sh\n", "line 1"},
		"it hangs":           {"#!/bin/sh\nsleep 600\n", "no end within"},
		"there is no facter": {"", "not installed"},
	} {
		t.Run(name, func(t *testing.T) {
			c := withFacter(t, test.program)
			c.cfg.FacterTimeout = 300 * time.Millisecond
			snapshot := collect(t, c)
			if text, _ := errorFacts(snapshot)["facter"].(string); !strings.Contains(text, test.want) {
				t.Errorf("the fact says %q, want %q in it", text, test.want)
			}
			if snapshot.Facts["kernel"] == nil {
				t.Error("native facts are lost")
			}
		})
	}
}
