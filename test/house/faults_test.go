//go:build integration

package house

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// frames writes bytes to a broker and gives what it says before it hangs up.
func frames(t *testing.T, address, bytes string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(bytes)); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	if _, err := bufio.NewReader(conn).WriteTo(&said); err != nil {
		t.Errorf("it did not hang up: %v", err)
	}
	return said.String()
}

func TestFramesThatAreWrong(t *testing.T) {
	p := newPlace(t)
	server := p.open()
	start(t, p.agent("n1")...)
	p.alive("n1")
	connect := p.join("stranger").connect()
	send := func(to, body string) string {
		return fmt.Sprintf("SEND\ndestination:%s\ncontent-length:%d\nreceipt:r1\n\n%s\x00", to, len(body), body)
	}
	for name, row := range map[string]struct{ bytes, want string }{
		"noise":                      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is no STOMP\n\n\x00", "ERROR"},
		"a wrong passcode":           {"CONNECT\naccept-version:1.2\nhost:h\nlogin:fettle\npasscode:guess\n\n\x00", "login or passcode is wrong"},
		"a length that is a lie":     {connect + "SEND\ndestination:/queue/fettle.facts\ncontent-length:99999999999\n\n", "ERROR"},
		"no destination":             {connect + "SEND\nreceipt:r1\n\nx\x00", "ERROR"},
		"an unknown command":         {connect + "EXPLODE\n\n\x00", "ERROR"},
		"a node's queue":             {connect + send("/queue/fettle.node.n1", "{}"), "may send to the collecting queues only"},
		"another node's tasks":       {connect + "SUBSCRIBE\nid:1\ndestination:/queue/fettle.node.n1\n\n\x00", "may read its own queue"},
		"a header that has no end":   {"CONNECT\n" + strings.Repeat("a", 1<<20), "ERROR"},
		"garbage where facts belong": {connect + send("/queue/fettle.facts", "\x00\xff garbage") + "DISCONNECT\nreceipt:bye\n\n\x00", "receipt-id:r1"},
	} {
		t.Run(name, func(t *testing.T) {
			if said := frames(t, p.stomp, row.bytes); !strings.Contains(said, row.want) {
				t.Errorf("the broker said %q, want %q in it", said, row.want)
			}
		})
	}
	t.Run("nobody else notices", func(t *testing.T) {
		if run := p.ran("agent.ping", nil); run.Tally.OK != 1 {
			t.Errorf("%+v", run)
		}
	})
	t.Run("what could not be taken is counted, and the log says why", func(t *testing.T) {
		eventually(t, "it is counted", func() bool {
			return strings.Contains(get(t, server.ready["http"]+"/metrics", ""), "fettle_server_dead_letters_total 1\n")
		})
		if !strings.Contains(server.log.String(), "messages refused") {
			t.Errorf("the log: %s", server.log)
		}
	})
}

