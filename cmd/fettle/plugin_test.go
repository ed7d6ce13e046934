package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestExamplesOfPlugins runs the cases of every example, as people are told to.
func TestExamplesOfPlugins(t *testing.T) {
	for _, language := range []string{"shell", "python", "go"} {
		t.Run(language, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), language)
			if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "examples", "plugins", language))); err != nil {
				t.Fatal(err)
			}
			if language == "go" {
				build := exec.Command("go", "build", "-o", filepath.Join("bin", "hello-"+runtime.GOOS+"-"+runtime.GOARCH), ".")
				build.Dir, build.Env = dir, homely
				if out, err := build.CombinedOutput(); err != nil {
					t.Fatalf("build: %v\n%s", err, out)
				}
			}
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), []string{"fettle", "plugin", "test", dir}, strings.NewReader(""), &stdout, &stderr); code != 0 || !strings.Contains(stdout.String(), "ok") {
				t.Errorf("exit %d\n%s%s", code, &stdout, &stderr)
			}
		})
	}
}
