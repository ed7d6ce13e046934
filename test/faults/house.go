//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/fettle-dev/fettle/test/proc"
)

// house is everything that runs, and how to start it again.
type house struct {
	settings
	dir         string
	http, stomp string // addresses of the server
	server      *proc.Process
	beat        string // interval of beats
	serverDir   string // a small disk where that is possible
	serverTops  int    // the most memory that a server had, in MiB
	disks       bool   // the folders are disks of their own, which can be full
	db          *maria
	dbNet       *network // between server and database
	groups      []*group
	serving     sync.WaitGroup
	stop        context.CancelFunc
}

// group is a process with a part of the agents, and its way to the server.
type group struct {
	number, nodes int
	prefix        string
	dir           string // state, on a small disk where that is possible
	running       *proc.Process
	net           *network
	repeater      *repeater
}

func (g *group) name() string { return "fleet " + g.prefix }

// Sizes of the small disks, in MiB.
const (
	serverDisk = 768
	groupDisk  = 192
)

// build starts everything, and returns when all nodes are there. The house is not nil where something has to be closed.
func build(ctx context.Context, s settings, dir string) (*house, error) {
	h := &house{settings: s, dir: dir, serverDir: filepath.Join(dir, "server"), disks: true}
	if s.clock != "" {
		program, err := buildStepped(ctx, dir, s.clock)
		if err != nil {
			return nil, err
		}
		h.program = program
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	h.stop = stop
	var err error
	if h.http, err = freeAddress(); err != nil {
		return h, err
	}
	if h.stomp, err = freeAddress(); err != nil {
		return h, err
	}
	h.disk(h.serverDir, serverDisk)
	h.beat = "2s"
	config := "checks:\n  - name: count\n    command: count\n    interval: 2s\n    timeout: 5s\n    attempts: 1\n"
	if s.restart { // as an idle fleet is
		h.beat, config = "30s", ""
	}
	if err := os.WriteFile(filepath.Join(dir, "server.yaml"), []byte(config), 0o600); err != nil {
		return h, err
	}
	if s.database == "mariadb" {
		if err := h.buildDatabase(ctx); err != nil {
			return h, err
		}
	}
	if err := h.startServer(ctx); err != nil {
		return h, err
	}
	for i := range s.groups {
		g := &group{number: i, prefix: "g" + strconv.Itoa(i) + "x", nodes: s.nodes / s.groups, dir: filepath.Join(dir, "group"+strconv.Itoa(i))}
		if i < s.nodes%s.groups {
			g.nodes++
		}
		h.groups = append(h.groups, g)
		h.disk(g.dir, groupDisk)
		if err := h.connect(run, g); err != nil {
			return h, err
		}
		if err := h.startGroup(g); err != nil {
			return h, err
		}
	}
	for _, g := range h.groups {
		limited, cancel := context.WithTimeout(ctx, 5*time.Minute)
		ready, err := g.running.Ready(limited)
		cancel()
		if err != nil || !ready {
			return h, errors.Join(fmt.Errorf("group %d did not become ready", g.number), err)
		}
	}
	return h, nil
}

func (h *house) buildDatabase(ctx context.Context) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	if h.db, err = newMaria(filepath.Join(h.dir, "db"), address); err != nil {
		return err
	}
	if err := h.db.start(ctx); err != nil {
		return err
	}
	h.dbNet, err = newNetwork("database", address)
	return err
}

// disk makes a folder, a disk of its own if we may.
func (h *house) disk(dir string, mib int) {
	if err := os.MkdirAll(dir, 0o700); err != nil || syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", mib)) != nil {
		h.disks = false
	}
}

// connect makes the way of a group to the server: through what repeats and swaps its messages, and through what disturbs bytes.
func (h *house) connect(ctx context.Context, g *group) (err error) {
	if g.net, err = newNetwork(g.prefix, h.stomp); err != nil {
		return err
	}
	g.repeater = &repeater{to: g.net.proxy.Listen}
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(h.seed, uint64(1000+g.number)))
	g.repeater.random = func() *rand.Rand {
		mu.Lock()
		defer mu.Unlock()
		return rand.New(rand.NewPCG(random.Uint64(), random.Uint64()))
	}
	if g.repeater.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	h.serving.Go(func() { g.repeater.serve(ctx) })
	return nil
}

