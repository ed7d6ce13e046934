package actions

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// checkRun runs a plugin of Nagios from a folder that the node allows.
func checkRun(dirs []string) Action {
	return Action{
		Manifest: manifest("check.run"),
		Do: func(ctx context.Context, call Call) Outcome {
			name, _ := call.Inputs["plugin"].(string)
			args, _ := call.Inputs["args"].([]string)
			path, status, fault := findPlugin(dirs, name)
			if fault != "" {
				return unknown(status, fault)
			}
			began := time.Now()
			end, err := child{path: path, args: args, env: nrpeEnv(nil, nil)}.run(ctx)
			if err != nil {
				return unknown(fettle.StatusOther, fmt.Sprintf("cannot start %s: %s", path, startFault(err)))
			}
			if end.killed {
				return cutOff(ctx, end, filepath.Base(path), time.Since(began))
			}
			out := outcomeOf(end)
			if out.Output.Line == "" {
				out.Message, out.Output.Line = "(no output)", "(no output)"
			}
			return out
		},
	}
}

// findPlugin gives the real path of a plugin, which lies in one of dirs when all symbolic links have been followed. Otherwise it says why not.
func findPlugin(dirs []string, name string) (path string, status fettle.Status, fault string) {
	if len(dirs) == 0 {
		return "", fettle.StatusRefused, "this node allows no folder of plugins"
	}
	if !filepath.IsAbs(name) && !filepath.IsLocal(name) {
		return "", fettle.StatusRefused, fmt.Sprintf("plugin %q leads out of the allowed folders", name)
	}
	escapes := false
	for _, dir := range dirs {
		root, err := filepath.EvalSymlinks(dir)
		if err != nil {
			continue // a folder that is not there allows nothing
		}
		full := name
		if !filepath.IsAbs(name) {
			full = filepath.Join(root, name)
		}
		real, err := filepath.EvalSymlinks(full)
		if err != nil {
			continue
		}
		if rel, err := filepath.Rel(root, real); err != nil || !filepath.IsLocal(rel) || rel == "." {
			escapes = true
			continue
		}
		if info, err := os.Stat(real); err != nil || !info.Mode().IsRegular() {
			continue
		}
		return real, fettle.StatusOK, ""
	}
	if escapes || filepath.IsAbs(name) && !slices.ContainsFunc(dirs, func(dir string) bool { return filepath.Dir(filepath.Clean(name)) == filepath.Clean(dir) }) {
		return "", fettle.StatusRefused, fmt.Sprintf("plugin %q leads out of the allowed folders", name)
	}
	return "", fettle.StatusInvalidInput, fmt.Sprintf("plugin %q is not there", name)
}
