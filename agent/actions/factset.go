package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"

	fettle "github.com/fettle-dev/fettle"
)

// factFile is the file in which facts.set keeps what it is given. Files of a folder are read by name, and the later ones win.
const factFile = "fettle-set.json"

// maxFactFile bounds it, in bytes.
const maxFactFile = 512 << 10

// factStore is that file.
type factStore struct {
	dir     string
	refresh func(ctx context.Context) (map[string]any, error)

	mu sync.Mutex // held from reading to writing
}

func factsActions(cfg Config) []Action {
	s := &factStore{dir: cfg.FactsDir, refresh: cfg.Facts}
	return []Action{
		{Manifest: manifest("facts.set"), Do: func(ctx context.Context, call Call) Outcome {
			value, err := factValue(inputString(call, "value"), inputString(call, "as"))
			if err != nil {
				return invalid("facts.set: %v", err)
			}
			return s.change(ctx, call, func(doc map[string]any, path fettle.Path) error { return setFact(doc, path, value) })
		}},
		{Manifest: manifest("facts.unset"), Do: func(ctx context.Context, call Call) Outcome {
			return s.change(ctx, call, func(doc map[string]any, path fettle.Path) error { unsetFact(doc, path); return nil })
		}},
	}
}

// factValue gives a value as it is meant.
func factValue(given, as string) (any, error) {
	if as == "text" {
		return given, nil
	}
	d := json.NewDecoder(strings.NewReader(given))
	d.UseNumber() // 1.10 stays 1.10
	var v any
	err := d.Decode(&v)
	if err == nil && d.More() {
		err = errors.New("there is something behind it")
	}
	if as == "json" {
		if err != nil {
			return nil, fmt.Errorf("the value is no JSON: %w", err)
		}
		return v, nil
	}
	switch v.(type) {
	case bool, json.Number:
		if err == nil {
			return v, nil
		}
	}
	return given, nil
}

// change changes the file, and has the facts collected and published. The outcome says what the server knows then.
func (s *factStore) change(ctx context.Context, call Call, edit func(map[string]any, fettle.Path) error) Outcome {
	if s.dir == "" {
		return Outcome{Status: fettle.StatusRefused, Message: "this agent has no folder of external facts"}
	}
	path, err := fettle.ParsePath(strings.ToLower(inputString(call, "name")))
	if err != nil {
		return refusedOr(err, fettle.StatusInvalidInput)
	}
	changed, err := s.edit(path, edit)
	if err != nil {
		return refusedOr(err, fettle.StatusFailed)
	}
	out := Outcome{Message: path.String() + " is as it was", Data: map[string]any{"changed": changed}}
	if changed {
		out.Message = path.String() + map[string]string{"facts.set": " is set", "facts.unset": " is unset"}[call.Action]
	}
	if s.refresh == nil {
		return out
	}
	data, err := s.refresh(ctx)
	if ctx.Err() != nil {
		return ended(ctx, "publishing the facts", call.Timeout)
	}
	if err != nil {
		out.Status, out.Message = fettle.StatusFailed, fmt.Sprintf("%s, and the facts cannot be published: %v", out.Message, err)
		return out
	}
	out.Data["hash"] = data["hash"]
	return out
}

func (s *factStore) edit(path fettle.Path, edit func(map[string]any, fettle.Path) error) (changed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	file := filepath.Join(s.dir, factFile)
	before, after := map[string]any{}, map[string]any{}
	raw, err := readCapped(file, maxFactFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	for _, doc := range []*map[string]any{&before, &after} {
		d := json.NewDecoder(strings.NewReader(string(raw)))
		d.UseNumber()
		if err := d.Decode(doc); len(raw) > 0 && err != nil {
			return false, fmt.Errorf("%s is no JSON any more: %w", file, err)
		}
	}
	if err := edit(after, path); err != nil {
		return false, err
	}
	if reflect.DeepEqual(before, after) {
		return false, nil
	}
	if len(after) == 0 {
		return true, os.Remove(file)
	}
	if raw, err = json.MarshalIndent(after, "", "  "); err != nil {
		return false, err
	}
	if len(raw) > maxFactFile {
		return false, fmt.Errorf("%s would have more than %d bytes: %w", file, maxFactFile, fettle.ErrInvalid)
	}
	return true, write{path: file, content: append(raw, '\n'), mode: defaultMode, uid: -1, gid: -1}.replace(true, false, "")
}

func setFact(doc map[string]any, path fettle.Path, value any) error {
	for _, key := range path[:len(path)-1] {
		next, is := doc[key].(map[string]any)
		if !is {
			if doc[key] != nil {
				return fmt.Errorf("%s is set already, and is no object that could have %s: %w", key, path, fettle.ErrInvalid)
			}
			next = map[string]any{}
			doc[key] = next
		}
		doc = next
	}
	doc[path[len(path)-1]] = value
	return nil
}

// unsetFact takes objects away that hold nothing any more.
func unsetFact(doc map[string]any, path fettle.Path) {
	if len(path) == 1 {
		delete(doc, path[0])
		return
	}
	next, is := doc[path[0]].(map[string]any)
	if !is {
		return
	}
	if unsetFact(next, path[1:]); len(next) == 0 {
		delete(doc, path[0])
	}
}
