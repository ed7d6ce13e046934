//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// work starts numbered runs.
type work struct {
	*house
	started int

	mu    sync.Mutex
	taken map[string]string // guarded by mu; of runs that the server has confirmed, the number by the id
}

// runTimeout is for one action; it begins anew where a task waited.
const runTimeout = "20s"

// run starts a run with each tick, until ctx ends. One that fails is not repeated: its number is not known to have been taken.
func (w *work) run(ctx context.Context) {
	w.taken = map[string]string{}
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		w.started++
		n := strconv.Itoa(w.started)
		var answer struct{ Run string }
		order := map[string]any{"action": "nrpe.check", "inputs": map[string]any{"command": "count", "args": []string{n}}, "all": true, "timeout": runTimeout}
		if err := w.call(ctx, http.MethodPost, "/runs", order, &answer); err == nil {
			w.mu.Lock()
			w.taken[answer.Run] = n
			w.mu.Unlock()
		}
	}
}

// pingTimeout is long, because other work may be going on on the machine. Who is there answers at once.
const pingTimeout = "30s"

// call asks REST, and reads the answer into out.
func (h *house) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	url, token, err := h.context()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, url+"/api/v1"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, raw)
	}
	return json.Unmarshal(raw, out)
}

// context reads where the server is and what lets us in.
func (h *house) context() (url, token string, err error) {
	text, err := os.ReadFile(filepath.Join(h.serverDir, "context.yaml"))
	if err != nil {
		return "", "", err
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if v, is := strings.CutPrefix(line, "token: "); is {
			token = strings.Trim(v, `"' `)
		}
		if v, is := strings.CutPrefix(line, "url: "); is {
			url = strings.Trim(v, `"' `)
		}
	}
	return url, token, nil
}

// runItem is a run as REST shows it.
type runItem struct {
	Run   string
	Ended *time.Time
	Tally struct{ Roster, OK, Failed, Silent, Never, Pending int }
}

// becomeWell waits until every node answers and nothing is going on any more.
func (h *house) becomeWell(ctx context.Context, out io.Writer) error {
	return wait(ctx, h.settle, "all is well", func(ctx context.Context) error {
		err := h.isWell(ctx)
		if err != nil {
			fmt.Fprintf(out, "not yet: %v\n", err)
			pause(ctx, time.Second)
		}
		return err
	})
}

// isWell asks every node, and looks for what goes on.
func (h *house) isWell(ctx context.Context) error {
	if h.server.Gone() {
		return fmt.Errorf("the server ended by itself: %w", h.server.Err())
	}
	var ping runItem
	if err := h.call(ctx, http.MethodPost, "/runs", map[string]any{"action": "agent.ping", "all": true, "timeout": pingTimeout}, &ping); err != nil {
		return err
	}
	for deadline := time.Now().Add(40 * time.Second); ping.Ended == nil && time.Now().Before(deadline); {
		pause(ctx, 100*time.Millisecond)
		if err := h.call(ctx, http.MethodGet, "/runs/"+ping.Run, nil, &ping); err != nil {
			return err
		}
	}
	if t := ping.Tally; t.Roster != h.nodes || t.OK != h.nodes {
		return fmt.Errorf("a ping of all %d: %+v", h.nodes, t)
	}
	return h.runsEnded(ctx)
}

// runsEnded looks for a run that goes on.
func (h *house) runsEnded(ctx context.Context) error {
	for cursor := ""; ; {
		var page struct {
			Runs []runItem
			Next string
		}
		if err := h.call(ctx, http.MethodGet, "/runs?limit=1000&cursor="+cursor, nil, &page); err != nil {
			return err
		}
		for _, r := range page.Runs {
			if r.Ended == nil {
				return fmt.Errorf("run %s goes on: %+v", r.Run, r.Tally)
			}
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}