// factFaults gives what a node says of its facts' sources, as text.
func (p *place) factFaults(node string) string {
	n, _ := p.node(node)
	own, _ := n.Facts["fettle"].(map[string]any)
	raw, err := json.Marshal(own["facts"])
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

func TestFactsThatAreWrong(t *testing.T) {
	p := newPlace(t)
	p.open()
	dir := filepath.Join(t.TempDir(), "facts.d")
	write(t, 0o644, dir, "good.json", `{"good":1}`)
	agent := start(t, p.agent("n1", "--facts-dir", dir, "--facts-timeout", "1s")...)
	p.alive("n1")

	var many strings.Builder
	for i := range 21_000 {
		fmt.Fprintf(&many, "fact%d=%d\n", i, i)
	}
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	for _, row := range []struct {
		file, text string
		mode       os.FileMode
	}{
		{"large.json", `{"large":"` + strings.Repeat("x", 1<<20) + `"}`, 0o644},
		{"many.txt", many.String(), 0o644},
		{"deep.json", `{"deep":` + deep + `}`, 0o644},
		{"broken.json", `{"broken":`, 0o644},
		{"broken.yaml", "a: [1\nb: }", 0o644},
		{"noise.json", "\x00\x01\xff\xfe", 0o644},
		{"fails.sh", "#!/bin/sh\necho half=1\nexit 3\n", 0o755},
		{"hangs.sh", "#!/bin/sh\nexec sleep 600\n", 0o755},
	} {
		t.Run(row.file+" costs itself, and can be seen", func(t *testing.T) {
			path := write(t, row.mode, dir, row.file, row.text)
			write(t, 0o644, dir, "good.json", fmt.Sprintf(`{"good":%q}`, row.file))
			if run := p.ran("agent.facts", nil); run.Tally.OK != 1 {
				t.Fatalf("%+v", run)
			}
			n, _ := p.node("n1")
			if n.Facts["good"] != row.file || n.Facts["kernel"] != "Linux" {
				t.Errorf("the rest is not kept: good=%v kernel=%v", n.Facts["good"], n.Facts["kernel"])
			}
			if faults := p.factFaults("n1"); !strings.Contains(faults, row.file) {
				t.Errorf("fettle.facts does not name it: %s", faults)
			}
			if !strings.Contains(agent.log.String(), row.file) {
				t.Errorf("the log does not name it: %s", agent.log)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Run("what is mended is well again", func(t *testing.T) {
		if run := p.ran("agent.facts", nil); run.Tally.OK != 1 {
			t.Fatalf("%+v", run)
		}
		if faults := p.factFaults("n1"); strings.Contains(faults, ".json") || strings.Contains(faults, ".sh") {
			t.Errorf("it still says %s", faults)
		}
	})
}

// TestADiskThatIsFull gives an agent a state directory that is nearly full. It is root who may make one.
func TestADiskThatIsFull(t *testing.T) {
	p := newPlace(t)
	p.open()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatalf("a small disk cannot be made (this test wants root): %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	dir := t.TempDir()
	begun := filepath.Join(dir, "begun")
	script := write(t, 0o755, dir, "count.sh", "#!/bin/sh\necho $1 >> "+begun+"\necho OK\n")
	nrpe := write(t, 0o644, dir, "nrpe.cfg", "dont_blame_nrpe=1\ncommand[count]="+script+" $ARG1$\n")
	agent := start(t, p.agent("n1", "--state", disk, "--nrpe-config", nrpe)...)
	p.alive("n1")
	count := func(n string) runItem {
		return p.ran("nrpe.check", map[string]any{"command": "count", "args": []string{n}})
	}
	if run := count("0"); run.Tally.OK != 1 {
		t.Fatalf("while there is room: %+v", run)
	}
	filler := filepath.Join(disk, "filler")
	fill(t, filler)

	t.Run("a task is refused with a reason, and is not begun", func(t *testing.T) {
		var run runItem
		n := 1
		for ; n < 100; n++ { // the last page of a file has room for a few
			if run = count(fmt.Sprint(n)); run.Tally.OK != 1 {
				break
			}
		}
		if len(run.Results) != 1 || run.Results[0].Status != 6 || !strings.Contains(run.Results[0].Message, "no space left") {
			t.Errorf("task %d: %+v", n, run)
		}
		if got := lines(t, begun); len(got) != n || n == 100 {
			t.Errorf("task %d was refused, and begun are %v", n, got)
		}
	})
	t.Run("it is there, and answers what needs no disk", func(t *testing.T) {
		if run := p.ran("agent.ping", nil); run.Tally.OK != 1 {
			t.Errorf("%+v\n%s", run, agent.log)
		}
	})
	t.Run("with room it works again", func(t *testing.T) {
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		if run := count("more"); run.Tally.OK != 1 {
			t.Errorf("%+v\n%s", run, agent.log)
		}
	})
}

// fill writes until the disk takes no more.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !os.IsExist(err) && !strings.Contains(err.Error(), "no space") {
		t.Fatal(err)
	}
}

func TestRequestsThatAreWrong(t *testing.T) {
	p := newPlace(t)
	p.open()
	start(t, p.agent("n1")...)
	p.alive("n1")
	problem := func(method, path string, in any) (int, string) {
		status, err := p.call(method, path, in, nil)
		if err == nil {
			t.Errorf("%s %s was taken", method, path)
			return status, ""
		}
		return status, err.Error()
	}
	for name, row := range map[string]struct {
		method, path string
		in           any
		status       int
		want         string
	}{
		"a filter that is none":    {http.MethodGet, "/nodes?where=facts.os.", nil, 422, `"column"`},
		"no filter":                {http.MethodPost, "/runs", map[string]any{"action": "agent.ping"}, 422, "no nodes are named"},
		"an action that is none":   {http.MethodPost, "/runs", map[string]any{"action": "no.such", "all": true}, 404, "agent.ping"},
		"an input that is missing": {http.MethodPost, "/runs", map[string]any{"action": "nrpe.check", "all": true}, 422, "command"},
		"a check that is none":     {http.MethodGet, "/verdicts/check_nothing", nil, 404, "check_nothing"},
		"a node that is none":      {http.MethodGet, "/nodes/nobody", nil, 404, "nobody"},
		"a run that is none":       {http.MethodGet, "/runs/nothing", nil, 404, "nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			if status, text := problem(row.method, row.path, row.in); status != row.status || !strings.Contains(text, row.want) {
				t.Errorf("%d, %s; want %d and %q", status, text, row.status, row.want)
			}
		})
	}
	t.Run("a wrong token", func(t *testing.T) {
		right := p.token
		defer func() { p.token = right }()
		p.token = "fettle_guess"
		if status, text := problem(http.MethodGet, "/nodes?where=true", nil); status != 401 || !strings.Contains(text, "problem") && !strings.Contains(text, "token") {
			t.Errorf("%d, %s", status, text)
		}
	})
}
