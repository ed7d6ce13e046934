package facts

import (
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxNativeFile is the size of the largest file that a native fact is read from: /proc/cpuinfo of a machine with 2,000 threads.
const maxNativeFile = 4 << 20

// tree is a file system under a root. What cannot be read in it is empty: a machine without the file simply lacks the fact.
type tree string

func (t tree) path(name string) string {
	if filepath.VolumeName(name) != "" { // C:\ on windows, where nothing lies under another root
		return name
	}
	return filepath.Join(string(t), name)
}

// raw gives a file's bytes, cut at maxNativeFile.
func (t tree) raw(name string) []byte {
	f, err := os.Open(t.path(name))
	if err != nil {
		return nil
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxNativeFile))
	if err != nil {
		return nil
	}
	return raw
}

// read gives a file's text, made valid UTF-8.
func (t tree) read(name string) string { return strings.ToValidUTF8(string(t.raw(name)), "\uFFFD") }

// line gives a file's text without the blanks around it.
func (t tree) line(name string) string { return strings.TrimSpace(t.read(name)) }

// names lists a directory, sorted.
func (t tree) names(name string) []string {
	entries, err := os.ReadDir(t.path(name))
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names
}

func (t tree) exists(name string) bool {
	_, err := os.Stat(t.path(name))
	return err == nil
}

func (t tree) isDir(name string) bool {
	info, err := os.Stat(t.path(name))
	return err == nil && info.IsDir()
}

// link gives the last element of what a symbolic link points to; empty: it is none.
func (t tree) link(name string) string {
	target, err := os.Readlink(t.path(name))
	if err != nil {
		return ""
	}
	return filepath.Base(target)
}
