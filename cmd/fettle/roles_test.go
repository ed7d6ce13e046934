package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestEverywhereIsReachedByLoopback(t *testing.T) {
	f := newFleet(t, nil, func(cfg *serverSettings) { cfg.HTTP, cfg.STOMP, cfg.Insecure = ":0", "0.0.0.0:0", true })
	if url := f.m.context.URL; !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Errorf("the context leads to %s", url)
	}
	if line := f.m.ready("server"); !strings.Contains(line, " stomp=stomp://127.0.0.1:") {
		t.Errorf("got %q", line)
	}
	f.ask(t, "find", "--count").wants(t, exitNobody)
}

func TestStateIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // it has no such modes
	}
	f := newFleet(t, nil)
	f.ask(t, "token", "list").wants(t, exitOK)
	files, err := os.ReadDir(f.m.cfg.State)
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		info, err := os.Stat(filepath.Join(f.m.cfg.State, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			t.Errorf("%s has mode %o", file.Name(), mode)
		}
	}
}
