package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/goccy/go-yaml"

	fettle "github.com/fettle-dev/fettle"
)

// puppet is Puppet on this node: where it keeps its state.
type puppet struct {
	dir  string // of its state
	each func(string, []byte)
}

func puppetActions(cfg Config) []Action {
	with := func(name string, do func(context.Context, Call, puppet) Outcome) Action {
		return Action{Manifest: manifest("puppet." + name), Do: func(ctx context.Context, call Call) Outcome {
			for _, dir := range cfg.PuppetDirs {
				if info, err := os.Stat(filepath.Join(dir, "state")); err == nil && info.IsDir() {
					return do(ctx, call, puppet{dir, call.Stream})
				}
			}
			if name == "resource" || name == "runonce" {
				return do(ctx, call, puppet{each: call.Stream}) // it has never run
			}
			return failed("Puppet has never run on this node: none of %s is there", strings.Join(cfg.PuppetDirs, ", "))
		}}
	}
	return []Action{
		with("disable", puppetDisable), with("enable", puppetEnable), with("last_run_summary", puppetSummary),
		with("resource", puppetResource), with("runonce", puppetRunOnce), with("status", puppetStatus),
	}
}

// maxSummary bounds a file of Puppet's that is read, in bytes.
const maxSummary = 1 << 20

// readCapped reads a file that ought to be small.
func readCapped(path string, limit int64) ([]byte, error) {
	f, info, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, and %d are read", path, info.Size(), limit)
	}
	raw := make([]byte, info.Size())
	n, err := f.ReadAt(raw, 0)
	if n < len(raw) && err != nil {
		return nil, err
	}
	return raw, nil
}

func (p puppet) lock() string { return filepath.Join(p.dir, "state", "agent_disabled.lock") }

// state tells whether Puppet may run, and whether it does. A lock without its process is one that a crash has left.
func (p puppet) state() map[string]any {
	data := map[string]any{"enabled": true, "running": false}
	if raw, err := readCapped(p.lock(), maxSummary); !errors.Is(err, fs.ErrNotExist) {
		var lock struct {
			Message string `json:"disabled_message"`
		}
		_ = json.Unmarshal(raw, &lock) // before Puppet 3 the file was empty
		data["enabled"], data["message"] = false, clip(lock.Message, 1024)
	}
	raw, _ := readCapped(filepath.Join(p.dir, "state", "agent_catalog_run.lock"), maxSummary)
	if pid, err := strconv.Atoi(strings.TrimSpace(string(raw))); err == nil && pid > 0 {
		data["running"] = isProcess(pid, "puppet")
	}
	return data
}

// isProcess tells whether a process lives whose command line has a word in it.
func isProcess(pid int, word string) bool {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return errors.Is(syscallKill(pid), syscall.EPERM) || syscallKill(pid) == nil
	}
	return strings.Contains(string(raw), word)
}

func puppetStatus(_ context.Context, _ Call, p puppet) Outcome {
	data := p.state()
	if last, err := p.last(); err == nil {
		data["last_run"], data["age"] = last["last_run"], last["age"]
	}
	message := "enabled"
	if data["enabled"] == false {
		message = strings.TrimSuffix(fmt.Sprintf("disabled: %s", data["message"]), ": ")
	}
	if data["running"] == true {
		message += ", running"
	}
	return Outcome{Message: message, Data: data}
}

func puppetDisable(_ context.Context, call Call, p puppet) Outcome {
	before := p.state()
	lock, err := json.Marshal(map[string]string{"disabled_message": inputString(call, "message")})
	if err == nil {
		w := write{path: p.lock(), content: lock, mode: defaultMode, uid: -1, gid: -1}
		err = w.replace(false, false, "")
	}
	if err != nil {
		return failed("%v", err)
	}
	data := p.state()
	data["changed"] = before["enabled"] == true || before["message"] != data["message"]
	return Outcome{Message: strings.TrimSuffix("disabled: "+inputString(call, "message"), ": "), Data: data}
}

func puppetEnable(_ context.Context, _ Call, p puppet) Outcome {
	err := os.Remove(p.lock())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed("%v", err)
	}
	data := p.state()
	data["changed"] = err == nil
	return Outcome{Message: "enabled", Data: data}
}

// summary reads last_run_summary.yaml, which has lain in three places.
func (p puppet) summary() (map[string]any, error) {
	for _, dir := range []string{"../public", "public", "state"} { // Puppet 7 and 8, Debian's, those before
		raw, err := readCapped(filepath.Join(p.dir, dir, "last_run_summary.yaml"), maxSummary)
		if err != nil {
			continue
		}
		return readYAML(raw)
	}
	return nil, fmt.Errorf("puppet has written no summary of a run: %w", fettle.ErrNotFound)
}

// readYAML reads a mapping. The reader is not ours, and the file is Puppet's.
func readYAML(raw []byte) (out map[string]any, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			out, err = nil, fmt.Errorf("the YAML cannot be read: %w", fettle.ErrInvalid)
		}
	}()
	if err := yaml.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("the YAML cannot be read: %w: %w", err, fettle.ErrInvalid)
	}
	return out, nil
}

// last gives what the last run did.
func (p puppet) last() (map[string]any, error) {
	s, err := p.summary()
	if err != nil {
		return nil, err
	}
	part := func(section, key string) any {
		m, _ := s[section].(map[string]any)
		return m[key]
	}
	whole := func(v any) int64 {
		f, _ := strconv.ParseFloat(fmt.Sprint(v), 64)
		return int64(f)
	}
	data := map[string]any{
		"changed": whole(part("resources", "changed")), "failed": whole(part("resources", "failed")) + whole(part("resources", "failed_to_restart")),
		"out_of_sync": whole(part("resources", "out_of_sync")), "resources": whole(part("resources", "total")),
		"summary": s,
	}
	if took, err := strconv.ParseFloat(fmt.Sprint(part("time", "total")), 64); err == nil {
		data["duration"] = took
	}
	if ran := whole(part("time", "last_run")); ran > 0 {
		at := time.Unix(ran, 0)
		data["last_run"], data["age"] = at.UTC().Format(time.RFC3339), int64(time.Since(at).Seconds())
	}
	if v := part("version", "config"); v != nil {
		data["version"] = fmt.Sprint(v)
	}
	return data, nil
}

func puppetSummary(_ context.Context, _ Call, p puppet) Outcome {
	data, err := p.last()
	if err != nil {
		return refusedOr(err, fettle.StatusFailed)
	}
	return Outcome{Message: lastMessage(data), Data: data}
}

func lastMessage(data map[string]any) string {
	return fmt.Sprintf("%v changed, %v failed of %v resources", data["changed"], data["failed"], data["resources"])
}
