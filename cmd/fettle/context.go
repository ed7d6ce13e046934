package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/goccy/go-yaml"

	fettle "github.com/fettle-dev/fettle"
)

// clientContext says where the server is and who asks it.
type clientContext struct {
	URL   string `yaml:"url"`
	Token string `yaml:"token"`
	CA    string `yaml:"ca,omitempty"` // certificates to trust, in PEM or a file of it; empty: the system's

	from string // for people: which file or variable said so
}

// tokenFrom says for people where the token came from.
func (c clientContext) tokenFrom() string {
	if c.from == "FETTLE_URL" {
		return "FETTLE_TOKEN"
	}
	return c.from
}

// findContext gives what holds: --context, else FETTLE_URL and FETTLE_TOKEN, else $FETTLE_CONTEXT, else the user's own file.
func findContext(file string) (clientContext, error) {
	if file == "" {
		if url := os.Getenv("FETTLE_URL"); url != "" {
			return clientContext{URL: url, Token: os.Getenv("FETTLE_TOKEN"), CA: os.Getenv("FETTLE_CA"), from: "FETTLE_URL"}, nil
		}
		file = os.Getenv("FETTLE_CONTEXT")
	}
	if file != "" {
		c, err := readContext(file)
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%w; \"fettle login URL\" writes it", err)
		}
		return c, err
	}
	own, err := ownContextFile()
	if err != nil {
		return clientContext{}, err
	}
	c, err := readContext(own)
	if errors.Is(err, os.ErrNotExist) {
		return c, fmt.Errorf("no server is known: start one here with \"fettle dev\" (it writes %s), or give --context FILE, or FETTLE_URL and FETTLE_TOKEN: %w", own, fettle.ErrNotFound)
	}
	return c, err
}

func readContext(file string) (clientContext, error) {
	raw, err := readBounded(file)
	if err != nil {
		return clientContext{}, fmt.Errorf("context %s: %w", file, err)
	}
	c := clientContext{from: file}
	if err := yaml.UnmarshalWithOptions(raw, &c, yaml.Strict()); err != nil {
		return c, fmt.Errorf("context %s:%s: %w", file, strings.TrimSpace(yaml.FormatError(err, false, true)), fettle.ErrInvalid)
	}
	if c.URL == "" {
		return c, fmt.Errorf("context %s: url is missing: %w", file, fettle.ErrInvalid)
	}
	if c.CA != "" && !isPEM(c.CA) && !filepath.IsAbs(c.CA) {
		c.CA = filepath.Join(filepath.Dir(file), c.CA)
	}
	return c, nil
}

// trusting gives c with the authorities of --ca, else of FETTLE_CA, else its own.
func (c clientContext) trusting(flag string) clientContext {
	c.CA = cmp.Or(flag, os.Getenv("FETTLE_CA"), c.CA)
	return c
}

func isPEM(text string) bool { return strings.Contains(text, "-----BEGIN") }

// portable gives c without names of files, so that it can be used on another machine.
func (c clientContext) portable() (clientContext, error) {
	if c.CA == "" || isPEM(c.CA) {
		return c, nil
	}
	raw, err := readBounded(c.CA)
	if err != nil {
		return c, fmt.Errorf("ca %s: %w", c.CA, err)
	}
	c.CA = string(raw)
	return c, nil
}

// maxYAMLBytes bounds files of settings: far more than anybody writes by hand. The YAML parser takes time with the square of their size.
const maxYAMLBytes = 128 << 10

// readBounded reads a file of settings. Its errors do not name the file, for the caller does. ErrInvalid: it is too large to be one.
func readBounded(file string) (raw []byte, err error) {
	f, err := os.Open(file)
	if err == nil {
		raw, err = readAll(f)
		_ = f.Close() // it was read only
	}
	var at *os.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return raw, err
}

func readAll(from io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(from, maxYAMLBytes+1))
	if err == nil && len(raw) > maxYAMLBytes {
		err = fmt.Errorf("the file has more than the %d KiB that are allowed: %w", maxYAMLBytes>>10, fettle.ErrInvalid)
	}
	return raw, err
}

// readInput reads a file that a person names; "-" is stdin. The error names it.
func (a *app) readInput(name string) (raw []byte, err error) {
	if name == "-" {
		raw, err = readAll(a.stdin)
	} else {
		raw, err = readBounded(name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return raw, nil
}

// ownContextFile is the user's own: below $XDG_CONFIG_HOME or ~/.config, also on a Mac, and below %AppData% on Windows.
func ownContextFile() (string, error) {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if runtime.GOOS == "windows" {
		dir = os.Getenv("AppData")
	}
	if !filepath.IsAbs(dir) { // as the XDG specification has it
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("no server is known: there is no home directory with a context, give --context FILE, or FETTLE_URL and FETTLE_TOKEN: %w", fettle.ErrNotFound)
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, programName, contextFile), nil
}

// writeContext replaces file, readable by its owner only.
func writeContext(file string, c clientContext) error {
	raw, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("context: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("context: %w", err)
	}
	return writeSecret(file, raw)
}

// writeSecret replaces file by data in one step, readable by its owner only.
func writeSecret(file string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(file), ".fettle-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // it is gone after the rename
	if _, err = tmp.Write(data); err == nil {
		err = tmp.Sync()
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return os.Rename(tmp.Name(), file)
}
