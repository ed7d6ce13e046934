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

// The clock of a machine cannot be set for one program, and no library can be put between Go and the kernel. So the program is built once more,
// and the one line of it that says what the server is made of hands it a clock that adds what stands in a file to the wall time. The monotonic
// time goes on, as it does where a real clock is set.
const (
	clockVariable = "FETTLE_FAULTS_CLOCK" // names the file
	partsBefore   = "server.Parts{"
	partsAfter    = "server.Parts{Now: steppedNow, "
	steppedNow    = `package main

import (
	"os"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"
)

var stepped atomic.Int64 // seconds

// steppedNow moves the seconds of the wall clock alone, which a Time holds from bit 30 on where it has a monotonic reading too.
func steppedNow() time.Time {
	t := time.Now()
	*(*uint64)(unsafe.Pointer(&t)) += uint64(stepped.Load()) << 30
	return t
}

func init() {
	go func() {
		for range time.Tick(20 * time.Millisecond) {
			raw, _ := os.ReadFile(os.Getenv("` + clockVariable + `"))
			if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
				stepped.Store(n)
			}
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
	original := filepath.Join(folder, "serve.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	if strings.Count(string(text), partsBefore) != 1 {
		return "", fmt.Errorf("%s does not say %q in one place", original, partsBefore)
	}
	changed, clock := filepath.Join(dir, "serve.go.txt"), filepath.Join(dir, "clock.go.txt")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed, filepath.Join(folder, "faults_clock.go"): clock}})
	if err != nil {
		return "", err
	}
	for file, content := range map[string]string{
		changed: strings.Replace(string(text), partsBefore, partsAfter, 1), clock: steppedNow, filepath.Join(dir, "overlay.json"): string(overlay),
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	program = filepath.Join(dir, "fettle")
	build := exec.CommandContext(ctx, "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, ".")
	build.Dir, build.Env = folder, append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build with another clock: %w\n%s", err, said)
	}
	return program, nil
}

// clockFile is what the server reads its clock from.
func (h *house) clockFile() string { return filepath.Join(h.dir, "server.clock") }

// stepClock sets the server's wall clock, by up to an hour forth or back, and right again.
func (h *house) stepClock(ctx context.Context, lasts time.Duration, random *rand.Rand) error {
	set := func(seconds int64) error {
		return os.WriteFile(h.clockFile(), []byte(strconv.FormatInt(seconds, 10)), 0o600)
	}
	if err := set(random.Int64N(7200) - 3600); err != nil {
		return err
	}
	pause(ctx, lasts)
	return set(0)
}