// startServer starts the server, again and again until it is ready: without its database it ends, and who supervises it starts it anew.
func (h *house) startServer(ctx context.Context) error {
	args := []string{"server", "--state", h.serverDir, "--http", h.http, "--stomp", h.stomp, "--beat-interval", h.beat, "--config", filepath.Join(h.dir, "server.yaml")}
	if h.db != nil {
		args = append(args, "--store", h.db.dsn(h.dbNet.proxy.Listen))
	}
	return wait(ctx, 2*time.Minute, "the server is ready", func(ctx context.Context) error {
		p, err := start(filepath.Join(h.dir, "server.log"), "server", h.program, args...)
		if err != nil {
			return err
		}
		ready, err := p.Ready(ctx)
		if ready {
			h.server = p
			return nil
		}
		p.Kill()
		return errors.Join(errors.New("it ended instead"), err, p.Err())
	})
}

func (h *house) startGroup(g *group) (err error) {
	address := g.repeater.listener.Addr().String()
	if h.restart {
		address = h.stomp // nothing stands between: each connection would be three
	}
	g.running, err = start(filepath.Join(h.dir, fmt.Sprintf("group%d.log", g.number)), g.name(), h.program, "emulate",
		"--nodes", strconv.Itoa(g.nodes), "--prefix", g.prefix, "--server", "stomp://"+address,
		"--secret-file", filepath.Join(h.serverDir, "broker.secret"), "--state", filepath.Join(g.dir, "state"),
		"--record", record(h.dir, g.number), "--beat-interval", h.beat, "--slow", "30,400ms")
	return err
}

// killServer kills the server, and remembers how large it was.
func (h *house) killServer() error {
	if h.server.Gone() {
		return fmt.Errorf("the server ended by itself: %w", h.server.Err())
	}
	h.weigh()
	h.server.Kill()
	return nil
}

// weigh notes how large the server has been.
func (h *house) weigh() {
	if mib, err := h.server.MostResident(); err == nil {
		h.serverTops = max(h.serverTops, mib)
	}
}

// close ends what still runs.
func (h *house) close() error {
	for _, g := range h.groups {
		if g.running != nil {
			g.running.Kill()
		}
		if g.net != nil {
			g.net.proxy.Stop()
		}
	}
	if h.server != nil {
		h.server.Kill()
	}
	h.stop()
	h.serving.Wait()
	if h.dbNet != nil {
		h.dbNet.proxy.Stop()
	}
	if h.db != nil && h.db.running != nil {
		h.db.running.Kill()
	}
	if h.disks {
		for _, dir := range append([]string{h.serverDir}, groupDirs(h.groups)...) {
			keepAndUnmount(dir)
		}
	}
	return nil
}

func groupDirs(groups []*group) (dirs []string) {
	for _, g := range groups {
		dirs = append(dirs, g.dir)
	}
	return dirs
}

// keepAndUnmount takes a small disk away. What was on it stays: it may be what shows a fault.
func keepAndUnmount(dir string) {
	kept := dir + ".kept"
	_ = os.CopyFS(kept, os.DirFS(dir)) // as far as it goes
	_ = syscall.Unmount(dir, syscall.MNT_DETACH)
}

// freeAddress gives an address of loopback that nobody listens on now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func splitAddress(address string) (host, port string) {
	host, port, _ = net.SplitHostPort(address)
	return host, port
}

// wait tries until try gives nil. What it gave last is in the error.
func wait(ctx context.Context, limit time.Duration, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %s: %w", limit, what, err)
		}
	}
}

// fill writes a file until the disk takes no more.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err = f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block, err = block[:len(block)/2], nil
		}
		if err != nil && !errors.Is(err, io.ErrShortWrite) {
			return err
		}
	}
	return nil
}
