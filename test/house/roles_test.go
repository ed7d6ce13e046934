//go:build integration

package house

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// place is where a server lives: what stays the same when it is started again.
type place struct {
	t           *testing.T
	state       string
	http, stomp string
	args        []string // further ones
	token       string   // of its context, once it has run
	broker      *foreign // nil: the embedded one
}

// newPlace gives a server addresses and a state directory of its own.
func newPlace(t *testing.T, args ...string) *place {
	t.Helper()
	return &place{t: t, state: t.TempDir(), http: freeAddress(t), stomp: freeAddress(t), args: args}
}

// open starts the server of a place.
func (p *place) open() *process {
	p.t.Helper()
	args := []string{"server", "--state", p.state, "--http", p.http, "--stomp", p.stomp, "--beat-interval", "1s"}
	if p.broker != nil {
		args = append(args, p.broker.ofServer()...)
	}
	s := start(p.t, append(args, p.args...)...)
	p.token = tokenOf(p.t, s)
	return s
}

// secret is the file with which agents log in.
func (p *place) secret() string { return filepath.Join(p.state, "broker.secret") }

// agent gives the arguments of an agent of this place, with settings of its own and nothing of the machine's. What args say comes later, and
// counts.
func (p *place) agent(identity string, args ...string) []string {
	p.t.Helper()
	dir := p.t.TempDir()
	if p.broker != nil {
		args = append(p.broker.ofAgent(p), args...)
	}
	return append([]string{
		"agent", "--server", "stomp://" + p.stomp, "--secret-file", p.secret(), "--identity", identity, "--state", filepath.Join(dir, "state"),
		"--facts-dir", filepath.Join(dir, "facts.d"), "--nrpe-config", "", "--cloud=false",
	}, args...)
}

// call asks REST, and reads the answer into out unless that is nil. The status is 0 where there was no answer.
func (p *place) call(method, path string, in, out any) (status int, err error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return 0, err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.http+"/api/v1"+path, body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode >= 300 {
		return resp.StatusCode, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, raw)
	}
	if out != nil {
		err = json.Unmarshal(raw, out)
	}
	return resp.StatusCode, err
}

// must is call for what has to work.
func (p *place) must(method, path string, in, out any) {
	p.t.Helper()
	if _, err := p.call(method, path, in, out); err != nil {
		p.t.Fatal(err)
	}
}

// runItem is a run as REST shows it.
type runItem struct {
	Run    string
	Action string
	Inputs map[string]any
	State  string
	Ended  *time.Time
	Tally  struct{ Roster, OK, Failed, Silent, Never, Pending int }

	Results []resultItem
	Refused []struct{ Reason string }
}

type resultItem struct {
	Node, Message, Task string
	Status              int
}

// ran starts an action on all nodes, and waits for the end of it.
func (p *place) ran(action string, inputs map[string]any) runItem {
	p.t.Helper()
	var run runItem
	p.must(http.MethodPost, "/runs", map[string]any{"action": action, "inputs": inputs, "all": true, "timeout": "30s"}, &run)
	eventually(p.t, action+" has ended", func() bool {
		p.must(http.MethodGet, "/runs/"+run.Run, nil, &run)
		return run.Ended != nil
	})
	return run
}

// nodeItem is a node as REST shows it.
type nodeItem struct {
	Identity, Liveness string
	Facts              map[string]any
}

// node gives a node; ok is false while there is none.
func (p *place) node(identity string) (n nodeItem, ok bool) {
	_, err := p.call(http.MethodGet, "/nodes/"+identity, nil, &n)
	return n, err == nil
}

// alive waits until the server says that a node is alive and has its facts.
func (p *place) alive(identity string) {
	p.t.Helper()
	eventually(p.t, identity+" is alive, with facts", func() bool {
		n, ok := p.node(identity)
		return ok && n.Liveness == "alive" && len(n.Facts) > 0
	})
}

// write makes a file, executable if its mode says so, and gives its path.
func write(t *testing.T, mode os.FileMode, elements ...string) string {
	t.Helper()
	text, path := elements[len(elements)-1], filepath.Join(elements[:len(elements)-1]...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil { // whoever reads meanwhile sees the old one or the new one
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

// lines gives the whole lines of a file that is being written.
func lines(t *testing.T, path string) []string {
	t.Helper()
	text := read(t, path)
	return strings.Fields(text[:strings.LastIndexByte(text, '\n')+1])
}
