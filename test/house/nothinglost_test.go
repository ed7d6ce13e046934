//go:build integration

package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestNothingIsLost has 200 agents count while everything around them is broken at random moments: test/faults, for a short time. Its seed is in
// what it prints when it finds something.
func TestNothingIsLost(t *testing.T) {
	program := filepath.Join(t.TempDir(), "faults")
	build := exec.Command("go", "build", "-o", program, "github.com/fettle-dev/fettle/test/faults")
	build.Env = buildEnv
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program, "-program", fettleBin, "-for", "20s", "-every", "1s", "-longest", "4s", "-database", "mariadb", "-away", "8s")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it ends what it has started
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
