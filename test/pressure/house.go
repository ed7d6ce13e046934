package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/test/proc"
	"github.com/fettle-dev/fettle/wire/trust"
)

// house is the server under pressure.
type house struct {
	running *proc.Process
	began   time.Time
	join    trust.JoinToken
	token   string           // for REST
	revs    map[string]int64 // of the checks
}

// startLimit is how long the server may take until it is ready: a large database is read first.
const startLimit = 10 * time.Minute

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
	h := &house{began: time.Now()}
	log := filepath.Join(state, "server.log")
	h.running, err = proc.Start(proc.Command{Name: "server", Program: s.program, Args: args, Env: []string{"HOME=" + state}, Log: log, Stop: patience})
	if err != nil {
		return nil, err
	}
	if err := h.running.MustReady(ctx, startLimit); err != nil {
		text, _ := os.ReadFile(log)
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	if err := h.learn(ctx, filepath.Join(state, "state", "broker.secret")); err != nil {
		return nil, errors.Join(err, h.running.End())
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
	file, err := os.ReadFile(h.running.Said("context"))
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
	return proc.Page(ctx, h.running.Said("http")+path, h.token)
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
