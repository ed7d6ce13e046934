package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire/trust"
)

// house is the server under pressure.
type house struct {
	cmd   *exec.Cmd
	began time.Time
	said  map[string]string // the words key=value of its line "ready …"
	join  trust.JoinToken
	token string           // for REST
	revs  map[string]int64 // of the checks
}

// startHouse runs the server until it is ready.
func startHouse(ctx context.Context, s settings, state string) (*house, error) {
	file, err := configuration(state)
	if err != nil {
		return nil, err
	}
	args := []string{"server", "--config", file, "--state", filepath.Join(state, "state"), "--http", "127.0.0.1:0", "--stomp", "127.0.0.1:0"}
	if s.store != "" {
		args = append(args, "--store", s.store)
	}
	h := &house{began: time.Now(), said: map[string]string{}}
	h.cmd = exec.Command(s.program, args...)
	h.cmd.Env = append(os.Environ(), "HOME="+state)
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches us, and we end it in order
	log, err := os.Create(filepath.Join(state, "server.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	h.cmd.Stderr = log
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		return nil, errors.Join(fmt.Errorf("the server did not say that it is ready: %w\n%s", err, text), h.cmd.Wait())
	}
	for word := range strings.FieldsSeq(line) {
		key, value, _ := strings.Cut(word, "=")
		h.said[key] = value
	}
	if err := h.learn(ctx, filepath.Join(state, "state", "broker.secret")); err != nil {
		return nil, errors.Join(err, h.end())
	}
	return h, nil
}

// learn reads the join token, the token for REST, and the revisions of the checks.
func (h *house) learn(ctx context.Context, secret string) error {
	raw, err := os.ReadFile(secret)
	if err != nil {
		return err
	}
	_, text, _ := strings.Cut(strings.TrimSpace(string(raw)), ":")
	if h.join, err = trust.ParseJoinToken(text); err != nil {
		return err
	}
	file, err := os.ReadFile(h.said["context"])
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(file)) {
		if value, ok := strings.CutPrefix(line, "token: "); ok {
			h.token = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	page, err := h.get(ctx, "/api/v1/checks")
	if err != nil {
		return err
	}
	var list struct {
		Checks []fettle.Check `json:"checks"`
	}
	if err := json.Unmarshal(page, &list); err != nil {
		return err
	}
	h.revs = map[string]int64{}
	for _, c := range list.Checks {
		h.revs[c.Name] = c.Rev
	}
	if len(h.revs) != checks {
		return fmt.Errorf("the server has %d checks, and %d were defined", len(h.revs), checks)
	}
	return nil
}

func (h *house) get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.said["http"]+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+h.token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, answer.Status, page)
	}
	return page, err
}

// clean holds that nothing was refused.
func (h *house) clean(ctx context.Context) error {
	page, err := h.get(ctx, "/metrics")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(page)) {
		if rest, ok := strings.CutPrefix(line, "fettle_server_dead_letters_total "); ok {
			if n := strings.TrimSpace(rest); n != "0" {
				return fmt.Errorf("%s messages became dead letters", n)
			}
			return nil
		}
	}
	return errors.New("the server's metrics do not count dead letters")
}

// cpu gives the processor time that the server has used.
func (h *house) cpu() (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", h.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, errors.New("the server has ended")
	}
	var ticks int64
	for _, f := range fields[11:13] { // utime and stime, in hundredths of a second
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// end asks the server to end.
func (h *house) end() error {
	_ = h.cmd.Process.Signal(syscall.SIGTERM)
	force := time.AfterFunc(patience, func() { _ = h.cmd.Process.Kill() })
	defer force.Stop()
	return h.cmd.Wait()
}
