//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The clock of a machine cannot be set for one program, and no library can be put between Go and the kernel. So the program is built once more with a
// package time whose Now adds what stands in a file to the wall time. The monotonic time goes on, as it does where a real clock is set.
const (
	clockVariable = "FETTLE_FAULTS_CLOCK" // names the file
	nowBefore     = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	nowAfter      = nowBefore + "\tsec += Stepped.Load()\n"
	timeStepped   = `package time

import "sync/atomic"

// Stepped is by how much the wall clock is wrong, in seconds.
var Stepped atomic.Int64
`
	mainStepped = `package main

import (
	"os"
	"strconv"
	"time"
)

func init() {
	set := func() {
		raw, _ := os.ReadFile(os.Getenv("` + clockVariable + `"))
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			time.Stepped.Store(n)
		}
	}
	set()
	go func() {
		for range time.Tick(20 * time.Millisecond) {
			set()
		}
	}()
}
`
)

// buildStepped builds fettle, of which folder is the main package, with a clock that can be set.
func buildStepped(ctx context.Context, dir, folder string) (program string, err error) {
	if folder, err = filepath.Abs(folder); err != nil {
		return "", err
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	std := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	original := filepath.Join(std, "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	if strings.Count(string(text), nowBefore) != 1 {
		return "", fmt.Errorf("%s does not say %q in one place: this Go is another than that for which the clock was made", original, nowBefore)
	}
	replaced := map[string]string{}
	for file, content := range map[string]string{
		original: strings.Replace(string(text), nowBefore, nowAfter, 1), filepath.Join(std, "stepped.go"): timeStepped, filepath.Join(folder, "faults_clock.go"): mainStepped,
	} {
		changed := filepath.Join(dir, filepath.Base(file)+".txt")
		if err := os.WriteFile(changed, []byte(content), 0o600); err != nil {
			return "", err
		}
		replaced[file] = changed
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": replaced})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		return "", err
	}
	program = filepath.Join(dir, "fettle")
	build := exec.CommandContext(ctx, "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, ".")
	build.Dir, build.Env = folder, append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build with another clock: %w\n%s", err, said)
	}
	return program, nil
}

// clockFile is what a part reads its clock from.
func (h *house) clockFile(name string) string { return filepath.Join(h.dir, name+".clock") }

// stepClock sets the wall clock of a part, by up to an hour forth or back, and right again.
func (h *house) stepClock(name string) func(context.Context, time.Duration, *rand.Rand) error {
	return func(ctx context.Context, lasts time.Duration, random *rand.Rand) error {
		if err := h.setClock(name, random.Int64N(7200)-3600); err != nil {
			return err
		}
		pause(ctx, lasts)
		return h.setClock(name, 0)
	}
}

func (h *house) setClock(name string, seconds int64) error {
	return os.WriteFile(h.clockFile(name), []byte(strconv.FormatInt(seconds, 10)), 0o600)
}
