package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
)

// readInputs gives name=value words the types that the action's manifest declares; of an action that this program does not know, text.
func readInputs(action string, words []string) (map[string]any, error) {
	manifest, err := plugins.Lookup(action)
	if err != nil {
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
	return plugins.ParseInputs(manifest, words)
}

func inputsText(inputs map[string]any) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(inputs)) {
		fmt.Fprintf(&b, " %s=%v", key, inputs[key])
	}
	return b.String()
}
