package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
)

func TestInputsOfFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a := &app{}
	plain, binary, large := file("a=b", "x=1\n"), file("binary", "\xff\x00"), file("large", strings.Repeat("x", maxInputFile+1))
	for _, tt := range []struct {
		words []string
		want  map[string]any
	}{
		{[]string{"path=/etc/x", "content@=" + plain}, map[string]any{"path": "/etc/x", "content": "x=1\n"}},
		{[]string{"content@=" + binary}, map[string]any{"base64": "/wA="}},
		{[]string{"content=a@=b"}, map[string]any{"content": "a@=b"}},
		{[]string{"content=@x"}, map[string]any{"content": "@x"}},
	} {
		got, err := a.readInputs(t.Context(), "file.push", tt.words)
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", tt.words, err, diff)
		}
	}
	if _, err := a.readInputs(t.Context(), "file.push", []string{"content@=" + large}); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("a large file: %v", err)
	}
	if _, err := a.readInputs(t.Context(), "file.push", []string{"content@=" + plain + "x"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
