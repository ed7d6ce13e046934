package facts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of external facts.
const (
	maxFile     = MaxDocument // bytes of one file, or of what one program prints
	maxFiles    = 500         // in one directory
	maxPrograms = 4           // run at the same time: they are mostly shells that wait for others
)

// ignored are the endings of files that editors and packages leave behind.
var ignored = []string{"~", ".bak", ".swp", ".orig", ".rej", ".disabled", ".dpkg-old", ".dpkg-new", ".dpkg-dist", ".dpkg-tmp", ".rpmsave", ".rpmnew", ".rpmorig"}

// fragment is one file of external facts, and what came of it.
type fragment struct {
	path  string
	facts object
	err   error
}

// external puts the facts of all directories: later directories first, and in each by name, so that the earlier directory and the later name
// win. A missing directory is no fault.
func (c *Collector) external(ctx context.Context, doc *document) {
	var fragments []*fragment
	for _, dir := range slices.Backward(c.cfg.Dirs) {
		paths, err := fragmentPaths(dir)
		if err != nil {
			doc.fail(dir, err)
		}
		for _, path := range paths {
			fragments = append(fragments, &fragment{path: path})
		}
	}
	var wait sync.WaitGroup
	slots := make(chan struct{}, maxPrograms)
	for _, f := range fragments {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			f.facts, f.err = c.read(ctx, f.path)
		})
	}
	wait.Wait()
	for _, f := range fragments {
		if f.err != nil {
			doc.fail(f.path, f.err)
		}
		if len(f.facts) > 0 {
			doc.put(f.path, lowerKeys(f.facts))
		}
	}
}

// fragmentPaths lists the files of a directory that may hold facts, by name.
func fragmentPaths(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list external facts: %w", err)
	}
	var paths []string
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") || slices.ContainsFunc(ignored, func(end string) bool { return strings.HasSuffix(name, end) }) {
			continue
		}
		if len(paths) == maxFiles {
			return paths, fmt.Errorf("more than %d files: %w", maxFiles, fettle.ErrInvalid)
		}
		paths = append(paths, filepath.Join(dir, name))
	}
	return paths, nil
}

// read gives the facts of one file, by its ending, or else by running it where it is a program. Other files are none of ours.
func (c *Collector) read(ctx context.Context, path string) (object, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read external facts: %w", err)
	}
	if info.IsDir() {
		return nil, nil
	}
	if !info.Mode().IsRegular() { // a pipe would hold us up for ever
		return nil, fmt.Errorf("neither a file nor a program: %w", fettle.ErrInvalid)
	}
	parse := map[string]func([]byte) (object, error){".txt": parseText, ".json": parseJSON, ".yaml": parseYAML, ".yml": parseYAML}
	if parse := parse[strings.ToLower(filepath.Ext(path))]; parse != nil {
		raw, err := readFile(path)
		if err != nil {
			return nil, err
		}
		return parse(raw)
	}
	command := program(path, info)
	if command == nil || c.cfg.NoPrograms {
		return nil, nil
	}
	if info.Mode().Perm()&0o002 != 0 && runtime.GOOS != "windows" { // where a mode says nothing
		return nil, fmt.Errorf("anyone may write to this program, so it is not run: %w", fettle.ErrDenied)
	}
	raw, err := run(ctx, command, c.cfg.Timeout)
	if err != nil {
		return nil, err
	}
	return parseOutput(raw)
}

// readFile reads a file that is not larger than facts may be.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read external facts: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read external facts: %w", err)
	}
	if len(raw) > maxFile {
		return nil, fmt.Errorf("more than %d bytes: %w", maxFile, fettle.ErrInvalid)
	}
	return raw, nil
}
