//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/fettle-dev/fettle/test/proc"
)

// house is a server that is started again and again on the same state and addresses, and its fleet.
type house struct {
	settings
	dir         string
	nodesDir    string // with the state of each node
	http, stomp string
	beat        time.Duration
	server      *proc.Process // nil: it is away
	fleet       *proc.Process
	token       string
	cpu         time.Duration // of servers that have ended
}

// maxBeat is the beat of a fleet whose checks are not asked more often.
const maxBeat = 30 * time.Second

// newHouse starts everything.
func newHouse(ctx context.Context, s settings, dir, nodes string) (*house, error) {
	h := &house{settings: s, dir: dir, nodesDir: nodes, beat: min(maxBeat, s.interval)}
	for _, address := range []*string{&h.http, &h.stomp} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return h, err
		}
		*address = l.Addr().String()
		if err := l.Close(); err != nil {
			return h, err
		}
	}
	if err := h.open(ctx); err != nil {
		return h, err
	}
	var err error
	h.fleet, err = s.start(ctx, dir, "emulator", "emulate", "--nodes", strconv.Itoa(s.nodes), "--server", "stomp://"+h.stomp,
		"--secret-file", filepath.Join(dir, "server", "broker.secret"), "--state", nodes, "--checks", "--states", s.states,
		"--record", h.record(), "--beat-interval", h.beat.String())
	return h, err
}

func (h *house) record() string { return filepath.Join(h.dir, "record") }

// open starts the server.
func (h *house) open(ctx context.Context) (err error) {
	h.server, err = h.start(ctx, h.dir, "server", "server", "--state", filepath.Join(h.dir, "server"), "--http", h.http, "--stomp", h.stomp, "--beat-interval", h.beat.String())
	if err != nil {
		return err
	}
	text, err := os.ReadFile(h.server.Said("context"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "token: "); ok {
			h.token = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return nil
}

// shut ends the server, as asked or as a power cut would.
func (h *house) shut(kill bool) error {
	if h.server.Gone() {
		return errors.Join(errors.New("the server has ended by itself"), h.server.Err())
	}
	if used, err := h.server.CPU(); err == nil {
		h.cpu += used
	}
	p := h.server
	h.server = nil
	if kill {
		p.Kill()
		return nil
	}
	return p.End()
}

// close ends what still runs.
func (h *house) close() {
	for _, p := range []*proc.Process{h.fleet, h.server} {
		if p != nil && !p.Gone() {
			p.Kill()
		}
	}
}

// apply defines the checks, as people do.
func (h *house) apply(ctx context.Context, list []definition) error {
	file := filepath.Join(h.dir, "checks.yaml")
	if err := os.WriteFile(file, []byte(yaml(list, h.interval)), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, h.program, "checks", "apply", "-f", file, "--context", h.server.Said("context"))
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w: %s", cmd.Args, err, said)
	}
	return nil
}

func (h *house) get(ctx context.Context, path string) ([]byte, error) {
	return proc.Page(ctx, "http://"+h.http+path, h.token)
}

func (h *house) getInto(ctx context.Context, path string, v any) error {
	page, err := h.get(ctx, "/api/v1"+path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(page, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// meters reads /metrics, without what has labels.
func (h *house) meters(ctx context.Context) (map[string]float64, error) {
	return proc.Meters(ctx, "http://"+h.http+"/metrics", h.token)
}
