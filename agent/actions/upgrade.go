package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of a program of the agent, in bytes: packed, and as it is.
const (
	maxProgramArchive = 96 << 20
	maxProgram        = 160 << 20
)

// swapName is the file in the agent's folder that tells of an upgrade under way.
const swapName = "upgrade.json"

// maxSwapStarts is how often a program that was put in the place of another may begin without being welcomed: one that crashes is started again by
// whoever looks after the service.
const maxSwapStarts = 3

// checkTimeout is how long a new program may take to say its version.
const checkTimeout = 20 * time.Second

// Swap is an upgrade of the agent that is under way: the new program stands in the place of the old one, which is kept beside until the new one has been
// welcomed. It is a file, so that it outlives every process.
type Swap struct {
	Task     fettle.TaskID `json:"task"`
	From     string        `json:"from"`    // version
	To       string        `json:"to"`      // version
	Program  string        `json:"program"` // path
	Old      string        `json:"old"`     // path at which the old program is kept
	WaitS    int64         `json:"wait_s"`  // seconds in which the new one has to be welcomed
	Starts   int           `json:"starts"`  // of the new one, without a guard
	Welcomed bool          `json:"welcomed"`
	Ended    bool          `json:"ended"` // Status and Message say how
	Status   fettle.Status `json:"status"`
	Message  string        `json:"message"`

	state string
}

// ReadSwap gives the upgrade that is under way, or whose result was not given yet; nil: none.
func ReadSwap(state string) (*Swap, error) {
	raw, err := os.ReadFile(filepath.Join(state, swapName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	s := &Swap{state: state}
	if err == nil {
		err = json.Unmarshal(raw, s)
	}
	if err != nil {
		return nil, fmt.Errorf("upgrade of the agent: %w", err)
	}
	return s, nil
}

// write keeps s on disk.
func (s *Swap) write() error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return writeWhole(filepath.Join(s.state, swapName), func(w io.Writer) error { _, err := w.Write(raw); return err }, 0o600)
}

// Wait gives how long the new program has to be welcomed.
func (s *Swap) Wait() time.Duration { return time.Duration(s.WaitS) * time.Second }

// Welcome notes that the new program was welcomed.
func (s *Swap) Welcome() error {
	s.Welcomed = true
	return s.write()
}

// Begin notes that the new program begins without a guard, and tells whether it may: one that was never welcomed may not for ever.
func (s *Swap) Begin() (bool, error) {
	s.Starts++
	return s.Starts <= maxSwapStarts, s.write()
}

// Done notes that the new program stays.
func (s *Swap) Done() error {
	s.Ended, s.Status, s.Message = true, fettle.StatusOK, fmt.Sprintf("upgraded from %s to %s", s.From, s.To)
	return s.write()
}

// Back puts the old program back, and notes why.
func (s *Swap) Back(why string) error {
	if err := os.Rename(s.Old, s.Program); err != nil && !errors.Is(err, os.ErrNotExist) { // not there: it was put back already
		return fmt.Errorf("put the old program back: %w", err)
	}
	s.Ended, s.Status, s.Message = true, fettle.StatusFailed, fmt.Sprintf("version %s was put back: %s", s.From, why)
	return s.write()
}

// Outcome gives what became of the upgrade, once it has ended.
func (s *Swap) Outcome(task fettle.TaskID) (Outcome, bool) {
	if s == nil || !s.Ended || s.Task != task {
		return Outcome{}, false
	}
	version := s.To
	if s.Status != fettle.StatusOK {
		version = s.From
	}
	return Outcome{Status: s.Status, Message: s.Message, Data: map[string]any{"before": s.From, "version": version}}, true
}

// Forget removes what is left of an upgrade whose result is kept.
func (s *Swap) Forget() error {
	err := os.Remove(s.Old)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.Remove(filepath.Join(s.state, swapName)))
}

