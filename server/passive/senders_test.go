//go:build unix

package passive

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// send gives how many were taken, and the error.
func send(t *testing.T, s sender, batch ...nagios.Passive) (int, error) {
	t.Helper()
	n := 0
	err := s.send(t.Context(), batch, func(int, error) { n++ })
	return n, err
}

func TestCommandFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nagios.cmd")
	one := nagios.Passive{Host: "h", Service: "s", Text: "OK\nmore", At: time.Unix(1, 0)}
	fails := func(name, want string) {
		t.Helper()
		began := time.Now()
		n, err := send(t, commandFile{file}, one)
		if n != 0 || !errors.Is(err, fettle.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d taken, %v", name, n, err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%s: it took %s", name, took)
		}
	}
	fails("no file", "is not there")
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a plain file was made: %v", err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fails("a plain file", "no named pipe")
	if text, err := os.ReadFile(file); err != nil || len(text) > 0 {
		t.Errorf("it was written to: %q, %v", text, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	fails("a pipe that nobody reads", "nobody reads it")

	reader, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if n, err := send(t, commandFile{file}, one, one); n != 2 || err != nil {
		t.Fatalf("%d taken, %v", n, err)
	}
	lines := bufio.NewScanner(reader)
	for range 2 {
		if !lines.Scan() || lines.Text() != `[1] PROCESS_SERVICE_CHECK_RESULT;h;s;0;OK\nmore` {
			t.Errorf("line %q, %v", lines.Text(), lines.Err())
		}
	}
	big := make([]nagios.Passive, 100)
	for i := range big {
		big[i] = nagios.Passive{Host: "h", Service: "s", Text: strings.Repeat("x", 5000), At: time.Unix(1, 0)}
	}
	n, err := send(t, commandFile{file}, big...)
	if n == 0 || n == len(big) || !errors.Is(err, fettle.ErrUnavailable) || !strings.Contains(err.Error(), "full") {
		t.Errorf("a pipe that is full: %d taken, %v", n, err)
	}
}
