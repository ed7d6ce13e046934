package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
)

// readInputs gives name=value words the types that the action's manifest declares; of an action that neither this program nor the server knows,
// text. name@=FILE stands for what a file holds.
func (a *app) readInputs(ctx context.Context, action string, words []string) (map[string]any, error) {
	words, err := readFiles(words)
	if err != nil {
		return nil, err
	}
	manifest, known := a.declared(ctx, action)
	if !known {
		inputs := map[string]any{}
		for _, word := range words {
			name, value, ok := strings.Cut(word, "=")
			if !ok || name == "" {
				return nil, fmt.Errorf("%q ought to be name=value; nodes are chosen by flags: %w", word, fettle.ErrInvalid)
			}
			inputs[name] = value
		}
		return inputs, nil
	}
	inputs, err := plugins.ParseInputs(manifest, words)
	return inputs, nearInputs(manifest, err)
}

// nearInputs adds to each input that is not declared the nearest one that is.
func nearInputs(manifest plugins.Action, err error) error {
	var e *plugins.InputError
	if !errors.As(err, &e) {
		return err
	}
	var names []string
	for _, in := range manifest.Inputs {
		names = append(names, in.Name)
	}
	for i, fault := range e.Faults {
		if fault.Kind == plugins.Undeclared {
			if near := didYouMean(fault.Input, names); near != "" {
				e.Faults[i].Text = strings.Replace(fault.Text, ":", near, 1)
			}
		}
	}
	return err
}

// declared gives the manifest of an action, this program's or the server's. A server that is away will be found out soon enough.
func (a *app) declared(ctx context.Context, action string) (plugins.Action, bool) {
	if manifest, err := plugins.Lookup(action); err == nil {
		return manifest, true
	}
	c, err := a.client()
	if err != nil {
		return plugins.Action{}, false
	}
	manifest := a.manifest(ctx, c, action)
	return manifest, manifest.Description != ""
}

// maxInputFile bounds a file whose content is an input, in bytes: it has to fit into a message.
const maxInputFile = 1 << 20

// readFiles gives words in which name@=FILE has become name=CONTENT. Content that is no text is given in base64, as the input base64.
func readFiles(words []string) ([]string, error) {
	out := slices.Clone(words)
	for i, word := range words {
		name, file, found := strings.Cut(word, "@=")
		if !found || name == "" || strings.Contains(name, "=") {
			continue
		}
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", name, err)
		}
		raw, err := io.ReadAll(io.LimitReader(f, maxInputFile+1))
		_ = f.Close() // it was read only
		switch {
		case err != nil:
			return nil, fmt.Errorf("input %s: %w", name, err)
		case len(raw) > maxInputFile:
			return nil, fmt.Errorf("input %s: %s has more than %d bytes: %w", name, file, maxInputFile, fettle.ErrInvalid)
		case name == "content" && (!utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0):
			out[i] = "base64=" + base64.StdEncoding.EncodeToString(raw)
		default:
			out[i] = name + "=" + string(raw)
		}
	}
	return out, nil
}

// inputsText is what stands behind an action's name: its inputs as they are typed, each with a blank before it.
func inputsText(inputs map[string]any) string {
	if len(inputs) == 0 {
		return ""
	}
	return " " + plugins.FormatInputs(inputs)
}