// agentUpgrade has the agent become another version.
func agentUpgrade(cfg Config) Action {
	return Action{
		Manifest: manifest("agent.upgrade"),
		Do: func(ctx context.Context, call Call) Outcome {
			version := inputString(call, "version")
			switch {
			case cfg.Restart == nil || cfg.Program == "" || cfg.State == "":
				return Outcome{Status: fettle.StatusRefused, Message: "this agent is a part of another program and cannot be upgraded by itself"}
			case version == cfg.Version:
				return Outcome{Message: "it is version " + version + " already", Data: map[string]any{"before": cfg.Version, "version": version}}
			case call.Plugin == nil || call.Plugin.Version != version || !digestText.MatchString(call.Plugin.Digest):
				return failed("the server has no version %s for %s/%s", version, runtime.GOOS, runtime.GOARCH)
			}
			s := &Swap{
				Task: call.Task, From: cfg.Version, To: version, Program: cfg.Program, Old: cfg.Program + ".old", WaitS: inputInt(call, "wait"), state: cfg.State,
			}
			if err := s.prepare(ctx, cfg, *call.Plugin); err != nil {
				if ctx.Err() != nil {
					return ended(ctx, "the upgrade", call.Timeout)
				}
				return refusedOr(err, fettle.StatusFailed)
			}
			cfg.Restart()
			return Outcome{Later: true}
		},
	}
}

// prepare fetches the new program, tries whether it can be run, and puts it in the place of the old one.
func (s *Swap) prepare(ctx context.Context, cfg Config, ref fettle.PluginRef) (err error) {
	dir, err := os.MkdirTemp(s.state, "upgrade-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, archiveName)
	v, err := fetchArchive(ctx, cfg.Fetch, ref, maxProgramArchive, file)
	if err != nil {
		return err
	}
	if own := runtime.GOOS + "/" + runtime.GOARCH; v.Platform != own {
		return fmt.Errorf("the program is for %q, and this node is %s: %w", v.Platform, own, fettle.ErrDenied)
	}
	next := s.Program + ".new"
	defer func() { _ = os.Remove(next) }() // when all went well, it is not there any more
	if err := unpackProgram(file, next); err != nil {
		return fmt.Errorf("the new program cannot be put beside %s: %w", s.Program, err)
	}
	if err := says(ctx, next, s.To); err != nil {
		return err
	}
	if err := os.Remove(s.Old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Link(s.Program, s.Old); err != nil { // at every moment there is a program at its place
		return fmt.Errorf("keep the old program: %w", err)
	}
	if err := s.write(); err != nil { // before it is there: a kill in between is an upgrade of nothing to itself
		return err
	}
	return os.Rename(next, s.Program)
}

// unpackProgram writes the program that an archive holds.
func unpackProgram(archive, to string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer z.Close()
	return writeWhole(to, func(w io.Writer) error {
		n, err := io.Copy(w, io.LimitReader(z, maxProgram+1))
		if err == nil && n > maxProgram {
			err = fmt.Errorf("it has more than %d bytes: %w", maxProgram, fettle.ErrInvalid)
		}
		return err
	}, 0o755)
}

// writeWhole writes a file that is there whole or not at all.
func writeWhole(name string, fill func(io.Writer) error, mode os.FileMode) error {
	f, err := os.OpenFile(name+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(name+".part", name)
	}
	if err != nil {
		_ = os.Remove(name + ".part")
	}
	return err
}

// says runs a program for its version: one that does not run here, or is another than it was said to be, is not taken.
func says(ctx context.Context, program, version string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "version")
	cmd.Env = childEnv(nil)
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("the new program does not run here: %s: %w", startFault(err), fettle.ErrDenied)
	}
	words := strings.Fields(string(out))
	for _, word := range words {
		if word == version {
			return nil
		}
	}
	return fmt.Errorf("the new program says that it is %q, and not version %s: %w", clip(strings.Join(words, " "), 100), version, fettle.ErrDenied)
}
