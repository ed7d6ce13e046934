package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	fettle "github.com/fettle-dev/fettle"
	"github.com/goccy/go-yaml"
)

// clientContext says where the server is and who asks it.
type clientContext struct {
	URL   string `yaml:"url"`
	Token string `yaml:"token"`
	CA    string `yaml:"ca,omitempty"` // file of certificates to trust; empty: the system's
}

// findContext gives what holds: --context, else FETTLE_URL and FETTLE_TOKEN, else $FETTLE_CONTEXT, else the user's own file.
func findContext(file string) (clientContext, error) {
	if file == "" {
		if url := os.Getenv("FETTLE_URL"); url != "" {
			return clientContext{URL: url, Token: os.Getenv("FETTLE_TOKEN"), CA: os.Getenv("FETTLE_CA")}, nil
		}
		file = os.Getenv("FETTLE_CONTEXT")
	}
	if file != "" {
		return readContext(file)
	}
	own, err := ownContextFile()
	if err != nil {
		return clientContext{}, err
	}
	c, err := readContext(own)
	if errors.Is(err, os.ErrNotExist) {
		return c, fmt.Errorf("no server is known: give --context FILE, or FETTLE_URL and FETTLE_TOKEN, or start one here with \"fettle dev\" (it writes %s): %w", own, fettle.ErrNotFound)
	}
	return c, err
}

func readContext(file string) (clientContext, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return clientContext{}, fmt.Errorf("context: %w", err)
	}
	var c clientContext
	if err := yaml.UnmarshalWithOptions(raw, &c, yaml.Strict()); err != nil {
		return c, fmt.Errorf("context %s: %s: %w", file, yaml.FormatError(err, false, true), fettle.ErrInvalid)
	}
	if c.URL == "" {
		return c, fmt.Errorf("context %s: url is missing: %w", file, fettle.ErrInvalid)
	}
	return c, nil
}

func ownContextFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("context: %w", err)
	}
	return filepath.Join(dir, "fettle", "context.yaml"), nil
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
