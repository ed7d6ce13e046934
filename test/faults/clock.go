//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
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
// with a time.Now that adds what stands in a file to the wall clock. The monotonic clock goes on, as it does where a real one is set.
const (
	clockVariable = "FETTLE_FAULTS_CLOCK" // names the file
	nowBefore     = "sec, nsec, mono := runtimeNow()\n\tif mono == 0 {"
	nowAfter      = "sec, nsec, mono := runtimeNow()\n\tsec += Stepped\n\tif mono == 0 {"
	nowVariable   = "\n// Stepped is by how many seconds the wall clock was set.\nvar Stepped int64\n"
	clockReader   = `package main

import (
	"os"
	"strconv"
	"time"
)

func init() {
	file := os.Getenv("` + clockVariable + `")
	if file == "" {
		return
	}
	go func() {
		for {
			raw, _ := os.ReadFile(file)
			if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
				time.Stepped = n
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
}
`
)

// buildStepped builds fettle with a clock that can be set. It is told where the program's folder is.
func buildStepped(ctx context.Context, dir, folder string) (program string, err error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	if strings.Count(string(text), nowBefore) != 1 {
		return "", errors.New("time.Now of this Go is not written as expected")
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return "", err
	}
	changed, reader := filepath.Join(dir, "time.go.txt"), filepath.Join(dir, "clock.go.txt")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed, filepath.Join(folder, "faults_clock.go"): reader}})
	if err != nil {
		return "", err
	}
	for file, content := range map[string]string{
		changed: strings.Replace(string(text), nowBefore, nowAfter, 1) + nowVariable, reader: clockReader, filepath.Join(dir, "overlay.json"): string(overlay),
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
