package plugins

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of a plugin's folder and of the archive that is made of it.
const (
	MaxArchive  = 16 << 20 // bytes
	maxUnpacked = 64 << 20 // bytes of all files together
	maxFiles    = 1000
	maxPathName = 255 // bytes of a path below the folder
)

// left are names that are no part of a plugin: what editors, version control and interpreters leave behind.
var left = []string{".git", ".hg", ".svn", "__pycache__", "node_modules", ".DS_Store"}

// Digest gives the SHA-256 of an archive, in hex: the name under which nodes fetch it.
func Digest(archive []byte) string {
	sum := sha256.Sum256(archive)
	return hex.EncodeToString(sum[:])
}

// Pack makes the archive of a plugin's folder: a tar, compressed by zstd, that is the same wherever and whenever the same files are packed. Files have
// mode 0755 or 0644 and no owner. A link, or what else is neither file nor folder, is ErrInvalid, and so is a folder that is out of bounds or has
// no manifest.
func Pack(dir string) (archive []byte, m Manifest, err error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, m, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, ManifestName)) // first: a folder without it is no plugin, whatever else is in it
	if errors.Is(err, fs.ErrNotExist) {
		return nil, m, fmt.Errorf("%s has no %s: fettle plugin new makes one: %w", dir, ManifestName, fettle.ErrInvalid)
	} else if err != nil {
		return nil, m, err
	}
	names, err := listFiles(dir)
	if err != nil {
		return nil, m, err
	}
	if m, err = ParseManifest(raw); err != nil {
		return nil, m, err
	}
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		return nil, m, err
	}
	t, total := tar.NewWriter(z), 0
	for _, name := range names {
		n, err := addFile(t, dir, name)
		if total += n; err != nil {
			return nil, m, err
		}
		if total > maxUnpacked {
			return nil, m, fmt.Errorf("%s has more than %d MiB of files: %w", dir, maxUnpacked>>20, fettle.ErrInvalid)
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return nil, m, err
	}
	if out.Len() > MaxArchive {
		return nil, m, fmt.Errorf("the archive of %s has %d bytes, and %d are allowed: %w", dir, out.Len(), MaxArchive, fettle.ErrInvalid)
	}
	return out.Bytes(), m, nil
}

// listFiles gives the files below a folder, with slashes, sorted.
func listFiles(dir string) (names []string, err error) {
	err = filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(dir, file)
		rel = filepath.ToSlash(rel)
		switch {
		case err != nil || relErr != nil:
			return errors.Join(err, relErr)
		case slices.Contains(left, d.Name()) && d.IsDir():
			return fs.SkipDir
		case slices.Contains(left, d.Name()) || strings.HasSuffix(rel, ".pyc") || strings.HasSuffix(rel, "~") || d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is neither a file nor a folder, and a plugin has nothing else: %w", rel, fettle.ErrInvalid)
		case len(rel) > maxPathName:
			return fmt.Errorf("%s: a path may have %d bytes: %w", rel, maxPathName, fettle.ErrInvalid)
		case len(names) >= maxFiles:
			return fmt.Errorf("%s has more than %d files: %w", dir, maxFiles, fettle.ErrInvalid)
		}
		names = append(names, rel)
		return nil
	})
	slices.Sort(names)
	return names, err
}

func addFile(t *tar.Writer, dir, name string) (int, error) {
	file := filepath.Join(dir, filepath.FromSlash(name))
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	if info.Size() > maxUnpacked {
		return 0, fmt.Errorf("%s has %d bytes: %w", name, info.Size(), fettle.ErrInvalid)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	head := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(raw)), Mode: 0o644, ModTime: time.Unix(0, 0).UTC(), Format: tar.FormatUSTAR}
	if info.Mode()&0o111 != 0 {
		head.Mode = 0o755
	}
	if err := t.WriteHeader(head); err != nil {
		return 0, fmt.Errorf("%s: %w: %w", name, err, fettle.ErrInvalid)
	}
	_, err = t.Write(raw)
	return len(raw), err
}

// File is one file of an archive.
type File struct {
	Name string // below the plugin's folder, with slashes
	Mode fs.FileMode
	Data []byte
}

// ReadArchive reads an archive as Pack makes it, and its manifest. Anything else is ErrInvalid: what leads out of the folder, links, files that are
// there twice, and what is larger than Pack would make. Nothing is written.
func ReadArchive(archive []byte) (files []File, m Manifest, err error) {
	bad := func(format string, args ...any) ([]File, Manifest, error) {
		return nil, Manifest{}, fmt.Errorf("plugin archive: "+format+": %w", append(args, fettle.ErrInvalid)...)
	}
	if len(archive) > MaxArchive {
		return bad("it has %d bytes, and %d are allowed", len(archive), MaxArchive)
	}
	z, err := zstd.NewReader(bytes.NewReader(archive), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked), zstd.WithDecoderMaxWindow(MaxArchive))
	if err != nil {
		return bad("%v", err)
	}
	defer z.Close()
	seen, total, found := map[string]bool{}, int64(0), false
	for t := tar.NewReader(io.LimitReader(z, 2*maxUnpacked)); ; {
		head, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return bad("%v", err)
		}
		name := head.Name
		if head.Typeflag != tar.TypeReg || name == "" || len(name) > maxPathName || path.IsAbs(name) || path.Clean(name) != name || strings.HasPrefix(name, "../") ||
			name == ".." || strings.ContainsAny(name, "\\:\x00") || seen[strings.ToLower(name)] {
			return bad("%q is no file that may be in it", clip(name))
		}
		seen[strings.ToLower(name)] = true
		if total += head.Size; total > maxUnpacked || len(files) >= maxFiles {
			return bad("it has more than %d files or %d MiB", maxFiles, maxUnpacked>>20)
		}
		data, err := io.ReadAll(io.LimitReader(t, head.Size))
		if err != nil || int64(len(data)) != head.Size {
			return bad("%s is cut: %v", clip(name), err)
		}
		mode := fs.FileMode(0o644)
		if head.Mode&0o111 != 0 {
			mode = 0o755
		}
		files = append(files, File{name, mode, data})
		if name == ManifestName {
			if m, err = ParseManifest(data); err != nil {
				return nil, m, err
			}
			found = true
		}
	}
	if !found {
		return bad("it has no %s", ManifestName)
	}
	return files, m, nil
}

// Write writes files below a folder that is there, with the permissions of who may do what with it: 0700 folders are the caller's to choose.
func Write(files []File, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // WriteFile has closed each file, and said what became of it
	for _, f := range files {
		if parent := path.Dir(f.Name); parent != "." {
			if err := root.MkdirAll(parent, 0o755); err != nil {
				return fmt.Errorf("unpack %s: %w", f.Name, err)
			}
		}
		if err := root.WriteFile(f.Name, f.Data, f.Mode); err != nil {
			return fmt.Errorf("unpack %s: %w", f.Name, err)
		}
	}
	return nil
}
