package trust

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	fettle "github.com/fettle-dev/fettle"
)

// maxKeyFile bounds a key file, in bytes: the longest part of one is a CA certificate.
const maxKeyFile = 256 << 10

// readKeyFile reads a file that nobody but its owner may read; one that others can read is ErrDenied, and one that is not there fs.ErrNotExist.
func readKeyFile(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("%s: others can read it (mode %04o); if nobody has, chmod 600 mends it: %w", path, mode, fettle.ErrDenied)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return err
	}
	if len(raw) > maxKeyFile {
		return fmt.Errorf("%s: more than %d bytes: %w", path, maxKeyFile, fettle.ErrInvalid)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%s: %w: %w", path, err, fettle.ErrInvalid)
	}
	return nil
}

// writeKeyFile replaces a file, whole or not at all, and has it on disk when it returns. Nobody but its owner may read it.
func writeKeyFile(path string, v any) (err error) {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(append(raw, '\n'))
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename outlive a power cut, where the file system can.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
